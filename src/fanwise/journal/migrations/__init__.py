"""Alembic's environment for the journal; run by :mod:`fanwise.journal.upgrade`."""
