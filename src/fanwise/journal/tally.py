"""What each record adds to a run's totals. The totals equal the sum over the records, always."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from fanwise.records import NO_USAGE, CallRecord, CallState, Counters, ItemRecord, ItemState


class Tally:
    """A run's totals in the making: records are added, and taken out when they are replaced.

    * ``calls`` counts calls in any state; ``ambiguous`` how often a crash or an abort left one
      with an unknown outcome: each may have been paid twice once it is sent again.
    * ``cached`` counts items for which nothing was sent.
    * ``unsent_calls`` counts calls that ended without a send over a network: answered from the
      cache or by another call's flight, answered by rules, or given up before they were sent.
    * ``unpriced_calls`` counts sent calls that were served or used tokens, at an unknown price.
    * Tokens and money of a call answered without a send are not counted: nothing was spent.
    * ``service_s`` is the time from send to end summed over attempts.
    """

    __slots__ = (
        "ambiguous",
        "attempts",
        "cached",
        "calls",
        "cancelled",
        "cost_usd",
        "failed",
        "input_tokens",
        "output_tokens",
        "rate_limited",
        "service_s",
        "succeeded",
        "unpriced_calls",
        "unsent_calls",
    )

    def __init__(self, counters: Counters = Counters()) -> None:  # noqa: B008  (frozen)
        for name in self.__slots__:
            setattr(self, name, getattr(counters, name))

    def counters(self) -> Counters:
        """The totals, frozen."""
        return Counters(**{name: getattr(self, name) for name in self.__slots__})

    def document(self) -> Mapping[str, Any]:
        """The totals in their JSON form."""
        found = {name: getattr(self, name) for name in self.__slots__}
        found["cost_usd"] = str(self.cost_usd)
        return found

    @classmethod
    def of_document(cls, found: Mapping[str, Any]) -> Tally:
        """The totals that :meth:`document` wrote."""
        tally = cls()
        for name in found.keys() & set(cls.__slots__):
            setattr(tally, name, found[name])
        tally.cost_usd = Decimal(found.get("cost_usd", "0"))
        return tally

    def copy(self) -> Tally:
        """Totals of their own that begin where these stand."""
        twin = Tally.__new__(Tally)
        for name in self.__slots__:
            setattr(twin, name, getattr(self, name))
        return twin

    def item(self, state: ItemState, *, cached: bool, sign: int = 1) -> None:
        """Adds an item's end, or takes it out with ``sign=-1``."""
        if state == "succeeded":
            self.succeeded += sign
        elif state == "failed":
            self.failed += sign
        else:
            self.cancelled += sign
        if cached:
            self.cached += sign

    def end(self, record: CallRecord, state: CallState, *, sign: int = 1) -> None:
        """Adds what a call's record says it used, or takes it out with ``sign=-1``.

        ``state`` is the call's own, which a later intent may have changed since the record.
        """
        for attempt in record.attempts:
            self.attempts += sign
            if attempt.verdict == "rate":
                self.rate_limited += sign
            self.service_s += sign * (attempt.ended_at - attempt.started_at)
        if not record.cached:
            self._used(record, state, sign=sign)
        if _unsent(record, state):
            self.unsent_calls += sign
        if state == "ambiguous":
            self.ambiguous += sign

    def _used(self, record: CallRecord, state: CallState, *, sign: int) -> None:
        used = record.usage
        self.input_tokens += sign * (used.input_tokens or 0)
        self.output_tokens += sign * (used.output_tokens or 0)
        if record.cost_usd is not None:
            self.cost_usd += sign * record.cost_usd
        elif state == "served" or used != NO_USAGE:
            self.unpriced_calls += sign


def _unsent(record: CallRecord, state: CallState) -> bool:
    if record.cached or record.model.startswith("builtin/"):
        return True
    return not record.attempts and state not in {"sending", "ambiguous"}


def recount(calls: Iterable[CallRecord], items: Iterable[ItemRecord]) -> Counters:
    """The totals from the records themselves: what a run's counters must always equal."""
    tally = Tally()
    for call in calls:
        tally.calls += 1
        tally.ambiguous += call.resends
        tally.end(call, call.state)
    for item in items:
        tally.item(item.state, cached=item.cached)
    return tally.counters()
