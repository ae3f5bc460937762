"""Hands the caller's connection and transaction to Alembic."""

from __future__ import annotations

from alembic import context

from fanwise.journal.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the transaction is the caller's
)
context.run_migrations()
