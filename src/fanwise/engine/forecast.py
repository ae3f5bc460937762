"""How long a run will take, which limit will bind, and what raising it would gain.

The run is rehearsed: the limiter and the retry policy as they are, against a provider in virtual
time. What binds is found by trying: each limit in turn is made a fifth smaller and rehearsed again,
and what raising it would gain by doubling it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any

from fanwise.engine.rehearsal import Trace, rehearse
from fanwise.errors import ConfigError
from fanwise.limits.limiter import Limiter
from fanwise.simulator.virtual.scenario import Load, Scenario

if TYPE_CHECKING:
    from fanwise.clock import Clock
    from fanwise.limits.settings import Limits
    from fanwise.retry.policy import Retry
    from fanwise.simulator.virtual.spec import ProviderSpec

_REHEARSED = 2000
_MOST_CHANCES = 5  # times a short run is rehearsed, with other chances each
_LONGEST_S = 7 * 86_400.0
_SMALLER = 0.8
_FELT = 0.04  # what a smaller limit must add to the time, as a share of it, to have bound
_ALIKE = 0.05  # of limits that add alike, the run's own is named before the provider's
_MOST_WORKERS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a run asks for.

    Args:
        calls: Calls it will make; at least 1.
        input_tokens: Mean tokens a call brings.
        output_tokens: Mean tokens of an answer.
        reserved_tokens: Output tokens a call asks for at most; ``None`` where it sets no bound.
        sigma: Standard deviation of the logarithm of both means.
    """

    calls: int
    input_tokens: float = 500
    output_tokens: float = 200
    reserved_tokens: int | None = None
    sigma: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A run's time, before it.

    Args:
        low_s: Seconds it takes if answers are quicker and shorter than thought.
        likely_s: Seconds it takes if all is as thought.
        high_s: Seconds it takes if answers are slower and longer than thought.
        binds: The limit that costs most time when it is made smaller: ``concurrency``, ``rpm``,
            ``tpm``, ``input_tpm`` or ``output_tpm``, or one of the provider's own (``provider's
            requests``, ``provider's slots`` …); ``None`` where none does.
        gains: By limit: the likely seconds if it alone were twice as large. Where two bind at once,
            neither of them gains much.
        refusals: Refusals for each served call to expect.
    """

    low_s: float
    likely_s: float
    high_s: float
    binds: str | None
    gains: Mapping[str, float]
    refusals: float


def forecast(
    demand: Demand,
    *,
    limits: Limits,
    provider: ProviderSpec,
    uncertainty: float = 1.25,
    retry: Retry | None = None,
    seed: int = 0,
) -> Forecast:
    """Rehearses a run and says how long it will take. Sends nothing.

    The first 2000 calls are rehearsed, and the pace of the last half of them is carried on to the
    end; of shorter runs the median of several rehearsals counts. Computes for about a tenth of a
    second for each limit: inside an event loop it belongs into a thread (``asyncio.to_thread``).

    Args:
        demand: What the run asks for.
        limits: The run's limits.
        provider: What is known or guessed of the provider; its ``speed`` is the latency to expect.
        uncertainty: Factor by which latencies and lengths of answers may differ either way, at
            least 1.
        retry: The retry policy; the default one if omitted.
        seed: The same seed gives the same forecast.

    Raises:
        ConfigError: The demand or the uncertainty is impossible, or the provider cannot serve the
            calls within a week.
        StateError: An event loop runs in this thread.
    """
    if demand.calls < 1 or not uncertainty >= 1.0:
        raise ConfigError(
            f"{demand.calls} calls with an uncertainty of {uncertainty!r} cannot be forecast",
            hint="give 1 call or more, and an uncertainty of 1 or more",
        )

    seeds = range(seed, seed + max(1, min(_MOST_CHANCES, _REHEARSED // demand.calls)))

    def times_s(limits: Limits, provider: ProviderSpec, factor: float = 1.0) -> Sequence[float]:
        scenario = _scenario(demand, limits, provider, factor)
        traces = (rehearse(scenario, _maker(limits), seed=one, retry=retry) for one in seeds)
        return sorted(_carried_on(trace, demand.calls) for trace in traces)

    as_thought = times_s(limits, provider)
    likely_s = median(as_thought)
    gains = {
        name: median(times_s(own, theirs)) for name, own, theirs in _scaled(limits, provider, 2.0)
    }
    costs = {
        name: median(times_s(own, theirs)) / likely_s - 1.0
        for name, own, theirs in _scaled(limits, provider, _SMALLER)
    }
    worst = max(costs.values(), default=0.0)
    alike = [name for name, cost in costs.items() if cost >= max(_FELT, worst - _ALIKE)]
    trace = rehearse(
        _scenario(demand, limits, provider, 1.0), _maker(limits), seed=seed, retry=retry
    )
    refused = sum(one.kind in {"rate", "capacity"} for one in trace.sent)
    served = sum(one.kind == "served" for one in trace.sent)
    return Forecast(
        low_s=min(as_thought[0], *times_s(limits, provider, 1.0 / uncertainty)),
        likely_s=likely_s,
        high_s=max(as_thought[-1], *times_s(limits, provider, uncertainty)),
        binds=alike[0] if alike else None,
        gains=gains,
        refusals=refused / max(1, served),
    )


def _scenario(demand: Demand, limits: Limits, provider: ProviderSpec, factor: float) -> Scenario:
    concurrency = _number(limits.concurrency)
    workers = _MOST_WORKERS if concurrency is None else min(_MOST_WORKERS, 4 * concurrency + 64)
    slower = replace(provider.speed, first_token_s=provider.speed.first_token_s * factor)
    return Scenario(
        name="forecast",
        provider=replace(provider, speed=slower),
        load=Load(
            input_tokens=demand.input_tokens,
            output_tokens=demand.output_tokens * factor,
            sigma=demand.sigma,
            reserved_tokens=demand.reserved_tokens,
            items=min(demand.calls, _REHEARSED),
            workers=int(workers),
        ),
        duration_s=_LONGEST_S,
    )


def _maker(limits: Limits) -> Callable[[Clock], Limiter]:
    return lambda clock: Limiter(limits, clock=clock, name="forecast")


def _carried_on(trace: Trace, calls: int) -> float:
    """Seconds for all calls, from a rehearsal of the first of them."""
    served = [one for one in trace.sent if one.kind == "served"]
    done = len(served) + sum(trace.failed)
    if not served or done < min(calls, _REHEARSED):
        raise ConfigError(
            f"the provider would not serve {min(calls, _REHEARSED)} calls within a week",
            hint="raise the limits, or ask for less",
        )
    if calls <= done:
        return trace.ended_at
    starts = sorted(one.granted_at for one in served)
    half = len(starts) // 2
    pace_s = (starts[-1] - starts[half]) / max(1, len(starts) - 1 - half)
    return trace.ended_at + (calls - done) * pace_s


def _scaled(
    limits: Limits, provider: ProviderSpec, factor: float, /
) -> Iterator[tuple[str, Limits, ProviderSpec]]:
    """Every limit in turn, so many times as large."""
    for name in ("concurrency", "rpm", "tpm", "input_tpm", "output_tpm"):
        value = _number(getattr(limits, name))
        if value is not None:
            scaled = max(1, round(value * factor)) if name == "concurrency" else value * factor
            other: Any = {name: scaled}
            yield name, replace(limits, **other), provider
    for allowance in provider.allowances:
        larger = replace(allowance, per_minute=allowance.per_minute * factor)
        changed = tuple(larger if one is allowance else one for one in provider.allowances)
        yield f"provider's {allowance.dimension}", limits, replace(provider, allowances=changed)
    if provider.slots is not None:
        slots = replace(provider.slots, count=max(1, round(provider.slots.count * factor)))
        yield "provider's slots", limits, replace(provider, slots=slots)
    if provider.sharing < math.inf:
        shared = replace(provider, sharing=provider.sharing * factor)
        yield "provider's capacity", limits, shared


def _number(value: object) -> float | None:
    """A finite limit; ``None`` of one that is unknown, unlimited or learned."""
    return value if isinstance(value, int | float) and math.isfinite(value) else None
