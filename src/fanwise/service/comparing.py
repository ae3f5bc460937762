"""Two runs, or two models, item by item: what is the same, what differs, what failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, cast

import orjson

if TYPE_CHECKING:
    from fanwise.journal.memory import JournalReader
    from fanwise.records import ItemRecord

Show = Literal["all", "failed", "different"]

MOST_ITEMS = 20_000
_LONGEST = 4000
_SCORES = ("score", "overall", "total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One item on one side.

    Args:
        item_id: What its run calls it.
        state: How it ended.
        text: Its output, or why it failed.
        score: What a judge gave it, where its output says so.
        service_s: How long it was worked on.
        cost_usd: What it cost; ``None`` where that is unknown.
    """

    item_id: str
    state: str
    text: str
    score: float | None
    service_s: float
    cost_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """An item of both sides, by the id that both have in common."""

    key: str
    left: Side | None
    right: Side | None

    @property
    def differs(self) -> bool:
        """Whether the sides do not say the same."""
        left, right = self.left, self.right
        if left is None or right is None:
            return True
        return (left.state, left.text) != (right.state, right.text)

    @property
    def failed(self) -> bool:
        """Whether one side, or both, failed."""
        return any(side is not None and side.state == "failed" for side in (self.left, self.right))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One side in figures; means are ``None`` where there is nothing to take them of."""

    items: int
    failed: int
    attempts: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    mean_s: float | None
    mean_score: float | None
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """A side as it was read: its items by key, and its figures."""

    items: Mapping[str, Side]
    figures: Figures


def read_half(reader: JournalReader, *, model: str = "") -> Half:
    """One side of a comparison, at most 20 000 items of it. Blocks.

    Args:
        reader: The run's journal.
        model: Only items that it was asked for; all where it is empty.
    """
    found: dict[str, Side] = {}
    records: list[ItemRecord] = []
    chosen = _of_model(reader, model)
    for record in islice(chosen, MOST_ITEMS):
        records.append(record)
        found[_key(record, model)] = _side(record)
    whole = next(chosen, None) is None
    return Half(items=found, figures=_figures(records, found, whole=whole))


def _of_model(reader: JournalReader, model: str) -> Iterator[ItemRecord]:
    for record in reader.items(order="position"):
        if not model or record.model == model:
            yield record


def pairs(left: Half, right: Half, show: Show) -> Iterator[Pair]:
    """The items of both sides in the order of the left one, then what only the right one has.

    Args:
        left: One side.
        right: The other.
        show: ``all``, only those where a side ``failed``, or only the ``different`` ones.
    """
    for key in (*left.items, *(key for key in right.items if key not in left.items)):
        pair = Pair(key=key, left=left.items.get(key), right=right.items.get(key))
        if show == "all" or (pair.failed if show == "failed" else pair.differs):
            yield pair


def _key(record: ItemRecord, model: str) -> str:
    """The id; where one model was chosen of several, without it: what a row is called whoever is
    asked.
    """
    if not model:
        return record.item_id
    return record.item_id.replace(f"@{model}", "", 1).removesuffix(f" {model}")


def _side(record: ItemRecord) -> Side:
    value: Any = record.value
    text = value if isinstance(value, str) else ""
    if record.error is not None:
        text = record.error.message
    elif not isinstance(value, str) and value is not None:
        text = orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()
    return Side(
        item_id=record.item_id,
        state=record.state,
        text=text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …",
        score=score_of(value),
        service_s=record.service_s,
        cost_usd=None if record.cost_usd is None else float(record.cost_usd),
    )


def score_of(value: object) -> float | None:
    """What a judge gave an output: a number that it calls score, overall or total."""
    if not isinstance(value, Mapping):
        return None
    found = cast("Mapping[str, object]", value)
    for name in _SCORES:
        score = found.get(name)
        if isinstance(score, (int, float)) and not isinstance(score, bool):
            return float(score)
    return None


def _figures(records: list[ItemRecord], sides: Mapping[str, Side], *, whole: bool) -> Figures:
    done = [record for record in records if record.state == "succeeded"]
    costs = [record.cost_usd for record in records]
    scores = [side.score for side in sides.values() if side.score is not None]
    known = [float(cost) for cost in costs if cost is not None]
    return Figures(
        items=len(records),
        failed=sum(1 for record in records if record.state == "failed"),
        attempts=sum(record.attempts for record in records),
        input_tokens=sum(record.usage.input_tokens or 0 for record in records),
        output_tokens=sum(record.usage.output_tokens or 0 for record in records),
        cost_usd=sum(known) if len(known) == len(costs) else None,
        mean_s=sum(record.service_s for record in done) / len(done) if done else None,
        mean_score=sum(scores) / len(scores) if scores else None,
        whole=whole,
    )
