"""A plan as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from fanwise.records import NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """An estimate: low, likely and high."""

    low: int = 0
    likely: int = 0
    high: int = 0

    def __add__(self, other: Spread) -> Spread:
        return Spread(
            low=self.low + other.low,
            likely=self.likely + other.likely,
            high=self.high + other.high,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What a larger limit would bring.

    Args:
        limit: Which one: ``concurrency``, ``rpm``, ``tpm``, ``input_tpm`` or ``output_tpm`` of
            one's own, or one of the provider's (``provider's requests``, ``provider's tokens``,
            ``provider's slots``), or ``this machine``.
        value: What it is; ``None`` for this machine.
        raised: What it would be.
        time_s: Seconds the run would then take.
    """

    limit: str
    value: float | None
    raised: float | None
    time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How long a run will take.

    Args:
        low_s: Seconds it takes if answers are quicker and shorter than thought.
        likely_s: Seconds it takes if all is as thought.
        high_s: Seconds it takes if answers are slower and longer than thought.
        binds: The limit that holds it back most, by the names of :class:`Gain`; ``None`` where no
            single one does.
        gains: What larger limits would bring, the best first; those that bring next to nothing are
            left out.
        refusals: Refusals for each call to expect.
        failures: Share of the items to expect that fail.
        rehearsed: Items that were rehearsed; beyond them their pace was carried on.
    """

    low_s: float
    likely_s: float
    high_s: float
    binds: str | None
    gains: Sequence[Gain]
    refusals: float
    failures: float
    rehearsed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would ask for, what it would cost and how long it would take.

    Args:
        items: Items in the source.
        calls: Calls they would make; a lower bound where ``at_least`` is set, because later calls
            of an item depend on answers that only a model can give.
        at_least: See there; tokens, cost and time are lower bounds then too.
        input_tokens: Tokens sent.
        output_tokens: Tokens answered.
        cost_usd: Low, likely and high cost; ``None`` where a price is unknown.
        price_date: Day of the price list.
        models: Calls by model.
        unpriced: Models whose price is unknown.
        known: By model: where latencies, tokens and limits were taken from, in words.
        basis: The weakest of these: ``profile`` of a simulated model, ``measured`` in earlier
            runs, or ``assumed``.
        outlook: How long it would take; ``None`` where no item makes a call.
        failures: Items whose function raised before its first call.
        first_failure: What the first of them raised.
        finished: Items that an unfinished run has finished; they make no call.
        of_budget: By bound of the budget (``usd``, ``tokens``, ``calls``, ``wall_s``): the likely
            use over the bound. Above 1 the run would end before its work does.
    """

    items: int
    calls: int
    at_least: bool
    input_tokens: Spread
    output_tokens: Spread
    cost_usd: tuple[Decimal, Decimal, Decimal] | None
    price_date: date | None
    models: Mapping[str, int]
    unpriced: Sequence[str]
    known: Mapping[str, str]
    basis: str
    outlook: Outlook | None
    failures: int = 0
    first_failure: str = ""
    finished: int = 0
    of_budget: Mapping[str, float] = NOTHING
