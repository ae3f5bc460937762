"""``fanwise cache``: what the cross-run cache holds, and how to empty it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli.display import ago, plural, put_facts, put_json, say
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import HomeFlags, with_flags
from fanwise.cli.homes import home_of
from fanwise.cli.loop import run_loop
from fanwise.errors import ConfigError

if TYPE_CHECKING:
    from fanwise.journal.cache import CacheStatistics
    from fanwise.journal.home import Home

cache = typer.Typer(
    help="""Look into the cross-run cache, or clear it.

    It holds answers of runs that were given --cache, and is asked by such runs only. Losing it
    costs money, never correctness.""",
    no_args_is_help=True,
    add_completion=False,
)


def stats(*, home: HomeFlags) -> int:
    """What the cache holds."""
    with home_of(home) as place:
        found = run_loop(_statistics(place)) if _exists(place) else None
    entries = found.entries if found else 0
    size = found.bytes if found else 0
    oldest = found.oldest_at if found else None
    if home.json:
        put_json({"entries": entries, "bytes": size, "oldest_at": oldest})
    else:
        put_facts(
            [
                ("entries", f"{entries:,}"),
                ("size", f"{size / 1e6:.1f} MB"),
                ("oldest", f"{ago(oldest)} ago" if oldest is not None else ""),
            ]
        )
    return ExitCode.OK


def clear(
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it.")] = False,
    home: HomeFlags,
) -> int:
    """Forget every answer in the cache; asks for --yes."""
    with home_of(home) as place:
        if not yes:
            raise ConfigError(
                f"this forgets every cached answer in {place.location}", hint="say --yes to do it"
            )
        removed = run_loop(_clear(place)) if _exists(place) else 0
    if home.json:
        put_json({"removed": removed})
    else:
        say(f"Removed {plural(removed, 'answer')}.")
    return ExitCode.OK


cache.command("stats")(with_flags(stats))
cache.command("clear")(with_flags(clear))


def _exists(place: Home) -> bool:
    """Whether there is a cache; looking at one that is not there should not make it."""
    return "://" in place.location or (Path(place.location) / "cache.db").exists()


async def _statistics(place: Home) -> CacheStatistics:
    opened = place.cache()
    try:
        return await opened.statistics()
    finally:
        await opened.close()


async def _clear(place: Home) -> int:
    opened = place.cache()
    try:
        return await opened.clear()
    finally:
        await opened.close()
