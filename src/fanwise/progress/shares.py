"""Shares over a sliding window: what crosses a threshold, and when it is calm again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

_BUCKETS: Final = 20


class Window:
    """Sums over the latest ``window_s`` seconds, in buckets: constant memory, one step an event.

    The oldest bucket leaves as a whole, so that what is counted is between 19 and 20 twentieths of
    the window.
    """

    __slots__ = ("_bucket_s", "_hits", "_newest", "_of", "hits", "of")

    def __init__(self, window_s: float) -> None:
        self._bucket_s = window_s / _BUCKETS
        self._hits = [0.0] * _BUCKETS
        self._of = [0] * _BUCKETS
        self._newest: int | None = None
        self.hits = 0.0
        self.of = 0

    def advance(self, now: float) -> None:
        """Lets go of what has left the window; time never goes back."""
        bucket = int(now / self._bucket_s)
        if self._newest is None:
            self._newest = bucket
        gone = min(bucket - self._newest, _BUCKETS)
        if gone <= 0:
            return
        for offset in range(1, gone + 1):
            place = (self._newest + offset) % _BUCKETS
            self.hits -= self._hits[place]
            self.of -= self._of[place]
            self._hits[place] = 0.0
            self._of[place] = 0
        self._newest = bucket
        if not self.of:
            self.hits = 0.0  # no rounding remains of fractions that came and went

    def add(self, now: float, *, hits: float, of: int) -> None:
        """Counts ``hits`` among ``of`` samples at this instant."""
        self.advance(now)
        assert self._newest is not None
        place = self._newest % _BUCKETS
        self._hits[place] += hits
        self._of[place] += of
        self.hits += hits
        self.of += of


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One figure of the window: its name for people, its samples, its share and its threshold."""

    name: str
    samples: int
    share: float
    threshold: float


class Terms(Protocol):
    """What a share has to be to count: over which window, of how many samples."""

    @property
    def window_s(self) -> float:
        """Length of the window in seconds."""
        ...

    @property
    def min_samples(self) -> int:
        """Samples that a share needs before it can cross its threshold."""
        ...


@dataclass(frozen=True, slots=True)
class State:
    """Whether work is degraded, why, and since when everything has been calm."""

    reason: str = ""
    since: float | None = None
    calm_since: float | None = None


Change = Literal["tripped", "recovered"]


def crossed(terms: Terms, shares: tuple[Share, ...]) -> str:
    """Which share is above its threshold with samples enough; empty for none."""
    for share in shares:
        if share.samples >= terms.min_samples and share.share > share.threshold:
            return (
                f"{share.name} {share.share:.1%} of {share.samples} in {terms.window_s:g} s, "
                f"more than {share.threshold:.1%}"
            )
    return ""


def calm(shares: tuple[Share, ...]) -> bool:
    """Whether every share is under half its threshold."""
    return all(share.share < share.threshold / 2 for share in shares)


def step(
    terms: Terms, state: State, shares: tuple[Share, ...], *, now: float, learning: bool
) -> tuple[State, Change | None]:
    """What follows from the shares of the window at this instant.

    While a limit is being learned nothing trips: refusals are how it is found. Degraded work
    recovers when every share has stayed under half its threshold for a whole window.
    """
    if state.since is None:
        reason = "" if learning else crossed(terms, shares)
        if not reason:
            return state, None
        return State(reason, now, None), "tripped"
    if not calm(shares):
        return (state if state.calm_since is None else replace(state, calm_since=None)), None
    if state.calm_since is None:
        return replace(state, calm_since=now), None
    if now - state.calm_since >= terms.window_s:
        return State(), "recovered"
    return state, None
