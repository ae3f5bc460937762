"""The pipeline's tables and what is done with them.

Every function takes a connection inside a transaction of :class:`fanwise.Store`; all of them may be
repeated after a crash without doing anything twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Index,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

metadata = MetaData()

notes_sources = Table(
    "notes_sources",
    metadata,
    Column("key", String(64), primary_key=True),  # video, language and mode
    Column("source", Text, nullable=False),
    Column("fetched_at", Float, nullable=False),
)

template_jobs = Table(
    "template_jobs",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("user", String(200), nullable=False),
    Column("video", String(64), nullable=False),
    Column("template", String(40), nullable=False),
    Column("verbosity", String(16), nullable=False),
    Column("strategy", String(16), nullable=False),
    Column("version", String(200), nullable=False),
    Column("status", String(16), nullable=False),  # pending | processing | complete | error
    Column("progress", Float, nullable=False),
    Column("started_at", Float),
    Column("completed_at", Float),
    Column("result", Text),
    Column("error", Text),
    Column("run_id", String(128), nullable=False),
)
Index("template_jobs_by_video", template_jobs.c.video)

notes_units = Table(
    "notes_units",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("user", String(200), nullable=False),
    Column("month", String(7), nullable=False),
    Column("state", String(16), nullable=False),  # reserved | settled
    Column("at", Float, nullable=False),
)
Index("notes_units_by_user", notes_units.c.user, notes_units.c.month)


def known_source(connection: Connection, key: str) -> Mapping[str, Any] | None:
    """What was fetched of a video earlier."""
    table = notes_sources
    row = connection.execute(select(table.c.source).where(table.c.key == key)).first()
    return None if row is None else json.loads(row.source)


def keep_source(connection: Connection, key: str, source: Mapping[str, Any], *, at: float) -> None:
    """Keeps what was fetched of a video; what is there stays."""
    if known_source(connection, key) is None:
        row = {"key": key, "source": json.dumps(source), "fetched_at": at}
        connection.execute(insert(notes_sources).values(**row))


def jobs(connection: Connection, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The rows of some template jobs by key."""
    found = select(template_jobs).where(template_jobs.c.key.in_(list(keys)))
    return {row["key"]: dict(row) for row in connection.execute(found).mappings()}


def begin(connection: Connection, row: Mapping[str, Any]) -> None:
    """Makes a template job's row anew, as pending; a note that it holds stays until there is
    another one.
    """
    table = template_jobs
    known = jobs(connection, [row["key"]]).get(row["key"])
    kept = {} if known is None else {name: known[name] for name in ("result", "completed_at")}
    connection.execute(delete(table).where(table.c.key == row["key"]))
    fresh: dict[str, Any] = {"status": "pending", "progress": 0.0, **kept, **row}
    connection.execute(insert(table).values(**fresh))


def fail(connection: Connection, key: str, *, error: str, at: float) -> bool:
    """Notes that a template job has failed; returns whether it has a note of an earlier run, which
    stays its result.
    """
    kept = jobs(connection, [key])[key]["result"] is not None
    if kept:
        change(connection, key, status="complete", progress=100.0, error=error)
    else:
        change(connection, key, status="error", error=error, completed_at=at)
    return kept


def change(connection: Connection, key: str, **values: Any) -> None:
    """Notes how a template job goes."""
    table = template_jobs
    connection.execute(update(table).where(table.c.key == key).values(**values))
