"""Brings an older journal up to date, by Alembic. Loaded only when there is one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, StaticPool, create_engine

_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection, *, target: str = "head") -> None:
    """Runs the migrations that a database has not seen yet, in the caller's transaction."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, target)


def upgrade_file(connection: sqlite3.Connection) -> None:
    """As :func:`upgrade`, for a run's open file; all of it or nothing."""
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    with engine.connect() as core:
        core.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            upgrade(core)
        except BaseException:
            core.exec_driver_sql("ROLLBACK")
            raise
        core.exec_driver_sql("COMMIT")
