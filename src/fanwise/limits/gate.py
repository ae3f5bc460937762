"""What a refusal does to everybody else: the pool's gate, as rules on plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

_SOFT_S = (0.1, 1.0)
_LONGEST_S = 120.0
_CREDIBLE_S = 300.0
_BACKOFF_BASE_S = 0.25
_BACKOFF_CAP_S = 8.0
_RAMP_S = 0.5
_UNKNOWN_RESETS = frozenset({"", "0", "0s", "0ms", "0.0", "-1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """When the pool may send again.

    Refusals are told apart by epoch, not by time: every request carries the epoch in which it was
    sent, and only the first refusal of an epoch counts; it begins the next one. A hundred refusals
    of one mistake therefore close the gate once.

    Args:
        epoch: Number of the current epoch.
        strikes: Epochs refused in a row of which nothing was served.
        closed_until: The instant at which the gate opens, on the limiter's clock.
    """

    epoch: int = 0
    strikes: int = 0
    closed_until: float = -math.inf

    @property
    def outage(self) -> bool:
        """Whether nothing at all was served in the last two epochs, or more."""
        return self.strikes > 1

    def refused(
        self,
        *,
        epoch: int,
        now: float,
        retry_after_s: float | None = None,
        exhausted: bool = False,
        taken: bool = False,
    ) -> Gate:
        """The gate after a refusal.

        At first the pool waits ``min(Retry-After, 0.25 s)``: servers name coarse times, one
        request's wait need not be everybody's, and the learned limits see to it that less is sent
        from then on. Without a Retry-After it does not wait at all. Once nothing of an epoch was
        served, the whole Retry-After counts, at most 120 s, and so it does where the server says
        that nothing is left. A Retry-After of more than five minutes ends its own call; about the
        pool it proves nothing, unless nothing is left. Below all of them stands a wait that doubles
        with each further epoch of which nothing is served.

        Args:
            epoch: The epoch in which the refused request was sent.
            now: The present instant.
            retry_after_s: The wait the server asked for, where it asked for one.
            exhausted: Whether the server says that nothing is left of the quota.
            taken: Whether requests of this epoch were taken, though they are not answered yet.
        """
        if epoch != self.epoch:
            return self
        longest_s = math.inf if exhausted else _CREDIBLE_S
        asked_s = retry_after_s if 0 < (retry_after_s or 0) <= longest_s else None
        strikes = 0 if taken else self.strikes
        wait_s = _backoff_s(strikes - 1)
        if asked_s is not None:
            whole = exhausted or strikes >= len(_SOFT_S)
            wait_s = max(wait_s, min(asked_s, _LONGEST_S if whole else _SOFT_S[strikes]))
        return Gate(
            epoch=self.epoch + 1,
            strikes=strikes + 1,
            closed_until=max(self.closed_until, now + wait_s),
        )

    def opens_for(self, sent: int) -> float:
        """The instant from which one more request may be sent, after so many in this epoch.

        In an outage one goes ahead, and as long as nothing comes back, twice as many may be under
        way every half second. What is served ends the outage, and with it this.
        """
        if self.strikes < 2 or not sent:
            return self.closed_until
        return self.closed_until + _RAMP_S * math.log2(sent + 1)

    def served(self, *, epoch: int) -> Gate:
        """The gate after a served answer of an epoch.

        Refusals come back sooner than answers do, so an answer often belongs to an epoch that was
        refused in part: it takes that epoch and all before it out of the row of strikes.
        """
        strikes = max(0, min(self.strikes, self.epoch - epoch - 1))
        return self if strikes == self.strikes else replace(self, strikes=strikes)


def says_exhausted(headers: Mapping[str, str]) -> bool:
    """Whether a refusal's headers say that nothing is left, and when there will be again.

    A zero without a time is no statement: some servers send 0 or −1 for *unknown*.
    """
    return any(
        headers.get(f"x-ratelimit-remaining-{what}") == "0"
        and headers.get(f"x-ratelimit-reset-{what}", "").strip() not in _UNKNOWN_RESETS
        for what in ("requests", "tokens")
    )


def _backoff_s(strikes: int) -> float:
    if strikes < 0:
        return 0.0
    return min(_BACKOFF_CAP_S, _BACKOFF_BASE_S * 2.0 ** min(strikes, 16))
