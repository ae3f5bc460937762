"""The list of a directory's runs. The run files are the truth; the list can be rebuilt."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from sqlalchemy import BigInteger, Column, Float, MetaData, String, Table, Text

from fanwise.journal import codec
from fanwise.journal.layout import creation
from fanwise.journal.schema import APPLICATION_ID
from fanwise.journal.sqlite import DIALECT, make_private
from fanwise.records import RunRecord, RunSpec

T = TypeVar("T")

_LAYOUT = 1
_BUSY_S = 5.0

_metadata = MetaData()
_runs = Table(
    "runs",
    _metadata,
    Column("run_id", String(128), primary_key=True),
    Column("name", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
    Column("stamp", BigInteger, nullable=False),
)


class Listed(NamedTuple):
    """A run as the list has it.

    ``stamp`` is the modification time of the run's file when it was read, in nanoseconds: while
    the file has another, the list is behind.
    """

    run: RunRecord
    stamp: int


class Catalog:
    """``catalog.db``: opened for each use, in short transactions, so that many processes share it.

    A damaged or foreign file is replaced by an empty one: whoever reads fills it again.

    Args:
        path: The file; made at the first write.
    """

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> Mapping[str, Listed]:
        """Every run that is listed."""
        return self._use(_select)

    def put(self, listed: Collection[Listed]) -> None:
        """Lists runs, or brings them up to date."""
        rows = [
            (
                run.run_id,
                run.spec.name,
                run.spec.command,
                codec.dump(dict(run.spec.options)),
                run.status,
                run.created_at,
                run.updated_at,
                stamp,
            )
            for run, stamp in listed
        ]
        self._use(
            lambda connection: connection.executemany(
                "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
        )

    def remove(self, run_ids: Collection[str]) -> None:
        """Takes runs off the list."""
        self._use(
            lambda connection: connection.executemany(
                "DELETE FROM runs WHERE run_id = ?", [(run_id,) for run_id in run_ids]
            )
        )

    def _use(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return self._attempt(work)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
        self._path.unlink(missing_ok=True)
        Path(f"{self._path}-journal").unlink(missing_ok=True)
        return self._attempt(work)

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T:
        make_private(self._path)
        connection = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = OFF")  # the files are the truth
            connection.execute("BEGIN IMMEDIATE")
            _make(connection)
            result = work(connection)
            connection.execute("COMMIT")
            return result
        finally:
            connection.close()


def _make(connection: sqlite3.Connection) -> None:
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if (layout, application) == (_LAYOUT, APPLICATION_ID):
        return
    if layout or application:
        raise sqlite3.DatabaseError("not a catalogue of this version")
    for statement in creation(_metadata, DIALECT, version=None):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {_LAYOUT}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _select(connection: sqlite3.Connection) -> Mapping[str, Listed]:
    found: dict[str, Listed] = {}
    for row in connection.execute("SELECT * FROM runs"):
        run = RunRecord(
            run_id=row[0],
            spec=RunSpec(name=row[1], command=row[2], options=codec.load(row[3])),
            status=row[4],
            created_at=row[5],
            updated_at=row[6],
        )
        found[run.run_id] = Listed(run, row[7])
    return found
