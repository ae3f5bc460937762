"""Journals and runs by the names that people give them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from fanwise.cli.flags import HomeFlags, WorkFlags
from fanwise.cli.options import LIMITS, read_options
from fanwise.errors import ConfigError

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.journal.memory import JournalReader
    from fanwise.records import RunRecord

LATEST = "latest"


@contextmanager
def home_of(flags: HomeFlags) -> Generator[Home]:
    """The journal that a command's flags, the environment or a file name.

    Raises:
        ConfigError: Settings are wrong.
        JournalUnavailable: It cannot be opened.
    """
    from fanwise.journal.home import open_home

    home = open_home(read_options(WorkFlags(home=flags)).journal)
    try:
        yield home
    finally:
        home.close()


@contextmanager
def reading(home: Home, run_id: str) -> Generator[JournalReader]:
    """A run's journal, read only, also while another process writes it."""
    reader = home.reader(run_id)
    try:
        yield reader
    finally:
        reader.close()


def find_run(home: Home, name: str) -> RunRecord:
    """The run of an id, of an id's unique beginning or last part, or the newest for ``latest``.

    Raises:
        ConfigError: No run, or more than one, has such an id.
    """
    if name == LATEST:
        newest = home.runs(limit=1)
        if not newest:
            hint = "name another journal with --journal or FANWISE_JOURNAL"
            raise ConfigError(f"there are no runs in {home.location}", hint=hint)
        return newest[0]
    with reading(home, home.find(name)) as reader:
        return reader.run


def newest_unfinished(home: Home) -> RunRecord:
    """The newest run that was neither finished nor cancelled, and that nobody works on.

    Raises:
        ConfigError: There is none.
    """
    from fanwise.journal.home import FINAL

    for run in home.runs():
        if run.status not in FINAL and not run.live:
            return run
    raise ConfigError(
        f"no run in {home.location} is unfinished",
        hint="`fanwise list` shows all; `fanwise retry ID` sends failed items again",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who works on a run, as far as its lock says it."""

    pid: int | None = None
    host: str = ""

    @property
    def words(self) -> str:
        """The holder in words."""
        return "another process" if self.pid is None else f"process {self.pid} on {self.host}"


def holder_of(home: Home, run_id: str) -> Holder:
    """Who holds a run's lock; unknown for a journal that is no directory."""
    try:
        found: Any = orjson.loads((Path(home.location) / "runs" / f"{run_id}.lock").read_bytes())
        return Holder(pid=int(found["pid"]), host=str(found["host"]))
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return Holder()


_HOW = frozenset({"accept_changes", "ordered", *LIMITS.values()})


def same_work(
    runs: Iterable[RunRecord], *, command: str, stored: Mapping[str, Any], live: bool = False
) -> RunRecord | None:
    """The newest unfinished run of the very same work, whatever limits it had.

    Whoever types a command again after a crash wants to go on, not to pay twice.

    Args:
        runs: The runs of a journal, newest first.
        command: The command.
        stored: Its options as a run would keep them.
        live: Whether one that some process works on is meant, or one that nobody works on.
    """
    from fanwise.journal.home import FINAL

    wanted = _what(stored)
    for run in runs:
        unfinished = run.status not in FINAL and run.live == live
        if unfinished and run.spec.command == command and _what(run.spec.options) == wanted:
            return run
    return None


def _what(stored: Mapping[str, Any]) -> bytes:
    """What is to be done, without how: in one spelling, so that it can be compared."""
    what = {name: value for name, value in stored.items() if name not in _HOW}
    return orjson.dumps(what, option=orjson.OPT_SORT_KEYS)


def status_of(run: RunRecord) -> str:
    """A run's status for people: ``live`` while a process works on it, and never ``running`` of a
    run that nobody works on.
    """
    if run.live:
        return "live"
    return "interrupted" if run.status == "running" else run.status
