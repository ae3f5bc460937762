"""Makes a store's tables where they are missing and brings older ones up to date."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, inspect, select

from fanwise.errors import ConfigError, SchemaMismatch

_UNVERSIONED = "unversioned"
_REVISION = re.compile(r"^(revision|down_revision)(?:\s*:[^=]+)?\s*=\s*(.+?)\s*$", re.MULTILINE)


def ensure(engine: Engine, *, name: str, metadata: MetaData, migrations: Path | None) -> None:
    """Brings a store's tables to their newest version, in one transaction.

    Two processes may do it at the same moment: the second waits and finds it done. Alembic is
    loaded only where tables are older. Tables made before there were migrations count as those
    of the first one.

    Raises:
        SchemaMismatch: The tables are of a version that the migrations do not know.
        ConfigError: The migrations have no single newest version.
    """
    history: Mapping[str, str | None] = {}
    if migrations is not None:
        history = revisions(migrations)
    head = head_of(history, where=str(migrations)) if history else _UNVERSIONED
    versions = Table(
        f"alembic_version_{name}",
        MetaData(),
        Column("version_num", String(32), primary_key=True),
    )
    with engine.connect() as connection:
        if _version(connection, versions) == head and history:
            return
    with engine.execution_options(fanwise_write=name).begin() as connection:
        found = _version(connection, versions)
        if found is None or (found == head and not history):
            metadata.create_all(connection)
            if found is None:
                versions.create(connection)
                connection.execute(versions.insert().values(version_num=head))
        elif found != head:
            if found == _UNVERSIONED and history:
                root = next(revision for revision, down in history.items() if down is None)
                connection.execute(versions.update().values(version_num=root))
            elif found not in history:
                raise SchemaMismatch(
                    f"the tables of {name} have version {found}, which this program does not know",
                    hint="a newer version made them: upgrade with `pip install -U fanwise`",
                )
            assert migrations is not None
            from fanwise.journal.upgrade import upgrade

            upgrade(
                connection, migrations=migrations, metadata=metadata, version_table=versions.name
            )


def revisions(migrations: Path) -> Mapping[str, str | None]:
    """Every revision of a directory of Alembic version files, and the one before it."""
    found: dict[str, str | None] = {}
    for path in sorted(migrations.glob("*.py")):
        given = dict(_REVISION.findall(path.read_text(encoding="utf-8")))
        if "revision" in given:
            before = given.get("down_revision", "None")
            found[given["revision"].strip("\"'")] = (
                None if before == "None" else before.strip("\"'")
            )
    return found


def head_of(history: Mapping[str, str | None], *, where: str) -> str:
    """The revision that no other one comes after.

    Raises:
        ConfigError: There are several, or none.
    """
    heads = history.keys() - set(history.values())
    if len(heads) != 1:
        raise ConfigError(
            f"the migrations in {where} have {len(heads)} newest versions: {sorted(heads)}",
            hint="each must name another one before it, but for the first",
        )
    return heads.pop()


def _version(connection: Connection, versions: Table) -> str | None:
    if not inspect(connection).has_table(versions.name):
        return None
    return connection.execute(select(versions.c.version_num)).scalar_one_or_none()
