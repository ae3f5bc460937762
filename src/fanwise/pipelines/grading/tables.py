"""The pipeline's tables and what is read from them.

Every function takes a connection inside a transaction of :class:`fanwise.Store`; those that write
may be repeated after a crash without doing anything twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    case,
    func,
    insert,
    select,
)

from fanwise.pipelines.grading.records import Question

metadata = MetaData()

topics = Table(
    "grading_topics",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
)

cards = Table(
    "grading_cards",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("topic", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("place", Integer, nullable=False),  # in its file
    Column("imported_at", Float, nullable=False),
)

questions = Table(
    "grading_questions",
    metadata,
    Column("card", String(64), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("kind", String(24), nullable=False),
    Column("text", Text, nullable=False),
    Column("expected", Text, nullable=False),
    Column("options", Text, nullable=False),  # JSON
    Column("rubric", Text, nullable=False),
    Column("tolerance", String(32), nullable=False),
)

schedule = Table(
    "grading_schedule",
    metadata,
    Column("card", String(64), primary_key=True),
    Column("state", Text, nullable=False),  # the scheduler's own, JSON
    Column("due", Float, nullable=False),
    Column("reviews", Integer, nullable=False),
    Column("updated_at", Float, nullable=False),
)

sessions = Table(
    "grading_sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("topic", String(64)),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
)

session_cards = Table(
    "grading_session_cards",
    metadata,
    Column("session", String(64), primary_key=True),
    Column("card", String(64), primary_key=True),
    Column("place", Integer, nullable=False),
    # Set once: a session moves a card's schedule at most once.
    Column("rating", Integer),
    Column("rated_at", Float),
)

reviews = Table(
    "grading_reviews",
    metadata,
    Column("session", String(64), primary_key=True),
    Column("card", String(64), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("answer_key", String(64), primary_key=True),
    Column("answer", Text, nullable=False),
    Column("grade", Text),  # JSON; none while the answer is ungraded
    Column("is_correct", Boolean),
    Column("score", Float),
    Column("rating", Integer),
    Column("duration_ms", Float),
    Column("submitted_at", Float, nullable=False),
)

remembered = Table(
    "grading_remembered",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("grade", Text, nullable=False),
    Column("at", Float, nullable=False),
)


def recall(connection: Connection, keys: Sequence[str]) -> dict[str, str]:
    """The remembered grades under these keys, as JSON texts."""
    found: dict[str, str] = {}
    for start in range(0, len(keys), 500):
        some = keys[start : start + 500]
        rows = connection.execute(
            select(remembered.c.key, remembered.c.grade).where(remembered.c.key.in_(some))
        )
        found |= {row.key: row.grade for row in rows}
    return found


def remember(connection: Connection, grades: Mapping[str, str], *, at: float) -> None:
    """Keeps grades; the first one under a key stays."""
    known = recall(connection, list(grades))
    rows = [
        {"key": key, "grade": grade, "at": at} for key, grade in grades.items() if key not in known
    ]
    if rows:
        connection.execute(insert(remembered), rows)


def question_of(row: Any) -> Question:
    """A row of the questions as a question."""
    return Question(
        text=row.text,
        kind=row.kind,
        expected=row.expected,
        options=tuple(json.loads(row.options)),
        rubric=row.rubric,
        tolerance=row.tolerance,
    )


def success_rates(connection: Connection, card: str) -> dict[int, float]:
    """Of the graded answers to each question of a card, over all sessions, the share that was
    right.
    """
    right = func.avg(case((reviews.c.is_correct, 1.0), else_=0.0))
    rows = connection.execute(
        select(reviews.c.place, right.label("share"))
        .where(reviews.c.card == card, reviews.c.is_correct.is_not(None))
        .group_by(reviews.c.place)
    )
    return {row.place: float(row.share) for row in rows}
