"""``fanwise tailor --draft ID``: drafts listed, shown, decided on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanwise.cli.display import at, plural, put, put_json, put_table, say
from fanwise.cli.failures import ExitCode
from fanwise.errors import ConfigError

if TYPE_CHECKING:
    from fanwise.cli.options import RunOptions
    from fanwise.cli.tailor import DraftFlags
    from fanwise.pipelines.tailoring import Draft


def on_drafts(flags: DraftFlags, options: RunOptions) -> int:
    """Lists drafts, or shows one after what was to be done with it.

    Raises:
        ConfigError: Flags that exclude each other.
        StateError: No such draft, or it cannot be decided on so.
    """
    from fanwise.cli.loop import run_loop

    actions = [flags.accept, flags.reject, flags.undo or None, flags.promote or None]
    if sum(action is not None for action in actions) > 1:
        raise ConfigError(
            "several things are to be done at once", hint="give one of them at a time"
        )
    if flags.draft is None:
        return run_loop(_listed(options))
    return run_loop(_decided(flags, options))


async def _listed(options: RunOptions) -> int:
    from fanwise.pipelines.tailoring import Drafts

    async with Drafts(options.journal) as drafts:
        rows = await drafts.all()
    if options.json:
        put_json({"drafts": rows})
    elif not rows:
        say("There is no draft yet: fanwise tailor RESUME --job POSTING")
    else:
        put_table(
            ("draft", "resume", "job", "by", "status", "made"),
            [
                (
                    r["draft"][:8],
                    r["name"],
                    r["title"],
                    r["model"],
                    r["status"],
                    at(r["created_at"]),
                )
                for r in rows
            ],
        )
    return ExitCode.OK


async def _decided(flags: DraftFlags, options: RunOptions) -> int:
    from fanwise.pipelines.tailoring import Drafts

    assert flags.draft is not None
    name = flags.draft
    async with Drafts(options.journal) as drafts:
        if flags.accept is not None:
            draft = await drafts.accept(name, _numbers(flags.accept))
        elif flags.reject is not None:
            draft = await drafts.reject(name, _numbers(flags.reject))
        elif flags.undo:
            draft = await drafts.undo(name)
        elif flags.promote:
            base = await drafts.promote(name)
            draft = await drafts.get(name)
            say(f"Draft {draft.id[:8]} is now the resume {base[:8]}; its base stays as it was.")
        else:
            draft = await drafts.get(name)
    _show(draft, options)
    return ExitCode.OK


def _show(draft: Draft, options: RunOptions) -> None:
    from fanwise.cli.tailor_output import put_changes, write_resume

    whole: dict[str, Any] = draft.as_json()
    if options.output is not None:
        write_resume(draft.resume, Path(options.output), whole=whole)
        say(f"Wrote {options.output}", quiet=options.quiet)
    if options.json:
        put_json(whole)
        return
    accepted = sum(change.decision == "accepted" for change in draft.changes)
    put(
        f"{draft.name}, for {draft.title or 'the job'}: {draft.status}, "
        f"{accepted} of {plural(len(draft.changes), 'change')} accepted, "
        f"score {draft.score().total:.1f}"
    )
    put_changes(draft.changes)


def _numbers(text: str) -> list[int | str] | None:
    """``1,3`` as numbers, a path as it is, ``all`` as everything."""
    if text.strip().lower() == "all":
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise ConfigError("no change was named", hint="give numbers such as 1,3, or all")
    return [int(part) if part.isdecimal() else part for part in parts]
