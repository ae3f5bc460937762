"""Review sessions: which cards are due, what was answered, and what that does to the schedule."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update

import fanwise as fw
from fanwise.pipelines.grading.normal import answer_key
from fanwise.pipelines.grading.records import Grade, Question, Task
from fanwise.pipelines.grading.schedule import card_rating, first_ratings, reviewed
from fanwise.pipelines.grading.tables import (
    cards,
    question_of,
    questions,
    reviews,
    schedule,
    session_cards,
    sessions,
    success_rates,
)


class NotFound(fw.errors.UsageError):
    """A session or a card that is not there; nothing was spent."""

    code = "not_found"


async def due_cards(
    store: fw.Store, *, now: float, topic: str | None = None, limit: int = 20
) -> list[dict[str, Any]]:
    """The cards to review: those that are due, the longest overdue first, then new ones.

    Args:
        store: As ``open_store`` gives it.
        now: The time, in epoch seconds.
        topic: Only cards of this topic.
        limit: Most cards.

    Returns:
        For each one ``id``, ``title``, ``topic``, ``due`` (epoch seconds, ``None`` if new) and how
        many ``questions`` it has.
    """
    return await store.read(lambda connection: _due(connection, now, topic, limit))


def _due(connection: Connection, now: float, topic: str | None, limit: int) -> list[dict[str, Any]]:
    counted = (
        select(questions.c.card, func.count().label("questions"))
        .group_by(questions.c.card)
        .subquery()
    )
    wanted = (
        select(cards.c.id, cards.c.title, cards.c.topic, schedule.c.due, counted.c.questions)
        .join(counted, counted.c.card == cards.c.id)
        .outerjoin(schedule, schedule.c.card == cards.c.id)
        .where(or_(schedule.c.due.is_(None), schedule.c.due <= now))
        .order_by(schedule.c.due.is_(None), schedule.c.due, cards.c.imported_at, cards.c.place)
        .limit(limit)
    )
    if topic is not None:
        wanted = wanted.where(cards.c.topic == topic)
    return [dict(row) for row in connection.execute(wanted).mappings()]


async def start_session(
    store: fw.Store,
    session_id: str,
    *,
    now: float,
    topic: str | None = None,
    card_ids: Sequence[str] | None = None,
    limit: int = 20,
) -> list[str]:
    """Begins a session, or finds one that was begun under this id: it survives a restart.

    Args:
        store: As ``open_store`` gives it.
        session_id: Its id, 1 to 64 characters.
        now: The time, in epoch seconds.
        topic: Only cards of this topic.
        card_ids: These cards, due or not; by default those that :func:`due_cards` gives.
        limit: Most cards.

    Returns:
        The ids of its cards, in order.

    Raises:
        NotFound: A card that was named is not there.
        InvalidFields: The id is impossible.
    """
    if not 1 <= len(session_id) <= 64:
        raise fw.errors.InvalidFields("session", {"session_id": "has 1 to 64 characters"})

    def begin(connection: Connection) -> list[str]:
        where = sessions.c.id == session_id
        if connection.execute(select(sessions.c.id).where(where)).first() is not None:
            return _cards_of(connection, session_id)
        chosen = card_ids
        if chosen is None:
            chosen = [row["id"] for row in _due(connection, now, topic, limit)]
        for card in chosen:
            _card_exists(connection, card)
        connection.execute(insert(sessions).values(id=session_id, topic=topic, started_at=now))
        for place, card in enumerate(dict.fromkeys(chosen)):
            connection.execute(
                insert(session_cards).values(session=session_id, card=card, place=place)
            )
        return _cards_of(connection, session_id)

    return await store.write(begin)


async def session_state(store: fw.Store, session_id: str) -> dict[str, Any]:
    """A session with its cards, their questions (without what is expected), and the grades so far.

    Raises:
        NotFound: There is no such session.
    """
    return await store.read(lambda connection: _state(connection, session_id))


def _state(connection: Connection, session_id: str) -> dict[str, Any]:
    session = connection.execute(select(sessions).where(sessions.c.id == session_id)).first()
    if session is None:
        raise NotFound(f"there is no session {session_id!r}", hint="start one first")
    found: list[dict[str, Any]] = []
    for card in _cards_of(connection, session_id):
        asked = _questions_of(connection, card)
        graded = {
            row.place: json.loads(row.grade)
            for row in _reviews_of(connection, session_id, card)
            if row.grade is not None
        }
        found.append(
            {
                "card_id": card,
                "questions": [
                    {
                        "question_index": place,
                        "kind": question.kind,
                        "question": question.text,
                        "options": list(question.options),
                        "grade": graded.get(place),
                    }
                    for place, question in enumerate(asked)
                ],
            }
        )
    return {"session_id": session_id, "started_at": session.started_at, "cards": found}


def _cards_of(connection: Connection, session_id: str) -> list[str]:
    table = session_cards.c
    return list(
        connection.scalars(
            select(table.card).where(table.session == session_id).order_by(table.place)
        )
    )


def _card_exists(connection: Connection, card: str) -> None:
    if connection.execute(select(cards.c.id).where(cards.c.id == card)).first() is None:
        raise NotFound(f"there is no card {card!r}", hint="import it first")


def _questions_of(connection: Connection, card: str) -> list[Question]:
    table = questions.c
    rows = connection.execute(select(questions).where(table.card == card).order_by(table.place))
    return [question_of(row) for row in rows]


def _reviews_of(connection: Connection, session_id: str, card: str) -> list[Any]:
    table = reviews.c
    where = (table.session == session_id, table.card == card)
    return list(connection.execute(select(reviews).where(*where).order_by(table.submitted_at)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What submitted answers are held against.

    Args:
        questions: The card's.
        known: By place and answer key, the grades that this session has given.
        history: By place, the share of right answers over all sessions.
    """

    questions: Sequence[Question]
    known: Mapping[tuple[int, str], Grade]
    history: Mapping[int, float]


def look_up(connection: Connection, session_id: str, card_id: str) -> Desk:
    """What is known before answers are graded.

    Raises:
        NotFound: There is no such session, or no such card in it.
    """
    if connection.execute(select(sessions.c.id).where(sessions.c.id == session_id)).first() is None:
        raise NotFound(f"there is no session {session_id!r}", hint="start one first")
    if card_id not in _cards_of(connection, session_id):
        raise NotFound(f"session {session_id!r} has no card {card_id!r}", hint="see its cards")
    known = {
        (row.place, row.answer_key): Grade.from_json(json.loads(row.grade))
        for row in _reviews_of(connection, session_id, card_id)
        if row.grade is not None
    }
    asked = _questions_of(connection, card_id)
    return Desk(questions=asked, known=known, history=success_rates(connection, card_id))


def key_of(answer: str) -> str:
    """What equal answers have in common, short enough for a key."""
    return hashlib.sha256(answer_key(answer).encode()).hexdigest()


def record(
    connection: Connection,
    session_id: str,
    card_id: str,
    graded: Sequence[tuple[Task, Grade, float]],
    *,
    now: float,
) -> dict[str, Any] | None:
    """Writes grades, and moves the card's schedule where this session has now graded all of it.

    An answer that is ungraded is kept without a grade and leaves the schedule alone. A session
    moves a card's schedule once; what was written before stays as it is.

    Returns:
        ``rating`` and ``due`` (epoch seconds) where the schedule was moved by this.
    """
    for task, grade, duration_s in graded:
        where = (
            reviews.c.session == session_id,
            reviews.c.card == card_id,
            reviews.c.place == task.index,
            reviews.c.answer_key == key_of(task.answer),
        )
        row = connection.execute(select(reviews.c.grade).where(*where)).first()
        if row is not None and row.grade is not None:
            continue
        connection.execute(delete(reviews).where(*where))
        connection.execute(
            insert(reviews).values(
                session=session_id,
                card=card_id,
                place=task.index,
                answer_key=key_of(task.answer),
                answer=task.answer,
                grade=json.dumps(grade.as_json()) if grade.graded else None,
                is_correct=grade.is_correct,
                score=grade.score,
                rating=grade.suggested_rating,
                duration_ms=round(duration_s * 1000, 3),
                submitted_at=now,
            )
        )
    return _move_schedule(connection, session_id, card_id, now=now)


def _move_schedule(
    connection: Connection, session_id: str, card_id: str, *, now: float
) -> dict[str, Any] | None:
    count = len(_questions_of(connection, card_id))
    ratings = first_ratings(_reviews_of(connection, session_id, card_id))
    rating = card_rating(ratings, count)
    if rating is None:
        return None
    table = session_cards
    taken = connection.execute(
        update(table)
        .where(table.c.session == session_id, table.c.card == card_id, table.c.rating.is_(None))
        .values(rating=rating, rated_at=now)
    )
    if not taken.rowcount:
        return None
    before = connection.execute(select(schedule).where(schedule.c.card == card_id)).first()
    after = reviewed(None if before is None else before.state, rating, now=now)
    connection.execute(delete(schedule).where(schedule.c.card == card_id))
    connection.execute(
        insert(schedule).values(
            card=card_id,
            state=after.state,
            due=after.due,
            reviews=1 if before is None else before.reviews + 1,
            updated_at=now,
        )
    )
    return {"rating": rating, "due": after.due}
