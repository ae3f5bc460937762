"""A directory of journals: ``runs/ID.db`` a run, with a list, a cache and a store beside them."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from fanwise.clock import Clock
from fanwise.errors import (
    ConfigError,
    Conflict,
    FanwiseError,
    JournalError,
    JournalUnavailable,
)
from fanwise.journal import choice, runfile, sqlite, storefile
from fanwise.journal.cache import Cache
from fanwise.journal.cachefile import cache_link
from fanwise.journal.catalog import Catalog, Listed
from fanwise.journal.committer import Committer
from fanwise.journal.filesystem import network_filesystem
from fanwise.journal.home import FINAL, Pruned
from fanwise.journal.link import Link
from fanwise.journal.lock import FileLock, is_locked
from fanwise.journal.reader import SqlReader
from fanwise.journal.session import Session
from fanwise.journal.sql import SqlJournal
from fanwise.journal.sqlite import SqliteLink
from fanwise.records import RunRecord, RunSpec, RunStatus

T = TypeVar("T")

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_BESIDE = ("-wal", "-shm", "-journal")

_OWN = frozenset(
    {
        "runs",
        "catalog.db",
        "catalog.db-journal",
        "cache.db",
        "service-token",
        "store.db",
        "store.db-journal",
        "uploads",
    }
)


class FileHome:
    """A home in a directory; see :func:`fanwise.journal.home.open_home`.

    Args:
        directory: Made, with 0700 and a ``.gitignore`` of its own, when the first run begins.
        clock: Time.
    """

    def __init__(self, directory: Path, *, clock: Clock) -> None:
        self._directory = directory
        self._runs = directory / "runs"
        self._clock = clock
        self._catalog = Catalog(directory / "catalog.db")

    def __repr__(self) -> str:
        return f"<FileHome {self._directory}>"

    @property
    def location(self) -> str:
        return str(self._directory)

    # one run

    def create(self, spec: RunSpec, *, run_id: str, wall_s: float) -> SqlJournal:
        self.prepare()
        path = self._path(run_id)
        lock = self._lock(run_id, wall_s)
        try:
            made = runfile.make(path, run_id=run_id, spec=spec, wall_s=wall_s)
            return self._journal(path, lock, *made)
        except BaseException:
            lock.release()
            raise

    def open(self, run_id: str) -> SqlJournal:
        path = self._existing(run_id)
        now = self._clock.wall()
        lock = self._lock(run_id, now)
        try:
            return self._journal(path, lock, *runfile.resume(path, run_id=run_id, wall_s=now))
        except BaseException:
            lock.release()
            raise

    def reader(self, run_id: str) -> SqlReader:
        link = runfile.read(self._existing(run_id), run_id=run_id)
        lock = self._lock_path(run_id)
        try:
            return SqlReader(link, run_id=run_id, live=lambda: is_locked(lock))
        except BaseException:
            link.close()
            raise

    def _journal(
        self, path: Path, lock: FileLock, connection: sqlite3.Connection, session: Session
    ) -> SqlJournal:
        try:
            committer = Committer(
                SqliteLink(connection, path),
                session,
                clock=self._clock,
                let_go=lambda status: self._let_go(connection, path, lock, status),
            )
            self._list(path.stem)
        except BaseException:
            connection.close()
            raise
        return SqlJournal(
            session,
            committer=committer,
            open_reader=lambda: self.reader(path.stem),
            clock=self._clock,
        )

    def _let_go(
        self, connection: sqlite3.Connection, path: Path, lock: FileLock, status: str | None
    ) -> None:
        try:
            if status is not None:
                sqlite.settle_down(connection)
        except sqlite3.Error:
            pass  # the run is durable as it is: its log is read by whoever opens it next
        finally:
            connection.close()
            self._list(path.stem)
            lock.release()

    # all runs

    def runs(self, *, limit: int | None = None) -> Sequence[RunRecord]:
        return self._look()[0][:limit]

    def unreadable(self) -> Sequence[str]:
        return self._look()[1]

    def newest_unfinished(self, name: str) -> str | None:
        return choice.newest_unfinished(self.runs(), name, final=FINAL)

    def find(self, prefix: str) -> str:
        return choice.find(sorted(self._files()), prefix, where=self.location)

    def _look(self) -> tuple[list[RunRecord], list[str]]:
        """The runs, newest first, and the ids of those that cannot be read."""
        files = self._files()
        if not files:
            return [], []
        listed = self._listed()
        current: list[RunRecord] = []
        changed: list[Listed] = []
        unreadable: list[str] = []
        for run_id, stamp in files.items():
            known = listed.get(run_id)
            if known is not None and known.stamp == stamp and stamp:
                current.append(known.run)
                continue
            try:
                run = self._read_run(run_id)
            except (FanwiseError, OSError):
                unreadable.append(run_id)
                continue
            current.append(run)
            if stamp:
                changed.append(Listed(run, stamp))
        self._bring_up_to_date(changed, listed.keys() - files.keys())
        return choice.newest_first(current), sorted(unreadable)

    def _files(self) -> Mapping[str, int]:
        """Run ids and the modification times of their files; 0 for a run with a log or a lock."""
        found: dict[str, int] = {}
        unsettled: set[str] = set()
        try:
            with os.scandir(self._runs) as entries:
                for entry in entries:
                    name = Path(entry.name)
                    if name.suffix == ".db":
                        found[name.stem] = entry.stat().st_mtime_ns
                    elif name.suffix in (".lock", ".db-wal"):
                        unsettled.add(name.stem)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise JournalUnavailable(
                f"journals in {self._runs} cannot be listed: {error.strerror}",
                hint="--journal names the directory",
            ) from error
        return {run_id: 0 if run_id in unsettled else stamp for run_id, stamp in found.items()}

    def _read_run(self, run_id: str) -> RunRecord:
        reader = self.reader(run_id)
        try:
            return reader.run
        finally:
            reader.close()

    # the list

    def _listed(self) -> Mapping[str, Listed]:
        try:
            return self._catalog.all()
        except (sqlite3.Error, OSError, JournalError):
            return {}  # the files are the truth; without the list they are all read

    def _bring_up_to_date(self, changed: Sequence[Listed], gone: Collection[str]) -> None:
        try:
            if changed:
                self._catalog.put(changed)
            if gone:
                self._catalog.remove(gone)
        except (sqlite3.Error, OSError):
            return  # a list that cannot be written is only slower

    def _list(self, run_id: str) -> None:
        path = self._path(run_id)
        try:
            listed = Listed(self._read_run(run_id), path.stat().st_mtime_ns)
        except (FanwiseError, OSError):
            return  # whoever lists the runs reads the file itself
        self._bring_up_to_date([listed], ())

    # pruning

    def prune(
        self,
        *,
        older_than_s: float,
        keep: int = 0,
        statuses: Collection[RunStatus] = FINAL,
        dry_run: bool = False,
    ) -> Pruned:
        runs, unreadable = self._look()
        chosen = choice.prunable(
            runs,
            now_s=self._clock.wall(),
            older_than_s=older_than_s,
            keep=keep,
            statuses=statuses,
        )
        removed: list[str] = []
        freed = 0
        for run in chosen:
            size = self._prune(run.run_id, dry_run=dry_run)
            if size is not None:
                removed.append(run.run_id)
                freed += size
        if not dry_run:
            self._bring_up_to_date((), removed)
            self._remove_unborn()
        return Pruned(run_ids=removed, freed_bytes=freed, unreadable=unreadable)

    def remove(self, run_id: str) -> bool:
        removed = self._prune(self._existing(run_id).stem, dry_run=False) is not None
        if removed:
            self._bring_up_to_date((), [run_id])
        return removed

    def _prune(self, run_id: str, *, dry_run: bool) -> int | None:
        path = self._path(run_id)
        try:
            lock = self._lock(run_id, self._clock.wall())
        except Conflict:
            return None  # somebody has opened it since it was listed
        try:
            size = runfile.size_of(path)
            if not dry_run:
                runfile.remove(path)
        except OSError as error:
            raise JournalUnavailable(
                f"run {run_id} cannot be removed: {error.strerror}",
                hint=f"check the rights on {self._runs}",
            ) from error
        finally:
            lock.release()
        return size

    def _remove_unborn(self) -> None:
        """Files of runs whose process died before they had begun."""
        for path in self._runs.glob("*.db.new"):
            if not is_locked(self._lock_path(path.name.removesuffix(".db.new"))):
                path.unlink(missing_ok=True)

    def cache(self) -> Cache:
        return Cache(self._cache_link, clock=self._clock)

    def _cache_link(self) -> Link:
        self.prepare()
        path = self._directory / "cache.db"
        return cache_link(path)

    def store_engine(self) -> Engine:
        self.prepare()
        return storefile.engine(self._directory / "store.db")

    def judge_store(self, error: DBAPIError) -> JournalError | None:
        return storefile.judge(error, self._directory / "store.db")

    def close(self) -> None:
        """Nothing is held between uses."""

    # paths

    def prepare(self) -> None:
        """Makes the directory, closed to others and ignored by git, where it is missing.

        In a directory that holds other things already, only ``runs`` is closed and nothing is
        ignored.

        Raises:
            JournalUnavailable: It cannot be made, or lies on a network filesystem.
        """
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if all(path.name in _OWN for path in self._directory.iterdir()):
                ignore = self._directory / ".gitignore"
                if not ignore.exists():
                    ignore.write_text("*\n")
            self._runs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise JournalUnavailable(
                f"no journal can be kept in {self._directory}: {error.strerror}",
                hint="--journal (or FANWISE_JOURNAL) names a directory that can be written to",
            ) from error
        kind = network_filesystem(self._directory)
        if kind is not None:
            raise JournalUnavailable(
                f"{self._directory} lies on a network filesystem ({kind}), where SQLite's log and"
                " locks cannot be relied on",
                hint="--journal names a directory on a local disk, or a PostgreSQL database",
            )

    def _path(self, run_id: str) -> Path:
        if not _RUN_ID.fullmatch(run_id):
            raise ConfigError(
                f"{run_id!r} is no run id",
                hint="letters, digits, hyphens, dots and underscores, at most 121",
            )
        return self._runs / f"{run_id}.db"

    def _existing(self, run_id: str) -> Path:
        path = self._path(run_id)
        if not path.exists():
            raise ConfigError(
                f"no run {run_id!r} in {self.location}",
                hint="`fanwise list` shows the runs there are",
            )
        return path

    def _lock_path(self, run_id: str) -> Path:
        return self._runs / f"{run_id}.lock"

    def _lock(self, run_id: str, wall_s: float) -> FileLock:
        return FileLock(self._lock_path(run_id), what=f"run {run_id}", wall_s=wall_s)
