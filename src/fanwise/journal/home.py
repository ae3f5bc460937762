"""Where journals are kept: a directory with a file a run, or one PostgreSQL database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from fanwise.clock import Clock, SystemClock
from fanwise.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.exc import DBAPIError

    from fanwise.errors import JournalError
    from fanwise.journal.cache import Cache
    from fanwise.journal.memory import Journal, JournalReader
    from fanwise.records import RunRecord, RunSpec, RunStatus

DEFAULT_DIRECTORY = ".fanwise"
FINAL: Collection[RunStatus] = ("finished", "cancelled")
"""Statuses of runs that nobody goes on with by himself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What pruning removed, or would remove.

    ``freed_bytes`` is what the filesystem gets back; ``None`` where only the server knows.
    ``unreadable`` names run files that are damaged or foreign and were left alone.
    """

    run_ids: Sequence[str]
    freed_bytes: int | None
    unreadable: Sequence[str] = ()


class Home(Protocol):
    """All runs of one place, the cache beside them, and the pipelines' own tables.

    ``Store(home, name, metadata)`` opens the latter (:mod:`fanwise.journal.store`).

    Every method may raise :class:`fanwise.errors.JournalUnavailable` where the place cannot be
    read or written; nothing is changed then. Usable from any thread.
    """

    @property
    def location(self) -> str:
        """The directory, or the URL without its password."""
        ...

    def create(self, spec: RunSpec, *, run_id: str, wall_s: float) -> Journal:
        """Begins a new run and takes its lock.

        Args:
            spec: What it is.
            run_id: Its id, see :func:`fanwise.clock.new_run_id`.
            wall_s: The instant, seconds since the epoch.

        Raises:
            Conflict: A run of that id exists.
        """
        ...

    def open(self, run_id: str) -> Journal:
        """Takes the lock of an existing run and begins a new session.

        Calls that a dead session left open become ``ambiguous``.

        Raises:
            ConfigError: No such run.
            Conflict: Another process writes it; names the process.
            SchemaMismatch: A newer version wrote it.
            CorruptRecord: It cannot be read.
        """
        ...

    def reader(self, run_id: str) -> JournalReader:
        """Reads a run, live or not, without touching it. Raises as :meth:`open`, but Conflict."""
        ...

    def runs(self, *, limit: int | None = None) -> Sequence[RunRecord]:
        """The newest runs first. Those that cannot be read are left out; see :meth:`unreadable`."""
        ...

    def unreadable(self) -> Sequence[str]:
        """Ids of runs that are damaged, foreign or of a newer version."""
        ...

    def newest_unfinished(self, name: str) -> str | None:
        """The newest run of that name that was neither finished nor cancelled, live ones
        included.
        """
        ...

    def find(self, prefix: str) -> str:
        """The run whose id begins so, or ends so after a hyphen.

        Raises:
            ConfigError: None does, or more than one; names the candidates.
        """
        ...

    def prune(
        self,
        *,
        older_than_s: float,
        keep: int = 0,
        statuses: Collection[RunStatus] = FINAL,
        dry_run: bool = False,
    ) -> Pruned:
        """Removes old runs with everything in them. A live one is never touched.

        Args:
            older_than_s: Only runs whose last commit is at least so long ago.
            keep: The newest so many runs stay, whatever their age.
            statuses: Only runs of these.
            dry_run: Say what would go, remove nothing.
        """
        ...

    def remove(self, run_id: str) -> bool:
        """Removes one run with everything in it; says whether it could: not while some process
        works on it.

        Raises:
            ConfigError: There is no such run.
        """
        ...

    def cache(self) -> Cache:
        """The cross-run cache; opened at its first use, to be closed by the caller."""
        ...

    def store_engine(self) -> Engine:
        """See :class:`fanwise.journal.store.StoreHome`."""
        ...

    def judge_store(self, error: DBAPIError) -> JournalError | None:
        """See :class:`fanwise.journal.store.StoreHome`."""
        ...

    def close(self) -> None:
        """Gives connections back. Journals, readers and caches that are open stay usable."""
        ...


def open_home(location: str | Path | None = None, *, clock: Clock | None = None) -> Home:
    """The home at a directory or a PostgreSQL URL.

    Nothing is made on disk before the first run. A server is first asked at the first use.

    Args:
        location: A directory, or ``postgresql://user:password@host/database``; by default
            ``./.fanwise``.
        clock: Time of commits; by default the machine's.

    Raises:
        ConfigError: The URL is of another kind of database, or psycopg is not installed.
    """
    clock = clock or SystemClock()
    text = str(location) if location is not None else DEFAULT_DIRECTORY
    if text.startswith(("postgresql:", "postgres:", "postgresql+psycopg:")):
        try:
            from fanwise.journal.server_home import ServerHome
        except ImportError as error:
            raise ConfigError(
                "a PostgreSQL journal needs psycopg, which is not installed",
                hint="pip install 'fanwise[postgres]'",
            ) from error
        return ServerHome(text, clock=clock)
    if "://" in text:
        scheme = text.partition("://")[0]
        raise ConfigError(
            f"a journal cannot be kept at {scheme}://",
            hint="name a directory, or postgresql://user@host/database",
        )
    from fanwise.journal.file_home import FileHome

    return FileHome(Path(text).expanduser(), clock=clock)
