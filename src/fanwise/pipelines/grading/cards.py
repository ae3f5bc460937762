"""Cards with their questions, out of files and into the tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, delete, insert, select, update

import fanwise as fw
from fanwise.pipelines.grading.job import text_in
from fanwise.pipelines.grading.marking import kind_of
from fanwise.pipelines.grading.reading import check_question, options_in
from fanwise.pipelines.grading.records import Question
from fanwise.pipelines.grading.tables import cards, metadata, questions, topics

_ID_CHARS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is learned together: one question or more.

    Args:
        id: At most 64 characters.
        topic: What it belongs to; its name is its id.
        title: For people.
        questions: In order.
    """

    id: str
    topic: str = ""
    title: str = ""
    questions: Sequence[Question] = ()


def open_store(home: Any = None) -> fw.Store:
    """The store of cards, sessions and grades, to be entered with ``async with``.

    Args:
        home: A home, or its directory or URL; ``./.fanwise`` by default.
    """
    if home is None or isinstance(home, str | Path):
        return fw.Store(fw.open_home(home), "grading", metadata)
    return fw.Store(home, "grading", metadata)


async def import_cards(
    store: fw.Store, source: str | Path | Iterable[Mapping[str, Any]], *, now: float
) -> dict[str, int]:
    """Puts cards into the store; those of known ids are replaced, their schedule stays.

    Args:
        store: As :func:`open_store` gives it.
        source: A JSON file with a list of cards (or ``{"cards": […]}``), or JSON Lines, CSV or
            Parquet with a card or a question a row: ``card``, ``topic``, ``title``, ``question``,
            ``kind``, ``options``, ``expected``, ``rubric``, ``tolerance``. Or such rows.
        now: The time, in epoch seconds.

    Returns:
        How many ``cards``, ``questions`` and ``topics`` were read.

    Raises:
        InputError: The file cannot be read.
        InvalidFields: Fields are wrong: a reason for each one. Nothing was imported.
    """
    read = read_cards(source)
    await store.write(lambda connection: _keep(connection, read, now=now))
    return {
        "cards": len(read),
        "questions": sum(len(card.questions) for card in read),
        "topics": len({card.topic for card in read}),
    }


def read_cards(source: str | Path | Iterable[Mapping[str, Any]]) -> list[Card]:
    """The cards of a file or of rows. Raises as :func:`import_cards`."""
    rows = _rows(source)
    grouped: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    about: dict[str, Mapping[str, Any]] = {}
    wrong: dict[str, str] = {}
    for place, row in enumerate(rows):
        name = text_in(row.get("card") or row.get("id")).strip() or f"card-{place + 1}"
        if len(name) > _ID_CHARS:
            wrong[f"cards.{place}.card"] = f"has more than {_ID_CHARS} characters"
            continue
        about.setdefault(name, row)
        held = row.get("questions")
        nested = cast("list[Any]", held) if isinstance(held, list) else None
        if nested is None:
            grouped.setdefault(name, []).append((f"cards.{place}", row))
            continue
        for number, question in enumerate(nested):
            at = f"cards.{place}.questions.{number}"
            if isinstance(question, Mapping):
                grouped.setdefault(name, []).append((at, cast("Mapping[str, Any]", question)))
            else:
                wrong[at] = "is no object"
        if not nested:
            wrong[f"cards.{place}.questions"] = "is empty"
    made: list[Card] = []
    for name, held in grouped.items():
        first = about[name]
        made.append(
            Card(
                id=name,
                topic=text_in(first.get("topic")).strip()[:_ID_CHARS],
                title=text_in(first.get("title")).strip(),
                questions=[_question(at, row, wrong) for at, row in held],
            )
        )
    if not made and not wrong:
        wrong["cards"] = "holds none"
    if wrong:
        raise fw.errors.InvalidFields("cards", wrong, hint="mend them; nothing was imported")
    return made


def _rows(source: str | Path | Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    if not isinstance(source, str | Path):
        return source
    if Path(source).suffix.lower() != ".json":
        return (row.data for row in fw.documents.read_rows(source))
    try:
        found: object = json.loads(Path(source).read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise fw.errors.InputError(
            f"cannot be read as JSON: {error}", source=str(source), hint="it holds a list of cards"
        ) from error
    if isinstance(found, Mapping):
        found = cast("Mapping[str, Any]", found).get("cards")
    if not isinstance(found, list) or not all(
        isinstance(one, Mapping) for one in cast("list[object]", found)
    ):
        raise fw.errors.InputError(
            "holds no list of cards", source=str(source), hint='write [{"id": …, "questions": […]}]'
        )
    return cast("list[Mapping[str, Any]]", found)


def _question(at: str, row: Mapping[str, Any], wrong: dict[str, str]) -> Question:
    options = options_in(row.get("options"))
    expected = text_in(row.get("expected"))
    kind: Any = text_in(row.get("kind")).strip() or kind_of(expected, options)
    made = Question(
        text=text_in(row.get("question")),
        kind=kind,
        expected=expected,
        options=options,
        rubric=text_in(row.get("rubric")),
        tolerance=text_in(row.get("tolerance")),
    )
    wrong |= {f"{at}.{name}": reason for name, reason in check_question(made).items()}
    return made


def _keep(connection: Connection, read: Sequence[Card], *, now: float) -> None:
    for place, card in enumerate(read):
        topic = card.topic or "general"
        known = select(topics.c.id).where(topics.c.id == topic)
        if connection.execute(known).first() is None:
            connection.execute(insert(topics).values(id=topic, name=topic))
        values = {"topic": topic, "title": card.title, "place": place, "imported_at": now}
        if not connection.execute(
            update(cards).where(cards.c.id == card.id).values(**values)
        ).rowcount:
            connection.execute(insert(cards).values(id=card.id, **values))
        connection.execute(delete(questions).where(questions.c.card == card.id))
        connection.execute(
            insert(questions),
            [
                {
                    "card": card.id,
                    "place": number,
                    "kind": question.kind,
                    "text": question.text,
                    "expected": question.expected,
                    "options": json.dumps(list(question.options), ensure_ascii=False),
                    "rubric": question.rubric,
                    "tolerance": question.tolerance,
                }
                for number, question in enumerate(card.questions)
            ],
        )
