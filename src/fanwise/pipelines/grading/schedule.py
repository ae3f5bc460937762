"""When a card is due again: FSRS, by the ``fsrs`` library."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Where a card stands.

    Args:
        state: The scheduler's own state, as JSON text.
        due: When it is due, in epoch seconds.
    """

    state: str
    due: float


def card_rating(ratings: Mapping[int, int], questions: int) -> int | None:
    """The rating of a card by those of its questions, by place: that of its weakest question.

    Returns:
        1 to 4; ``None`` while a question is without one.
    """
    if questions == 0 or any(place not in ratings for place in range(questions)):
        return None
    return min(ratings[place] for place in range(questions))


def reviewed(state: str | None, rating: int, *, now: float) -> Due:
    """The card after a review.

    Args:
        state: What :class:`Due` held after the last one; ``None`` for the first.
        rating: 1 Again to 4 Easy.
        now: When it is reviewed, in epoch seconds.

    The intervals are not blurred at random, so that the same reviews give the same schedule.
    """
    from fsrs import Card, Rating, Scheduler

    at = datetime.fromtimestamp(now, UTC)
    fields: Any = None if state is None else json.loads(state)
    card = Card(card_id=1, due=at) if fields is None else Card.from_dict(fields)
    after, _ = Scheduler(enable_fuzzing=False).review_card(card, Rating(rating), review_datetime=at)
    return Due(state=json.dumps(after.to_dict()), due=after.due.timestamp())


def first_ratings(rows: Sequence[Any]) -> dict[int, int]:
    """By place, the rating of the first graded answer: a second try shows no better memory."""
    found: dict[int, int] = {}
    for row in sorted(rows, key=lambda row: row.submitted_at):
        if row.rating is not None:
            found.setdefault(row.place, row.rating)
    return found
