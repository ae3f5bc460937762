"""``fanwise resume`` and ``fanwise retry``: the same work again, under the run's own options."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument

from fanwise.cli.display import say
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import AgainFlags
from fanwise.cli.homes import find_run, holder_of, home_of, newest_unfinished, reading
from fanwise.cli.options import STDIN, restored
from fanwise.cli.runs import RunArgument
from fanwise.cli.steer import changes_of, end_pause
from fanwise.errors import ConfigError, Conflict, StateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanwise.journal.home import Home
    from fanwise.records import RunRecord

_COMMANDS = {
    "grade": "fanwise.cli.grade",
    "hooks": "fanwise.cli.hooks",
    "notes": "fanwise.cli.notes",
    "run": "fanwise.cli.run",
    "scan": "fanwise.cli.scan",
    "tailor": "fanwise.cli.tailor",
}
"""By command: the module whose ``go_on`` goes on with its runs."""


def resume(
    *,
    run: Annotated[
        str | None,
        Argument(
            metavar="ID", help="A run's id or its beginning; the newest unfinished by default."
        ),
    ] = None,
    again: AgainFlags,
) -> int:
    """Go on with a run that was interrupted.

    What is done is read from the journal and costs nothing; what failed or was never finished goes
    out. The run's own options hold, but limits given now replace them. Calls in flight at a crash
    have an unknown outcome and are sent again; the report lists them.

    A run that was paused in another terminal goes on there.
    """
    with home_of(again.home) as place:
        record = newest_unfinished(place) if run is None else find_run(place, run)
        if record.status == "finished":
            raise StateError(
                f"run {record.run_id} is finished",
                hint=f"`fanwise retry {record.run_id}` sends its failed items again",
            )
        if record.live and end_pause(place, record, again):
            return ExitCode.OK
        _check_free(place, record)
    return _go_on(record, again)


def retry(*, run: RunArgument = "latest", again: AgainFlags) -> int:
    """Send the failed items of a run again.

    Opens a finished run once more: its failed items go out, all others are read from the journal,
    and the output is made whole. Limits given now replace the run's own.
    """
    with home_of(again.home) as place:
        record = find_run(place, run)
        _check_free(place, record)
    return _go_on(record, again)


def _check_free(place: Home, record: RunRecord) -> None:
    """Refuses a run that some process works on."""
    if record.live:
        raise Conflict(
            f"{holder_of(place, record.run_id).words} works on run {record.run_id}",
            hint=f"`fanwise watch {record.run_id}` follows it",
        )


def _go_on(record: RunRecord, again: AgainFlags) -> int:
    go_on = _command(record)
    stored = record.spec.options
    with home_of(again.home) as place, reading(place, record.run_id) as reader:
        changed = changes_of(reader)
    options = restored({**stored, **changed}, again)
    if options.source == STDIN and sys.stdin.isatty():
        raise ConfigError(
            f"run {record.run_id} read its rows from standard input",
            hint=f"pipe the same rows in again: … | fanwise resume {record.run_id}",
        )
    say(f"Going on with {record.run_id}", quiet=options.quiet)
    return go_on(stored, options, resume=record.run_id)


def _command(record: RunRecord) -> Callable[..., Any]:
    """What goes on with runs of a command.

    Raises:
        StateError: The run was begun by a program of its own.
    """
    module = _COMMANDS.get(record.spec.command)
    if module is None:
        raise StateError(
            f"run {record.run_id} ({record.spec.name}) was not begun by this command line",
            hint="run the program that began it again: it goes on by itself",
        )
    return import_module(module).go_on
