"""Makes the tables where they are missing, and says whether they are of this version."""

from __future__ import annotations

from sqlalchemy import Dialect, MetaData
from sqlalchemy.schema import CreateIndex, CreateTable

from fanwise.errors import SchemaMismatch
from fanwise.journal.schema import VERSION, VERSIONS


def creation(metadata: MetaData, dialect: Dialect, *, version: str | None) -> list[str]:
    """The statements that make all tables, and record their version as Alembic does.

    Alembic itself is not loaded for it: a new run opens in milliseconds.
    """
    statements: list[str] = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        statements.extend(
            str(CreateIndex(index).compile(dialect=dialect))
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        )
    if version is not None:
        statements.append(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
            " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
        statements.append(f"INSERT INTO alembic_version (version_num) VALUES ('{version}')")  # noqa: S608
    return statements


def must_upgrade(found: str, *, where: str) -> bool:
    """Whether a journal of that version has to be brought up to date before it is used.

    Raises:
        SchemaMismatch: It is newer than this program.
    """
    if found == VERSION:
        return False
    if found in VERSIONS:
        return True
    raise SchemaMismatch(
        f"{where} has version {found}, this program knows up to {VERSION}",
        hint="a newer Fanwise wrote it: upgrade with `pip install -U fanwise`",
    )
