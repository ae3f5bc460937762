"""The pipeline's tables. A base is never written over: a draft that is promoted becomes a new one.

Every function takes a connection inside a transaction of :class:`fanwise.Store`, and may be
repeated after a crash without doing anything twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)

metadata = MetaData()

bases = Table(
    "tailoring_bases",
    metadata,
    Column("base", String(32), primary_key=True),  # a hash of the resume
    Column("name", Text, nullable=False),
    Column("resume", JSON, nullable=False),
    Column("parent", String(32)),  # the base that a promoted draft was made of
    Column("created_at", Float, nullable=False),
)
drafts = Table(
    "tailoring_drafts",
    metadata,
    Column("draft", String(32), primary_key=True),
    Column("base", String(32), nullable=False),
    Column("name", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("posting", Text, nullable=False),
    Column("settings", JSON, nullable=False),
    Column("model", String(128), nullable=False),
    Column("run_id", String(128), nullable=False),
    Column("changes", JSON, nullable=False),
    Column("scores", JSON, nullable=False),
    Column("status", String(16), nullable=False),  # draft | promoted
    Column("promoted_to", String(32)),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)
Index("tailoring_drafts_by_time", drafts.c.created_at)
history = Table(
    "tailoring_history",
    metadata,
    Column("draft", String(32), primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("changes", JSON, nullable=False),  # as they were before the step
    Column("at", Float, nullable=False),
)
analyses = Table(
    "tailoring_analyses",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("analysis", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
)
requests = Table(
    "tailoring_requests",
    metadata,
    Column("request", String(192), primary_key=True),
    Column("run_id", String(128), nullable=False),
    Column("resume", Text, nullable=False),
    Column("model", String(128), nullable=False),
    Column("settings", JSON, nullable=False),
    Column("at", Float, nullable=False),
)
metrics = Table(
    "tailoring_metrics",
    metadata,
    Column("request", String(192), primary_key=True),
    Column("performance", JSON, nullable=False),
    Column("score_before", Float, nullable=False),
    Column("score_after", Float),
    Column("changes", Integer, nullable=False),
)
embeddings = Table(
    "tailoring_embeddings",
    metadata,
    Column("base", String(32), primary_key=True),
    Column("model", String(128), primary_key=True),
    Column("vector", JSON, nullable=False),
)


def keep(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Adds a row unless one with its primary key is there."""
    key = [column == row[column.name] for column in table.primary_key.columns]
    if connection.execute(select(table).where(*key)).first() is None:
        connection.execute(insert(table), dict(row))


def replace_row(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Adds a row, or puts it in the place of the one with its primary key."""
    key = [column == row[column.name] for column in table.primary_key.columns]
    if connection.execute(select(table).where(*key)).first() is None:
        connection.execute(insert(table), dict(row))
    else:
        connection.execute(update(table).where(*key), dict(row))


def keep_draft(connection: Connection, base: Mapping[str, Any], draft: Mapping[str, Any]) -> None:
    """Keeps a draft and the base that it speaks of. One that is there is left as it is: somebody
    may have decided on its changes since.
    """
    keep(connection, bases, base)
    keep(connection, drafts, draft)


def find_draft(connection: Connection, draft: str) -> dict[str, Any] | None:
    """A draft by its id or the beginning of it, where only one begins so."""
    found = connection.execute(
        select(drafts, bases.c.resume)
        .join(bases, bases.c.base == drafts.c.base)
        .where(drafts.c.draft.startswith(draft, autoescape=True))
        .limit(2)
    ).mappings()
    rows = [dict(row) for row in found]
    return rows[0] if len(rows) == 1 else None


def list_drafts(connection: Connection, *, limit: int) -> list[dict[str, Any]]:
    """The newest drafts, the newest first."""
    found = connection.execute(select(drafts).order_by(drafts.c.created_at.desc()).limit(limit))
    return [dict(row) for row in found.mappings()]


def decide(
    connection: Connection, draft: str, changes: Sequence[Mapping[str, Any]], *, at: float
) -> None:
    """Writes new decisions, and what there was before into the history."""
    row = connection.execute(select(drafts.c.changes).where(drafts.c.draft == draft)).scalar_one()
    steps = connection.execute(
        select(history.c.step).where(history.c.draft == draft).order_by(history.c.step.desc())
    ).scalars()
    step = (steps.first() or 0) + 1
    connection.execute(insert(history), {"draft": draft, "step": step, "changes": row, "at": at})
    connection.execute(
        update(drafts).where(drafts.c.draft == draft), {"changes": list(changes), "updated_at": at}
    )


def undo(connection: Connection, draft: str, *, at: float) -> bool:
    """Takes the last decision back; ``False`` where there is none."""
    last = connection.execute(
        select(history).where(history.c.draft == draft).order_by(history.c.step.desc()).limit(1)
    ).mappings()
    row = last.first()
    if row is None:
        return False
    connection.execute(
        update(drafts).where(drafts.c.draft == draft).values(changes=row["changes"], updated_at=at)
    )
    connection.execute(
        history.delete().where(history.c.draft == draft, history.c.step == row["step"])
    )
    return True


def promote(connection: Connection, draft: str, base: Mapping[str, Any], *, at: float) -> None:
    """Makes a draft a base of its own; the one it was made of stays."""
    keep(connection, bases, base)
    connection.execute(
        update(drafts)
        .where(drafts.c.draft == draft)
        .values(status="promoted", promoted_to=base["base"], updated_at=at)
    )
