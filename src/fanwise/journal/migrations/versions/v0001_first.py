"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ROWID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes all tables."""
    op.create_table(
        "runs",
        sa.Column("id", _ROWID, primary_key=True, autoincrement=False),
        sa.Column("run_id", sa.String(128), nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("updated_at", sa.Float(53), nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("counters", sa.Text, nullable=False),
        sa.Column("open_from", _ROWID, nullable=False),
        sa.Column("indexed_items", _ROWID, nullable=False),
        sa.Column("indexed_requests", _ROWID, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("id", _ROWID, primary_key=True, autoincrement=False),
        sa.Column("started_at", sa.Float(53), nullable=False),
        sa.Column("ended_at", sa.Float(53), nullable=False),
        sa.Column("closed", sa.Integer, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
    )
    op.create_table(
        "items",
        sa.Column("id", _ROWID, primary_key=True, autoincrement=False),
        sa.Column("run", _ROWID, nullable=False),
        sa.Column("item_id", sa.Text, nullable=False),
    )
    op.create_table(
        "item_names",
        sa.Column("item_id", sa.Text, primary_key=True),
        sa.Column("run", _ROWID, primary_key=True, autoincrement=False),
        sa.Column("item", _ROWID, nullable=False),
        sqlite_with_rowid=False,
    )
    _calls()
    _events()


def _calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", _ROWID, primary_key=True, autoincrement=False),
        sa.Column("item", _ROWID, nullable=False),
        sa.Column("content_key", sa.LargeBinary, nullable=False),
        sa.Column("sample", sa.Integer, nullable=False),
        sa.Column("resends", sa.Integer, nullable=False),
        sa.Column("intent", sa.Text, nullable=False),
    )
    op.create_index("calls_by_item", "calls", ["item", "content_key", "sample"], unique=True)
    op.create_table(
        "outcomes",
        sa.Column("id", _ROWID, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_table(
        "requests",
        sa.Column("id", _ROWID, primary_key=True, autoincrement=False),
        sa.Column("run", _ROWID, nullable=False),
        sa.Column("content_key", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "request_keys",
        sa.Column("content_key", sa.LargeBinary, primary_key=True),
        sa.Column("run", _ROWID, primary_key=True, autoincrement=False),
        sa.Column("request", _ROWID, nullable=False),
        sqlite_with_rowid=False,
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", _ROWID, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("item", _ROWID),
        sa.Column("position", _ROWID),
        sa.Column("current", sa.Integer, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_index(
        "events_by_item",
        "events",
        ["item"],
        sqlite_where=sa.text("item IS NOT NULL"),
        postgresql_where=sa.text("item IS NOT NULL"),
    )
