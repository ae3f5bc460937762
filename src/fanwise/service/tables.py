"""The service's own tables: what it has accepted, whom it knows, what was uploaded."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

work = Table(
    "service_work",
    metadata,
    Column("run_id", String(128), primary_key=True),
    Column("pipeline", String(64), nullable=False),
    Column("job", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("priority", String(16), nullable=False),  # interactive | background
    Column("caller", String(64), nullable=False),
    Column("idempotency_key", String(255)),
    Column("fingerprint", String(64), nullable=False),  # of the request that was accepted
    Column("state", String(16), nullable=False),  # accepted | running | finished | failed | …
    Column("result", Text),
    Column("error", Text),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    UniqueConstraint("caller", "idempotency_key", name="service_work_idempotency"),
    Index("service_work_by_state", "state"),
)
"""One row a run that was asked for over HTTP; it is durable before the request is answered."""

tokens = Table(
    "service_tokens",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
    Column("monthly_calls", Integer),
    Column("monthly_usd", Numeric(18, 6)),
)
"""API tokens. Only their SHA-256 is kept: a token has 256 random bits, so no salt is needed."""

usage = Table(
    "service_usage",
    metadata,
    Column("token", String(64), primary_key=True),
    Column("month", String(7), primary_key=True),  # UTC, as 2026-03
    Column("calls", BigInteger, nullable=False),
    Column("micro_usd", BigInteger, nullable=False),
)
"""What runs that have ended took of a token's month."""

reservations = Table(
    "service_reservations",
    metadata,
    Column("run_id", String(128), primary_key=True),
    Column("token", String(64), nullable=False),
    Column("month", String(7), nullable=False),
    Column("planned", Integer, nullable=False),  # 1: its bound came of a plan
    Column("calls", BigInteger, nullable=False),  # set aside now; 0 once it has ended
    Column("micro_usd", BigInteger, nullable=False),
    Column("bound_calls", BigInteger),
    Column("bound_micro_usd", BigInteger),
    Column("charged_calls", BigInteger, nullable=False),
    Column("charged_micro_usd", BigInteger, nullable=False),
    Index("service_reservations_by_month", "token", "month"),
)
"""What is set aside for a run of its token's month, and what it was charged at its ends."""

logins = Table(
    "service_logins",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("token", String(64), nullable=False),
    Column("expires_at", Float, nullable=False),
)
"""Browsers that have exchanged a one-use code or a token for a cookie."""

uploads = Table(
    "service_uploads",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("media_type", String(128), nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("caller", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
)

batches = Table(
    "service_batches",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("run_id", String(128), nullable=False, index=True),
    Column("input_file_id", String(64), nullable=False),
    Column("endpoint", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("total", Integer, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("errors", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    *(
        Column(name, Float)
        for name in (
            "in_progress_at",
            "finalizing_at",
            "completed_at",
            "failed_at",
            "expired_at",
            "cancelling_at",
            "cancelled_at",
        )
    ),
    Column("output_file_id", String(64)),
    Column("error_file_id", String(64)),
)
"""Batches in OpenAI's sense, each with its run."""

config = Table(
    "service_config",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),  # JSON
)
"""What clients have set for everybody: the mode of grading and how much of it at once."""

callbacks = Table(
    "service_callbacks",
    metadata,
    Column("run_id", String(128), primary_key=True),
    Column("url", Text, nullable=False),
    Column("state", String(16), nullable=False, index=True),  # waiting | due | sent | failed
    Column("body", Text),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Float, nullable=False),
)
"""Whom to tell of the end of a run."""

audit = Table(
    "service_audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("caller", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("detail", Text, nullable=False),
)
"""Who changed what, when: every control, limit, token and deletion."""
