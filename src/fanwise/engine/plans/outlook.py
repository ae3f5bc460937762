"""How long a planned run will take, which limit binds, and what raising it would bring.

The run is rehearsed several times. What binds is found by trying: each limit in turn is raised and
the run rehearsed again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Final

from fanwise.engine.plans.knowledge import Factors, Knowledge
from fanwise.engine.plans.records import Gain, Outlook
from fanwise.engine.plans.rehearsed import Ask, Chain, Rehearsed, Setting, rehearse
from fanwise.errors import ConfigError
from fanwise.limits.estimate import output_cap
from fanwise.simulator.virtual.provider import Work
from fanwise.simulator.virtual.quota import whole_cost

_SEEDS: Final = 5
_UNSURE: Final = 0.04  # of a time that nothing speaks against: timers, a busy machine
_CALLS: Final = 2000  # items that are rehearsed with several seeds, all in all
_COMPARED: Final = 500  # items that limits are compared on
_FELT: Final = 0.03  # a raised limit that saves less than this share was not what bound
_LESS: Final = 0.8
_COSTLY: Final = 0.05  # what a limit a fifth smaller must add to the time to have bound
_PLAINLY: Final = 0.15  # what it adds where it alone decides is a quarter
_MORE: Final = 2.0
_MUCH_MORE: Final = 5.0
_SETTLED: Final = (0.45, 0.95)  # of the rehearsed items: between these the pace is measured
_LIMITS: Final = ("rpm", "tpm", "input_tpm", "output_tpm")
_OWN: Final = frozenset({"concurrency", *_LIMITS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a run asks for.

    Args:
        items: Items that make calls.
        chains: The calls of all of them, or of a part spread evenly over them.
    """

    items: int
    chains: Sequence[Chain]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """Tokens paid for, over those that one answer to each call would take: by model."""

    given: Mapping[str, float]
    written: Mapping[str, float]


def look_ahead(demand: Demand, setting: Setting) -> tuple[Outlook, Paid]:
    """Rehearses a run and says how it will go. Computes for some seconds at most.

    Args:
        demand: What it asks for.
        setting: Under what; its seed is the first of several.

    Raises:
        ConfigError: The provider would not serve it within two weeks.
        StateError: An event loop runs in this thread.
    """
    seeds = range(max(1, min(_SEEDS, _CALLS // len(demand.chains))))
    rehearsals = [rehearse(demand.chains, replace(setting, seed=setting.seed + n)) for n in seeds]
    times = [_time_s(one, demand, setting) for one in rehearsals]
    likely_s = median(times)
    around = [_case_s(demand, setting, place) for place in range(2)]
    some = _thinned(demand)
    some_s = _time_s(rehearse(some.chains, setting), some, setting)
    binds = _binds(some, setting, some_s)
    gains = [
        replace(gain, time_s=gain.time_s * likely_s / some_s)
        for gain in (*_gains(some, setting, some_s), *_further(some, setting, some_s, binds))
    ]
    sent = sum(sum(one.sent.values()) for one in rehearsals)
    outlook = Outlook(
        low_s=min(*times, *around) * (1.0 - _UNSURE),
        likely_s=likely_s,
        high_s=max(*times, *around) * (1.0 + _UNSURE),
        binds=binds,
        gains=sorted(gains, key=lambda gain: gain.time_s),
        refusals=sum(one.refused for one in rehearsals) / max(1, sent),
        failures=sum(one.failed for one in rehearsals) / (len(seeds) * len(demand.chains)),
        rehearsed=len(demand.chains),
    )
    return outlook, _paid(rehearsals, demand)


def _time_s(seen: Rehearsed, demand: Demand, setting: Setting) -> float:
    """Seconds for all items, from a rehearsal of all or some of them."""
    ended = seen.ended_at
    if seen.overdue or len(ended) < len(demand.chains):
        raise ConfigError(
            f"the provider would not serve {len(demand.chains)} items within two weeks",
            hint="raise the limits, or ask for less",
        )
    time_s = ended[-1]
    left = demand.items - len(demand.chains)
    if left > 0:
        first, last = (int(share * (len(ended) - 1)) for share in _SETTLED)
        pace_s = (ended[last] - ended[first]) / max(1, last - first)
        # What a bucket held at the start is gone after a while, however the rehearsal went.
        time_s = max(time_s + left * pace_s, _least_s(demand, setting))
    return time_s + setting.machine.start_s


def _least_s(demand: Demand, setting: Setting) -> float:
    """Seconds below which no quota lets all items through."""
    taken: dict[tuple[str, str], tuple[float, float, float]] = {}
    for chain in demand.chains:
        for ask in chain:
            known = setting.known[ask.request.model]
            work = Work(0, ask.given, ask.written, output_cap(ask.request)[0] or 0, 0.0, 0.0)
            pool = known.pool if known.shared else known.model
            for allowance in known.spec.allowances:
                key = pool, allowance.dimension
                sum_ = taken.get(key, (0.0, 0.0, 0.0))[0] + whole_cost(allowance, work)
                taken[key] = sum_, allowance.size, allowance.per_minute / 60.0
    share = demand.items / max(1, len(demand.chains))
    return max(
        ((units * share - size) / per_s for units, size, per_s in taken.values()), default=0.0
    )


def _thinned(demand: Demand) -> Demand:
    """The same demand seen through fewer items, spread evenly."""
    every = -(-len(demand.chains) // _COMPARED)
    return replace(demand, chains=demand.chains[::every])


def _paid(rehearsals: Sequence[Rehearsed], demand: Demand) -> Paid:
    given: dict[str, int] = {}
    written: dict[str, int] = {}
    for chain in demand.chains:
        for ask in chain:
            model = ask.request.model
            given[model] = given.get(model, 0) + ask.given
            written[model] = written.get(model, 0) + ask.written
    runs = len(rehearsals)
    return Paid(
        given={
            model: sum(one.given.get(model, 0) for one in rehearsals) / (runs * max(1, once))
            for model, once in given.items()
        },
        written={
            model: sum(one.written.get(model, 0) for one in rehearsals) / (runs * max(1, once))
            for model, once in written.items()
        },
    )


# if answers are quicker or slower, shorter or longer than thought


def _case_s(demand: Demand, setting: Setting, place: int) -> float:
    """Seconds in the low case (place 0) or in the high one (1)."""
    known = {model: _slower(one, one.time[place]) for model, one in setting.known.items()}
    factors = {model: (one.given, one.written) for model, one in setting.known.items()}
    chains = [
        [_larger(ask, factors[ask.request.model], place) for ask in chain]
        for chain in demand.chains
    ]
    changed = replace(demand, chains=chains)
    case = replace(setting, known=known)
    return _time_s(rehearse(chains, case), changed, case)


def _slower(known: Knowledge, factor: float) -> Knowledge:
    latency = known.latency
    return replace(
        known,
        slowness=known.slowness * factor,
        latency=replace(
            latency,
            first_s=latency.first_s * factor,
            per_token_s=latency.per_token_s * factor,
            residuals=tuple(one * factor for one in latency.residuals),
        ),
    )


def _larger(ask: Ask, factors: tuple[Factors, Factors], place: int) -> Ask:
    given, written = factors
    cap = output_cap(ask.request)[0] or math.inf
    more = min(cap, max(1.0, ask.written * written[place]))
    return Ask(ask.request, max(1, round(ask.given * given[place])), round(more))


# what binds


def _gains(demand: Demand, setting: Setting, likely_s: float) -> Iterator[Gain]:
    """What each limit would bring if it were twice as large, as far as it brings any."""
    for name, value, raised, changed in _raised(setting, _MORE):
        time_s = _time_s(rehearse(demand.chains, changed), demand, changed)
        if time_s < likely_s * (1.0 - _FELT):
            yield Gain(limit=name, value=value, raised=raised, time_s=time_s)


def _further(
    demand: Demand, setting: Setting, likely_s: float, binds: str | None
) -> Iterator[Gain]:
    """What five times the binding limit would bring."""
    for name, value, raised, changed in _raised(setting, _MUCH_MORE):
        if name == binds and value is not None:
            time_s = _time_s(rehearse(demand.chains, changed), demand, changed)
            if time_s < likely_s * (1.0 - _FELT):
                yield Gain(limit=name, value=value, raised=raised, time_s=time_s)


def _binds(demand: Demand, setting: Setting, likely_s: float) -> str | None:
    """The limit that costs most when it is made smaller; one's own before the provider's.

    Where two bind at once, raising either brings nothing, and still both of them bind.
    """
    costs = {
        name: _time_s(rehearse(demand.chains, changed), demand, changed) / likely_s - 1.0
        for name, _, _, changed in _raised(setting, _LESS)
    }
    worst = max(costs, key=lambda name: costs[name], default=None)
    own = max((name for name in costs if name in _OWN), key=lambda name: costs[name], default=None)
    if own is not None and costs[own] >= _PLAINLY:
        return own
    return worst if worst is not None and costs[worst] >= _COSTLY else None


def _raised(
    setting: Setting, factor: float
) -> Iterator[tuple[str, float | None, float | None, Setting]]:
    """Every limit in turn, so many times as large: name, value, raised value, and the setting."""
    limits = setting.limits
    at_once = limits.stated_concurrency
    if at_once is not None and at_once < math.inf:
        raised = max(1, round(factor * at_once))
        more = replace(setting, limits=replace(limits, concurrency=raised))
        yield "concurrency", at_once, raised, more
    for name in _LIMITS:
        value: float | None = getattr(limits, name)
        if value is not None and value < math.inf:
            change: Any = {name: factor * value}
            changed = replace(setting, limits=replace(limits, **change))
            yield name, value, factor * value, changed
    yield from _raised_by_provider(setting, factor)
    machine = setting.machine
    if machine.call_s > 0.0:
        quicker = replace(machine, call_s=machine.call_s / factor)
        yield "this machine", None, None, replace(setting, machine=quicker)


def _raised_by_provider(
    setting: Setting, factor: float
) -> Iterator[tuple[str, float | None, float | None, Setting]]:
    """The same of what the providers allow: each kind of limit of all of them at once."""
    sums: dict[str, float] = {}
    for known in setting.known.values():
        for allowance in known.spec.allowances:
            sums[allowance.dimension] = allowance.per_minute
        if known.spec.slots is not None:
            sums["slots"] = known.spec.slots.count
    for kind, value in sums.items():
        changed = {model: _allowed(one, kind, factor) for model, one in setting.known.items()}
        more = replace(setting, known=changed)
        yield f"provider's {kind}", value, factor * value, more


def _allowed(known: Knowledge, kind: str, factor: float) -> Knowledge:
    spec = known.spec
    if kind == "slots":
        if spec.slots is None:
            return known
        count = max(1, round(spec.slots.count * factor))
        return replace(known, spec=replace(spec, slots=replace(spec.slots, count=count)))
    allowances = tuple(
        replace(one, per_minute=one.per_minute * factor) if one.dimension == kind else one
        for one in spec.allowances
    )
    return replace(known, spec=replace(spec, allowances=allowances))
