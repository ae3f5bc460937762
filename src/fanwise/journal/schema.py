"""The journal's tables: one definition for SQLite (a file a run) and PostgreSQL (all runs).

Three rules shape them, each measured (docs/journal.md):

* A row is written once. What a call is (``calls``) and how it ended (``outcomes``) are two rows,
  so that nothing grows in place; an item's end is a row of the event log.
* Keys are integers in order of time, a range of :data:`SPAN` for each run: rows are appended, and
  one key finds them on both databases. An item's id and a request's hash come in an order nobody
  knows: each would dirty a page of its index by itself. They are entered into ``item_names`` and
  ``request_keys`` some thousands at a time; the writer keeps the rest in memory, a reader looks
  through the rows behind ``indexed_items`` and ``indexed_requests``.
* What is searched, joined or counted is a column; everything else of a record is one JSON
  document, written and read in one go.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

VERSIONS = ("0001",)  # oldest first; each but the first has its migration
VERSION = VERSIONS[-1]
APPLICATION_ID = 0x46414E57  # "FANW": how `file` and we tell a journal from another database
SPAN = 1 << 40
# SQLite takes a key for its row number, the only key without an index of its own, only when
# its type reads INTEGER.
ROWID = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    # 0 in a file of its own; on a server 1, 2, … and each run's keys begin at id * SPAN.
    Column("id", ROWID, primary_key=True, autoincrement=False),
    Column("run_id", String(128), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("counters", Text, nullable=False),
    # Below it no call is open: a crash is cleared up without reading the whole run.
    Column("open_from", ROWID, nullable=False),
    Column("indexed_items", ROWID, nullable=False),
    Column("indexed_requests", ROWID, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", ROWID, primary_key=True, autoincrement=False),
    Column("started_at", Float(53), nullable=False),
    Column("ended_at", Float(53), nullable=False),
    Column("closed", Integer, nullable=False),
    Column("account", Text, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("id", ROWID, primary_key=True, autoincrement=False),
    Column("run", ROWID, nullable=False),
    Column("item_id", Text, nullable=False),
)

item_names = Table(
    "item_names",
    metadata,
    Column("item_id", Text, primary_key=True),
    Column("run", ROWID, primary_key=True, autoincrement=False),
    Column("item", ROWID, nullable=False),
    sqlite_with_rowid=False,
)

calls = Table(
    "calls",
    metadata,
    Column("id", ROWID, primary_key=True, autoincrement=False),
    Column("item", ROWID, nullable=False),
    Column("content_key", LargeBinary, nullable=False),
    Column("sample", Integer, nullable=False),
    Column("resends", Integer, nullable=False),
    Column("intent", Text, nullable=False),
    Index("calls_by_item", "item", "content_key", "sample", unique=True),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("id", ROWID, primary_key=True, autoincrement=False),  # that of the call
    Column("state", String(16), nullable=False),
    Column("record", Text, nullable=False),
)

requests = Table(
    "requests",
    metadata,
    Column("id", ROWID, primary_key=True, autoincrement=False),
    Column("run", ROWID, nullable=False),
    Column("content_key", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

request_keys = Table(
    "request_keys",
    metadata,
    Column("content_key", LargeBinary, primary_key=True),
    Column("run", ROWID, primary_key=True, autoincrement=False),
    Column("request", ROWID, nullable=False),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    Column("id", ROWID, primary_key=True, autoincrement=False),  # SPAN * run + number
    Column("kind", Text, nullable=False),
    Column("at", Float(53), nullable=False),
    Column("item", ROWID),
    Column("position", ROWID),
    # 0 for an item's end that a later one has replaced.
    Column("current", Integer, nullable=False),
    Column("record", Text, nullable=False),
    Index(
        "events_by_item",
        "item",
        sqlite_where=text("item IS NOT NULL"),
        postgresql_where=text("item IS NOT NULL"),
    ),
)

# The cross-run cache: tables of its own, in a file of their own; losing them does no harm. Their
# name carries their version, an older cache is simply not found.
cache_metadata = MetaData()

cache = Table(
    "cache_1",
    cache_metadata,
    # A rowid of SQLite's own keeps the rows in order of time; this key is an index beside.
    Column("content_key", LargeBinary, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("sample", Integer, primary_key=True),
    Column("written_at", Float(53), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
)
