"""What a database's tables look like, as data that can be compared."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, inspect


def described(engine: Engine, *, schema: str | None = None) -> dict[str, Any]:
    """Columns, keys and indexes of every table."""
    found = inspect(engine)
    return {
        name: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(name, schema)],
            found.get_pk_constraint(name, schema),
            sorted(_index(index) for index in found.get_indexes(name, schema)),
            sorted(str(unique) for unique in found.get_unique_constraints(name, schema)),
        )
        for name in sorted(found.get_table_names(schema))
    }


def _index(index: Any) -> tuple[str, ...]:
    options = index.get("dialect_options", {})
    where = [f"{name}: {value}" for name, value in sorted(options.items())]
    return (str(index["name"]), *map(str, index["column_names"]), str(index["unique"]), *where)
