"""Brings older tables up to date, by Alembic. Loaded only where there are some."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, MetaData, StaticPool, create_engine
from sqlalchemy.exc import DBAPIError

from fanwise.errors import SchemaMismatch
from fanwise.journal import schema

_ENVIRONMENT = Path(__file__).parent / "migrations"
JOURNAL = _ENVIRONMENT / "versions"


def upgrade(
    connection: Connection,
    *,
    migrations: Path,
    metadata: MetaData,
    version_table: str,
) -> None:
    """Runs the migrations that a database has not seen yet, in the caller's transaction.

    Args:
        connection: Where to; a transaction is open on it.
        migrations: The directory of the version files.
        metadata: The tables as they are to be.
        version_table: Where Alembic keeps the version.
    """
    config = Config()
    config.set_main_option("script_location", _escaped(_ENVIRONMENT))
    config.set_main_option("version_locations", _escaped(migrations))
    config.set_main_option("path_separator", "newline")
    config.attributes |= {
        "connection": connection,
        "metadata": metadata,
        "version_table": version_table,
    }
    command.upgrade(config, "head")


def upgrade_file(connection: sqlite3.Connection) -> None:
    """Upgrades a run's open file: all of it or nothing."""
    _transact("sqlite://", connection, "BEGIN IMMEDIATE")


def upgrade_server(connection: Any, *, lock: str) -> None:
    """Upgrades a server's tables over a psycopg connection: all of it or nothing.

    Args:
        connection: In autocommit mode, no transaction open.
        lock: The statement that makes a second process wait until the first has done it.
    """
    _transact("postgresql+psycopg://", connection, "BEGIN", lock)


def _transact(url: str, connection: Any, *begin: str) -> None:
    engine = create_engine(
        url, creator=lambda: connection, poolclass=StaticPool, pool_reset_on_return=None
    )
    # SQLAlchemy rolls back what is open when it meets a connection: the transaction comes after.
    try:
        with engine.connect() as core, core.begin():
            for statement in begin:
                core.exec_driver_sql(statement)
            upgrade(
                core,
                migrations=JOURNAL,
                metadata=schema.metadata,
                version_table="alembic_version",
            )
    except DBAPIError as error:
        raise SchemaMismatch(
            f"an older journal could not be brought up to date: {error.orig}",
            hint="nothing was changed; the version that wrote it can still read it",
        ) from error


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
