"""What a rehearsal is judged by."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from fanwise.engine.rehearsal import Sent, Trace
from fanwise.simulator.virtual.course import latency_course
from fanwise.simulator.virtual.oracle import MeanCost, Oracle
from fanwise.simulator.virtual.quota import whole_cost
from fanwise.simulator.virtual.spec import Outage, Step

_LOOK_S = 60.0
_ENOUGH = 0.9
_FEW_IN_A_WINDOW = 60
_REFUSED = {"rate", "capacity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The figures of one rehearsal; ``None`` where a scenario has nothing of the kind.

    Args:
        goodput: Served requests (of those begun in time) over the oracle's; where the number of
            requests is fixed, the oracle's time over the time it took, one mean service time
            added to both.
        refusals: Refusals for rate or capacity for each served request.
        excess: Refusals in the 60 s after a step down, less those in the 60 s before it.
        start_s: Seconds until nine tenths of the oracle's rate are reached.
        recovery_s: The same after a step up, or after an outage.
        fairness: Jain's index of what the clients got, from the last one's start on.
        heavy: Longest wait of a large request over its wait had the queue been served in order.
        sends: Attempts for each served request.
        queue_p99_s: 99th percentile of waits for a permit.
        failed: Requests given up.
        ratio: Virtual seconds for one of the processor.
    """

    goodput: float
    refusals: float
    excess: float | None
    start_s: float | None
    recovery_s: float | None
    fairness: float | None
    heavy: float | None
    sends: float
    queue_p99_s: float
    failed: int
    ratio: float

    def as_dict(self) -> dict[str, float | None]:
        """By name."""
        return asdict(self)


def measure(trace: Trace, *, cpu_s: float) -> Measures:
    scenario = trace.scenario
    served = [one for one in trace.sent if one.kind == "served"]
    refused = [one for one in trace.sent if one.kind in _REFUSED]
    oracle = oracle_of(trace, served)
    served_at = begun_at(trace, served)
    waits = sorted(one.granted_at - one.asked_at for one in trace.sent)
    count = max(1, len(served))
    return Measures(
        goodput=goodput(trace, oracle, served_at, mean_s=_mean_service_s(served)),
        refusals=len(refused) / count,
        excess=_excess(trace, refused),
        start_s=_reaches(oracle, served_at, from_s=0.0, until_s=scenario.duration_s),
        recovery_s=_recovery(trace, oracle, served_at),
        fairness=_fairness(trace, served),
        heavy=_heavy(trace.sent),
        sends=len(trace.sent) / count,
        queue_p99_s=waits[int(0.99 * (len(waits) - 1))] if waits else 0.0,
        failed=sum(trace.failed),
        ratio=trace.ended_at / max(1e-9, cpu_s),
    )


def begun_at(trace: Trace, served: Sequence[Sent]) -> Sequence[float]:
    """When served requests were begun, in order: no sooner than they alone had needed to.

    What stood in a provider's queue, or was slowed down by others beside it, was not yet begun when
    it was sent: nobody gains by keeping more of it there.
    """
    slowness = latency_course(trace.scenario.provider.events)
    return sorted(
        max(one.granted_at, one.ended_at - one.work.service_s * slowness.at(one.granted_at))
        for one in served
    )


def oracle_of(trace: Trace, served: Sequence[Sent]) -> Oracle:
    """The oracle for requests such as were really served."""
    scenario = trace.scenario
    spec, count = scenario.provider, max(1, len(served))
    again = 1.0 / (1.0 - spec.error_share)
    units = [
        again * sum(whole_cost(allowance, one.work) for one in served) / count
        for allowance in spec.allowances
    ]
    mean_s = sum(one.work.service_s for one in served) / count
    square = sum(one.work.service_s**2 for one in served) / count
    return Oracle(
        spec,
        MeanCost(
            units=tuple(units),
            # What fails does so half-way through, on average.
            service_s=mean_s * (1.0 + 0.5 * (again - 1.0)),
            service_cv2=square / mean_s**2 - 1.0 if mean_s else 0.0,
        ),
        horizon_s=scenario.duration_s,
    )


def goodput(trace: Trace, oracle: Oracle, served_at: Sequence[float], *, mean_s: float) -> float:
    scenario = trace.scenario
    if scenario.load.items < math.inf:
        wanted = scenario.load.items * scenario.clients
        if len(served_at) < wanted:
            # Not all of it in time: what was, over what could have been.
            return len(served_at) / min(wanted, max(1.0, oracle.served(scenario.duration_s)))
        return (oracle.time_for(wanted) + mean_s) / (served_at[-1] + mean_s)
    possible = oracle.served(scenario.duration_s)
    if scenario.load.arrivals_per_s is not None:
        # As many as really came, which chance makes more or fewer than the mean.
        possible = min(possible, len({(one.client, one.work.number) for one in trace.sent}))
    in_time = bisect_right(served_at, scenario.duration_s)
    return in_time / possible if possible else 0.0


def _mean_service_s(served: Sequence[Sent]) -> float:
    return sum(one.work.service_s for one in served) / max(1, len(served))


def _excess(trace: Trace, refused: Sequence[Sent]) -> float | None:
    downs = _steps(trace, down=True)
    if not downs:
        return None
    at = sorted(one.ended_at for one in refused)
    found = [_between(at, t, t + _LOOK_S) - _between(at, t - _LOOK_S, t) for t in downs]
    return sum(found) / len(found)


def _recovery(trace: Trace, oracle: Oracle, served_at: Sequence[float]) -> float | None:
    ups = _steps(trace, down=False)
    ups += [e.until_s for e in trace.scenario.provider.events if isinstance(e, Outage)]
    found = [
        _reaches(oracle, served_at, from_s=up, until_s=trace.scenario.duration_s) for up in ups
    ]
    known = [one for one in found if one is not None]
    return max(known) if known else None


def _steps(trace: Trace, *, down: bool) -> list[float]:
    found: list[float] = []
    before = 1.0
    for event in trace.scenario.provider.events:
        if isinstance(event, Step):
            if (event.factor < before) == down and event.factor != before:
                found.append(event.at_s)
            before = event.factor
    return found


def _reaches(
    oracle: Oracle, served_at: Sequence[float], *, from_s: float, until_s: float
) -> float | None:
    """Seconds until a window begins in which nine tenths of the oracle's flow were served."""
    flow = oracle.between(from_s + 1.0, until_s) / max(1.0, until_s - from_s - 1.0)
    window_s = max(2.0, _FEW_IN_A_WINDOW / flow) if flow else math.inf
    end = min(until_s, served_at[-1]) if served_at else 0.0
    at = from_s
    while at + window_s <= end:
        # What a burst holds at the start is no rate: the oracle's flow from the second second on.
        flow = oracle.between(max(at, 1.0), max(at, 1.0) + window_s)
        if _between(served_at, at, at + window_s) >= _ENOUGH * flow:
            return at - from_s
        at += 0.5
    return None


def _between(instants: Sequence[float], from_s: float, until_s: float) -> int:
    return bisect_left(instants, until_s) - bisect_left(instants, from_s)


def _fairness(trace: Trace, served: Sequence[Sent]) -> float | None:
    scenario = trace.scenario
    if scenario.clients < 2:
        return None
    all_there_s = scenario.stagger_s * (scenario.clients - 1) + _LOOK_S
    got = [0] * scenario.clients
    for one in served:
        if one.granted_at >= all_there_s:
            got[one.client] += 1
    squares = sum(n * n for n in got)
    return sum(got) ** 2 / (len(got) * squares) if squares else 0.0


def _heavy(sent: Sequence[Sent]) -> float | None:
    """Longest wait of a large request over its wait in a queue served strictly in order.

    In such a queue the k-th that asked is the k-th that is granted.
    """
    if not any(one.work.heavy for one in sent):
        return None
    asked = sorted(one.asked_at for one in sent)
    granted = sorted(one.granted_at for one in sent)
    worst = 0.0
    in_order = sorted(sent, key=lambda one: (one.asked_at, one.work.number))
    for place, one in enumerate(in_order):
        if one.work.heavy and one.granted_at - one.asked_at > 1.0:
            last = bisect_right(asked, one.asked_at) - 1
            fifo_s = granted[min(place, last)] - one.asked_at
            worst = max(worst, (one.granted_at - one.asked_at) / max(1.0, fifo_s))
    return worst or 1.0
