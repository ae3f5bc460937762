"""How limits and latencies move over time: events as factors that stand from instant to instant."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from fanwise.simulator.virtual.spec import Drift, Event, Outage, Ramp, Step, Target

_RAMP_STEP_S = 1.0


class Course:
    """A factor over time, constant between its changes.

    Args:
        changes: (instant, factor) in the order of the instants; before the first it is 1.
    """

    __slots__ = ("factors", "instants")

    def __init__(self, changes: Sequence[tuple[float, float]]) -> None:
        self.instants = [at for at, _ in changes]
        self.factors = [1.0, *(factor for _, factor in changes)]

    def at(self, now: float) -> float:
        """The factor that holds at an instant."""
        return self.factors[bisect_right(self.instants, now)]


def limit_course(events: Sequence[Event], of: Target) -> Course:
    """How one limit moves: the steps and ramps that name it or all limits, in order of time."""
    moves = [e for e in events if isinstance(e, Step | Ramp) and e.of in {of, "all"}]
    changes: list[tuple[float, float]] = []
    factor = 1.0
    for move in sorted(moves, key=lambda e: e.at_s if isinstance(e, Step) else e.from_s):
        if isinstance(move, Step):
            changes.append((move.at_s, move.factor))
        else:
            changes += _ramp(factor, move.factor, from_s=move.from_s, until_s=move.until_s)
        factor = move.factor
    return Course(changes)


def latency_course(events: Sequence[Event]) -> Course:
    """How slow answers become."""
    changes: list[tuple[float, float]] = []
    factor = 1.0
    drifts = [e for e in events if isinstance(e, Drift)]
    for drift in sorted(drifts, key=lambda e: e.from_s):
        changes += _ramp(factor, drift.factor, from_s=drift.from_s, until_s=drift.until_s)
        factor = drift.factor
    return Course(changes)


def outages(events: Sequence[Event]) -> Sequence[Outage]:
    """The outages in order of time."""
    return sorted((e for e in events if isinstance(e, Outage)), key=lambda e: e.from_s)


def _ramp(
    start: float, end: float, *, from_s: float, until_s: float
) -> Sequence[tuple[float, float]]:
    steps = max(1, round((until_s - from_s) / _RAMP_STEP_S))
    return [
        (from_s + (until_s - from_s) * n / steps, start + (end - start) * n / steps)
        for n in range(1, steps + 1)
    ]
