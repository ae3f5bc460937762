"""Topics, cards and their questions."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, func, insert, select, update

from fanwise.errors import Conflict, InvalidFields
from fanwise.pipelines.grading.cards import import_cards
from fanwise.pipelines.grading.reading import check_question
from fanwise.pipelines.grading.records import Question
from fanwise.pipelines.grading.tables import (
    cards,
    question_of,
    questions,
    schedule,
    topics,
)
from fanwise.service.problems import NotFound
from fanwise.service.views import Page

if TYPE_CHECKING:
    import fanwise as fw
    from fanwise.clock import Clock
    from fanwise.service.shelves import Shelves

GRADING = "grading"


class Learning:
    """What is learned.

    Args:
        shelves: The pipelines' tables.
        clock: Time.
        new_id: Makes ids of cards that bring none.
    """

    def __init__(
        self,
        shelves: Shelves,
        *,
        clock: Clock,
        new_id: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._shelves = shelves
        self._clock = clock
        self._new_id = new_id

    async def store(self) -> fw.Store:
        """The pipeline's tables."""
        return await self._shelves.store(GRADING)

    # topics

    async def topics(self, *, limit: int, after: str | None) -> Page:
        """Topics by id, each with how many cards it has."""
        counted = (
            select(cards.c.topic, func.count().label("cards")).group_by(cards.c.topic).subquery()
        )
        asked = (
            select(topics, func.coalesce(counted.c.cards, 0).label("cards"))
            .outerjoin(counted, counted.c.topic == topics.c.id)
            .order_by(topics.c.id)
        )
        return await self._page(asked, topics.c.id, limit=limit, after=after)

    async def topic(self, topic_id: str) -> dict[str, Any]:
        """One topic.

        Raises:
            NotFound: There is none of that id.
        """
        return await self._row(select(topics).where(topics.c.id == topic_id), f"topic {topic_id!r}")

    async def put_topic(self, topic_id: str, name: str, *, new: bool) -> dict[str, Any]:
        """Makes a topic, or names it anew.

        Raises:
            Conflict: It is there already.
            NotFound: It is not there.
        """

        def write(connection: Connection) -> bool:
            known = select(topics.c.id).where(topics.c.id == topic_id)
            if (connection.execute(known).first() is None) != new:
                return False
            change = update(topics).where(topics.c.id == topic_id).values(name=name)
            connection.execute(insert(topics).values(id=topic_id, name=name) if new else change)
            return True

        if not await (await self.store()).write(write):
            if new:
                raise Conflict(f"topic {topic_id!r} is there already", hint="PATCH changes it")
            raise NotFound(f"there is no topic {topic_id!r}")
        return await self.topic(topic_id)

    async def remove_topic(self, topic_id: str) -> None:
        """Removes a topic without cards.

        Raises:
            NotFound: There is none of that id.
            Conflict: It has cards.
        """

        def write(connection: Connection) -> tuple[int, int]:
            held = connection.execute(
                select(func.count()).select_from(cards).where(cards.c.topic == topic_id)
            ).scalar_one()
            if held:
                return 1, held
            return connection.execute(delete(topics).where(topics.c.id == topic_id)).rowcount, 0

        found, held = await (await self.store()).write(write)
        if held:
            raise Conflict(f"topic {topic_id!r} has {held} cards", hint="delete or move them first")
        if not found:
            raise NotFound(f"there is no topic {topic_id!r}")

    # cards

    async def cards(self, *, limit: int, after: str | None, topic: str | None, due: bool) -> Page:
        """Cards by id; those that are due alone, where that is asked for."""
        asked = (
            select(cards.c.id, cards.c.topic, cards.c.title, schedule.c.due, schedule.c.reviews)
            .outerjoin(schedule, schedule.c.card == cards.c.id)
            .order_by(cards.c.id)
        )
        if topic is not None:
            asked = asked.where(cards.c.topic == topic)
        if due:
            now = self._clock.wall()
            asked = asked.where(schedule.c.due.is_(None) | (schedule.c.due <= now))
        return await self._page(asked, cards.c.id, limit=limit, after=after)

    async def card(self, card_id: str) -> dict[str, Any]:
        """One card with its questions and its schedule.

        Raises:
            NotFound: There is none of that id.
        """
        asked = (
            select(cards.c.id, cards.c.topic, cards.c.title, schedule.c.due, schedule.c.reviews)
            .outerjoin(schedule, schedule.c.card == cards.c.id)
            .where(cards.c.id == card_id)
        )
        found = await self._row(asked, f"card {card_id!r}")
        return {**found, "questions": await self._questions(card_id)}

    async def add_cards(
        self, rows: Sequence[Mapping[str, Any]] | str, *, replace: bool
    ) -> dict[str, Any]:
        """Takes cards out of rows or a file, as ``import_cards`` of the pipeline does.

        Returns:
            The counts, and of rows their ``ids``.

        Raises:
            Conflict: One is there already, and is not to be replaced.
            InvalidFields: Fields are wrong; nothing was kept.
            InputError: The file cannot be read.
        """
        store = await self.store()
        if isinstance(rows, str):
            return dict(await import_cards(store, rows, now=self._clock.wall()))
        named = [{**row, "id": row.get("id") or self._new_id()} for row in rows]
        ids = [str(row["id"]) for row in named]
        if not replace:
            known = await store.read(
                lambda c: c.execute(select(cards.c.id).where(cards.c.id.in_(ids))).first()
            )
            if known is not None:
                raise Conflict(f"card {known.id!r} is there already", hint="PATCH changes it")
        counts = await import_cards(store, named, now=self._clock.wall())
        return {**counts, "ids": ids}

    async def change_card(self, card_id: str, change: Mapping[str, Any]) -> dict[str, Any]:
        """Changes a card's topic, title or questions; its schedule stays.

        Raises:
            NotFound: There is none of that id.
            InvalidFields: Fields are wrong; nothing was changed.
        """
        known = await self.card(card_id)
        row = {name: known[name] for name in ("id", "topic", "title", "questions")} | dict(change)
        await import_cards(await self.store(), [row], now=self._clock.wall())
        return await self.card(card_id)

    async def remove_card(self, card_id: str) -> None:
        """Removes a card with its questions and its schedule; what sessions graded stays.

        Raises:
            NotFound: There is none of that id.
        """

        def write(connection: Connection) -> int:
            connection.execute(delete(questions).where(questions.c.card == card_id))
            connection.execute(delete(schedule).where(schedule.c.card == card_id))
            return connection.execute(delete(cards).where(cards.c.id == card_id)).rowcount

        if not await (await self.store()).write(write):
            raise NotFound(f"there is no card {card_id!r}")

    # questions

    async def _questions(self, card_id: str) -> list[dict[str, Any]]:
        rows = await (await self.store()).read(
            lambda c: c.execute(
                select(questions).where(questions.c.card == card_id).order_by(questions.c.place)
            ).all()
        )
        return [_question_json(place, question_of(row)) for place, row in enumerate(rows)]

    async def put_questions(
        self, card_id: str, change: Callable[[list[dict[str, Any]]], None]
    ) -> list[dict[str, Any]]:
        """Changes a card's questions.

        Raises:
            NotFound: There is no such card, or no such question.
            InvalidFields: Fields are wrong; nothing was changed.
        """
        found = (await self.card(card_id))["questions"]
        change(found)
        if not found:
            raise InvalidFields("questions", {"questions": "a card has one question or more"})
        for row in found:
            _check(row)
        return (await self.change_card(card_id, {"questions": found}))["questions"]

    # within

    async def _row(self, asked: Any, what: str) -> dict[str, Any]:
        row = await (await self.store()).read(lambda c: c.execute(asked).mappings().first())
        if row is None:
            raise NotFound(f"there is no {what}")
        return dict(row)

    async def _page(self, asked: Any, key: Any, *, limit: int, after: str | None) -> Page:
        return await page_of(await self.store(), asked, key, limit=limit, after=after)


async def page_of(store: fw.Store, asked: Any, key: Any, *, limit: int, after: str | None) -> Page:
    """A part of a list that is ordered by a column."""
    if after is not None:
        asked = asked.where(key > after)
    asked = asked.limit(limit + 1)
    rows = await store.read(lambda c: [dict(row) for row in c.execute(asked).mappings()])
    more = len(rows) > limit
    return Page(data=rows[:limit], next=str(rows[limit - 1][key.name]) if more else None)


def _question_json(place: int, question: Question) -> dict[str, Any]:
    return {
        "question_index": place,
        "question": question.text,
        "kind": question.kind,
        "options": list(question.options),
        "expected": question.expected,
        "rubric": question.rubric,
        "tolerance": question.tolerance,
    }


def _check(row: Mapping[str, Any]) -> None:
    """Whether a question that names its kind can be asked; one without is given its kind later."""
    if not row.get("kind"):
        return
    made = Question(
        text=row["question"],
        kind=row["kind"],
        expected=row["expected"],
        options=tuple(row["options"]),
        rubric=row["rubric"],
        tolerance=row["tolerance"],
    )
    wrong = check_question(made)
    if wrong:
        raise InvalidFields("questions", wrong, hint="nothing was changed")
