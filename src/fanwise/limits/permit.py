"""The right to send one request, and the quotas it draws on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from fanwise.errors import StateError
from fanwise.limits.quota import UNUSED, Quota, amount_of, used_of
from fanwise.records import NO_USAGE, NOTHING, Cause, Cost, StatedLimit, Usage, Verdict

_CREDITED = 0.9  # of what is said to be left: others may have taken some of it since
_CHARGED_AT_ONCE = frozenset({"requests", "input_tokens"})
_FRESH_S = 0.1
_Finish = Callable[["Permit", Verdict, Usage, Mapping[str, str], bool, Sequence[StatedLimit]], None]


class Meter:
    """One quota, its arrival time, and what requests under way have reserved of it.

    Where the provider says what is left, ``empty_at`` is the instant at which its bucket would hold
    nothing by that account, and ``most_left`` the most that it ever said; else they say nothing.
    """

    __slots__ = ("_fresh", "_fresh_at", "arrival", "empty_at", "most_left", "quota", "reserved")

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self.arrival = UNUSED
        self.reserved = 0
        self.empty_at = -math.inf
        self.most_left = 0.0
        self._fresh = 0  # taken so lately that an answer may not have counted it
        self._fresh_at = -math.inf

    def opens_at(self, amount: float) -> float:
        """The instant from which so much may be sent.

        What the provider says is left has to be enough for it; what is more than it ever said was
        left needs no more than that, since a full bucket takes a request of any size.
        """
        opens_at = self.quota.opens_at(self.arrival)
        if self.most_left:
            enough = min(amount, self.most_left)
            return max(opens_at, self.empty_at + enough * self.quota.unit_s)
        return opens_at

    def take(self, cost: Cost, now: float) -> None:
        """Reserves a request's amount."""
        amount = amount_of(cost, self.quota.dimension)
        if amount:
            self.reserved += amount
            self.arrival = self.quota.reserve(self.arrival, amount, now=now)
            if self.most_left:
                self.empty_at += amount * self.quota.unit_s
                if now >= self._fresh_at + _FRESH_S:
                    self._fresh, self._fresh_at = 0, now
                self._fresh += amount

    def put_right(self, cost: Cost, usage: Usage | None, now: float) -> None:
        """Replaces what was reserved by what was used; ``None`` where nothing was sent at all."""
        dimension = self.quota.dimension
        if dimension == "requests" and usage is not None:
            self.reserved -= cost.requests
            return
        reserved = amount_of(cost, dimension)
        actual = used_of(cost, usage, dimension) if usage is not None else 0
        self.reserved -= reserved
        if actual != reserved:
            self.arrival = self.quota.reconcile(
                self.arrival, reserved=reserved, actual=actual, now=now
            )

    def credit(self, remaining: float, *, now: float) -> None:
        """Takes over what the provider says is left, less what is under way.

        Requests and input are charged when they arrive, so that only the last ones sent are not yet
        counted; output is charged when it is asked for by some, when it is there by others. Where
        all of it leaves nothing, requests go on at the quota's pace.
        """
        quota = self.quota
        self.most_left = max(self.most_left, remaining)
        fresh = self._fresh if now < self._fresh_at + 2 * _FRESH_S else 0
        self.empty_at = now - (remaining - fresh) * quota.unit_s
        under_way = self.reserved
        if quota.dimension in _CHARGED_AT_ONCE:
            under_way = min(under_way, fresh)
        left = _CREDITED * remaining - under_way
        empty = now + quota.burst_s
        if left > 0:
            self.arrival = empty - min(left * quota.unit_s, quota.burst_s)
        else:
            self.arrival = max(self.arrival, empty)

    def change(self, quota: Quota, now: float) -> None:
        """Goes on under another quota of the same dimension."""
        self.arrival = self.quota.rescale(self.arrival, to=quota, now=now)
        self.empty_at = now - (now - self.empty_at) / self.quota.unit_s * quota.unit_s
        self.quota = quota


class Permit:
    """The right to send one request. Whoever holds it settles it exactly once.

    Args:
        cost: What was reserved for it.
        meters: The quotas it was reserved on.
        epoch: The epoch in which it was given: a refusal counts only in its own.
        number: How many permits were given before it, itself included.
        in_flight: Permits that were held when it was given, itself included.
        granted_at: When, on the limiter's clock.
        queued_s: The wait for it in seconds.
        cause: What most of that wait was for.
    """

    __slots__ = (
        "_finish",
        "_settled",
        "cause",
        "cost",
        "epoch",
        "granted_at",
        "in_flight",
        "meters",
        "number",
        "queued_s",
    )

    def __init__(  # noqa: PLR0917 - a class called by keywords costs a third of a permit more
        self,
        finish: _Finish,
        cost: Cost,
        meters: tuple[Meter, ...],
        epoch: int,
        number: int,
        in_flight: int,
        granted_at: float,
        queued_s: float,
        cause: Cause,
    ) -> None:
        self._finish = finish
        self._settled = False
        self.cost = cost
        self.meters = meters
        self.epoch = epoch
        self.number = number
        self.in_flight = in_flight
        self.granted_at = granted_at
        self.queued_s = queued_s
        self.cause: Cause = cause

    def settle(
        self,
        verdict: Verdict,
        *,
        usage: Usage = NO_USAGE,
        headers: Mapping[str, str] = NOTHING,
        sent: bool = True,
        stated: Sequence[StatedLimit] = (),
    ) -> None:
        """Gives the permit back with what really happened. Never waits.

        Args:
            verdict: How the attempt ended.
            usage: Tokens it used; for what is unknown the reservation stands.
            headers: The answer's headers, names in lower case.
            sent: ``False`` where nothing left this machine: everything reserved is given back.
            stated: What the answer says of the provider's limits; they hold from now on.

        Raises:
            StateError: It was settled before; nothing changes.
        """
        if self._settled:
            raise StateError(
                "a permit was settled twice",
                hint="settle it once, where its attempt ends, however that ends",
            )
        self._settled = True
        self._finish(self, verdict, usage, headers, sent, stated)

    def __repr__(self) -> str:
        state = "settled" if self._settled else "held"
        return f"<Permit {state}, waited {self.queued_s:.3f} s for {self.cause}>"
