"""What requests weigh in tokens, counted from the first refusal for a rate on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanwise.limits.adaptive import unit
from fanwise.limits.adaptive.unit import Choice, Stretch
from fanwise.limits.permit import Meter
from fanwise.limits.quota import UNUSED, amount_of, used_of
from fanwise.records import NO_USAGE

if TYPE_CHECKING:
    from fanwise.limits.permit import Permit
    from fanwise.limits.quota import Quota
    from fanwise.records import Cost, Usage

_MEMORY = 1000.0  # requests
_AHEAD_S = 1.3


class Scale:
    """Tokens that were taken: as estimated when a request is sent, as used when it is answered.

    What was refused is taken off again.
    """

    __slots__ = (
        "_answered",
        "_before",
        "_first",
        "_squares",
        "_weighed",
        "choice",
        "mean_asked",
        "mean_used",
        "reference",
        "share",
        "total",
    )

    def __init__(self) -> None:
        self.choice = Choice()
        self.share = 1.0  # of the output that is reserved, what is used
        self.reference = 0.0  # tokens that count as one; 0 while requests are counted
        self._before = Stretch(requests=0, tokens=0.0, span_s=0.0)
        self.total = 0.0
        self.mean_asked = 0.0
        self.mean_used = 0.0
        self._squares = 0.0
        self._weighed = 0.0
        self._answered = 0.0
        self._first = 0

    def sent(self, number: int, cost: Cost) -> None:
        """A request leaves."""
        if not self._first:
            self._first = number
        weight = self.expected(cost)
        self.total += weight
        self._weighed = min(_MEMORY, self._weighed + 1.0)
        asked = amount_of(cost, "tokens")
        self.mean_asked += (asked - self.mean_asked) / self._weighed
        self._squares += (asked * asked - self._squares) / self._weighed

    def came(self, permit: Permit, usage: Usage, *, taken: bool) -> None:
        """A request is answered, or was refused."""
        if not self._first or permit.number < self._first:
            return
        cost = permit.cost
        weight = self.expected(cost)
        if not taken:
            self.total -= weight
            return
        used = used_of(cost, usage, "tokens")
        self.total += used - weight
        self._answered = min(_MEMORY, self._answered + 1.0)
        self.mean_used += (used - self.mean_used) / self._answered
        if cost.output_tokens:
            share = used_of(cost, usage, "output_tokens") / cost.output_tokens
            self.share += (share - self.share) / self._answered

    @property
    def used(self) -> float:
        """Of what is reserved, the share that is used."""
        asked = self.mean_asked
        return min(1.0, self.mean_used / asked) if asked and self.mean_used else 1.0

    def expected(self, cost: Cost) -> float:
        """What a request will probably take: of the output it reserves, the usual share."""
        return cost.input_tokens + self.share * cost.output_tokens

    def judge(self, permit: Permit, stretch: Stretch) -> bool:
        """Takes in the first refusal of an epoch; whether something else is counted from now on."""
        choice = unit.measured(self.choice, before=self._before, after=stretch)
        weight = amount_of(permit.cost, "tokens")
        choice = unit.refused(choice, weight=weight, mean_weight=self.mean_asked)
        self._before = stretch
        changed = choice.unit != self.choice.unit
        self.choice = choice
        if changed:
            self.reference = self.typical if choice.unit == "tokens" else 0.0
        return changed

    @property
    def typical(self) -> float:
        """The weight of the request that a typical token belongs to: large ones make it large."""
        return self.used * self._squares / self.mean_asked if self.mean_asked else 0.0

    def weight(self, permit: Permit) -> float:
        """What a request weighs among those that are counted."""
        return self.expected(permit.cost) / self.reference if self.reference else 1.0


class Prepaid(Meter):
    """A quota of tokens that was learned: a request leaves when its tokens have flowed in.

    A provider takes a request if its bucket holds enough for it, or is full. How much it holds is
    not known, so that at most a second's worth is waited for; what is above that is paid for by
    those who come after it.
    """

    __slots__ = ("_scale",)

    def __init__(self, quota: Quota, scale: Scale) -> None:
        super().__init__(quota)
        self._scale = scale
        self.most_left = 1.0  # asks the limiter to name the amount

    def opens_at(self, amount: float) -> float:
        """The instant from which so much may be sent."""
        return self.arrival + self._ahead_s(amount * self._scale.used) - self.quota.burst_s

    def take(self, cost: Cost, now: float) -> None:
        """Takes a request's amount."""
        amount = self._scale.expected(cost)
        if self.arrival == UNUSED:
            self.arrival = now
        self.arrival = max(self.arrival, now - self._ahead_s(amount)) + amount * self.quota.unit_s

    def put_right(self, cost: Cost, usage: Usage | None, now: float) -> None:
        """Replaces what was expected by what was used."""
        actual = used_of(cost, usage, "tokens") if usage is not None else 0
        self._correct(actual - self._scale.expected(cost))

    def give_back(self, cost: Cost) -> None:
        """A request was refused after all: it took nothing."""
        self._correct(-used_of(cost, NO_USAGE, "tokens"))

    def _correct(self, amount: float) -> None:
        self.arrival += amount * self.quota.unit_s

    def change(self, quota: Quota, now: float) -> None:
        """Goes on at another pace."""
        self.arrival = self.quota.rescale(self.arrival, to=quota, now=now)
        self.quota = quota

    def _ahead_s(self, amount: float) -> float:
        return min(_AHEAD_S, amount * self.quota.unit_s)
