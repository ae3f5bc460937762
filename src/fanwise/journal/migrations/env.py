"""Hands the caller's connection and transaction to Alembic: for the journal and for the stores."""

from __future__ import annotations

from alembic import context

given = context.config.attributes
context.configure(
    connection=given["connection"],
    target_metadata=given["metadata"],
    version_table=given["version_table"],
    transactional_ddl=False,  # the transaction is the caller's
    render_as_batch=True,  # SQLite alters a table by copying it
)
context.run_migrations()
