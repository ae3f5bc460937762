"""``fanwise prune``: old runs go, after it was shown which."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from typer import Option

from fanwise.cli.display import ago, plural, put, put_json, put_table, say
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import HomeFlags
from fanwise.cli.homes import home_of, status_of
from fanwise.errors import ConfigError

if TYPE_CHECKING:
    from fanwise.records import RunStatus


def prune(
    *,
    older_than: Annotated[
        str, Option(metavar="TIME", help="Only runs untouched for so long (12h, 30d).")
    ] = "30d",
    keep: Annotated[
        int, Option(min=0, metavar="N", help="Keep the newest N whatever their age.")
    ] = 0,
    unfinished: Annotated[
        bool, Option("--unfinished", help="Interrupted and failed runs too, not only ended ones.")
    ] = False,
    yes: Annotated[bool, Option("--yes", "-y", help="Delete them.")] = False,
    home: HomeFlags,
) -> int:
    """Delete old runs; shows first what would go.

    Without --yes nothing is deleted. A run goes with all its results and its ledger of paid calls;
    export first what is still wanted. A live run is never touched.
    """
    from fanwise.cli.config import duration_s
    from fanwise.journal.home import FINAL

    try:
        age_s = duration_s(older_than)
    except ValueError as error:
        raise ConfigError(
            f"--older-than is {older_than!r}: it {error}", hint="write --older-than 30d"
        ) from None
    statuses: set[RunStatus] = set(FINAL)
    if unfinished:
        statuses |= {"interrupted", "failed", "running"}
    with home_of(home) as place:
        records = {record.run_id: record for record in place.runs()}
        pruned = place.prune(
            older_than_s=age_s,
            keep=keep,
            statuses=statuses,
            dry_run=not yes,
        )
    if home.json:
        put_json({"deleted": yes, **asdict(pruned)})
        return ExitCode.OK
    found = [records[run_id] for run_id in pruned.run_ids if run_id in records]
    if found:
        put_table(
            ("id", "name", "status", "untouched for"),
            [(r.run_id, r.spec.name, status_of(r), ago(r.updated_at)) for r in found],
        )
        put("")
    freed = "" if pruned.freed_bytes is None else f", {pruned.freed_bytes / 1e6:.1f} MB"
    verb = "Deleted" if yes else "Would delete"
    put(f"{verb} {plural(len(pruned.run_ids), 'run')}{freed}.")
    if found and not yes:
        say("Nothing was deleted yet: say --yes to do it.")
    for run_id in pruned.unreadable:
        say(f"Left alone, since it cannot be read: {run_id}")
    return ExitCode.OK
