"""From calls that were made to what is to be expected: latencies, faults, limits, tokens."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean, median
from typing import TYPE_CHECKING, Final, NamedTuple

from fanwise.engine.plans.history import Past, Served, Try, pool_said
from fanwise.engine.plans.knowledge import Factors, Fault, Knowledge, Latency, Tokens
from fanwise.limits.estimate import TokenEstimator, output_cap
from fanwise.simulator.virtual.spec import Advice, Allowance, ProviderSpec, Slots, Speed

if TYPE_CHECKING:
    from fanwise.records import Dimension, Request

_NETWORK_S: Final = 0.002  # what was measured holds the way there and back already
_LEAST: Final = 5  # calls below which nothing is known
_GROUP: Final = 8
_PREFIX: Final = 32
_KEPT: Final = 500
_SPAN_S: Final = 2.0
_FULL: Final = 0.85
_STRAIGHT: Final = 0.3  # share of the variance that a line has to explain
_REFUSED: Final = frozenset({"rate", "capacity"})


def measured(model: str, past: Past, *, pool: str, now_s: float) -> Knowledge | None:
    """What is known of a model from earlier calls; ``None`` where there are too few.

    Args:
        model: ``provider/model``.
        past: What is remembered of it.
        pool: Its quota pool.
        now_s: The present, in epoch seconds.
    """
    served = past.served
    if len(served) < _LEAST:
        return None
    few = 1.0 / math.sqrt(len(served))
    runs = f"run {past.run_ids[0]}"
    if len(past.run_ids) > 1:
        runs = f"{len(past.run_ids)} runs, the newest {past.run_ids[0]}"
    spec = _spec(past, pool)
    return Knowledge(
        model=model,
        pool=pool,
        basis="measured",
        words=f"{len(served)} calls of {runs}, {_ago(now_s - past.newest_s)} ago"
        + _limits_said(spec),
        latency=latency_of(served),
        spec=spec,
        faults=tuple(_faults(past, spec)),
        tokens=_Tokens(served).of,
        time=Factors(1.0 / (1.1 + few), 1.1 + few),
        given=Factors(1.0 - 0.3 * few, 1.0 + 0.3 * few),
        written=Factors(1.0 / (1.05 + few), 1.05 + few),
    )


def _ago(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def _limits_said(spec: ProviderSpec) -> str:
    said = [f"{one.per_minute:,.0f} {one.dimension} a minute" for one in spec.allowances]
    if spec.slots is not None:
        said.append(f"{spec.slots.count} at once")
    return f"; the provider allows {', '.join(said)}" if said else "; it refused nothing"


# latencies


def latency_of(served: Sequence[Served]) -> Latency:
    """A line through what answers took against their length, and what they differed from it."""
    took = [one.took_s for one in served]
    written = [float(one.written) for one in served]
    slope, start = _line(written, took)
    if slope <= 0.0 or start < 0.0:
        slope, start = 0.0, fmean(took)
    residuals = [
        taken - start - slope * tokens for taken, tokens in zip(took, written, strict=True)
    ]
    step = max(1, len(residuals) // _KEPT)
    return Latency(first_s=start, per_token_s=slope, residuals=tuple(residuals[::step]))


def _line(across: Sequence[float], up: Sequence[float]) -> tuple[float, float]:
    """Slope and start of the least-squares line; slope 0 where it explains next to nothing."""
    mean_x, mean_y = fmean(across), fmean(up)
    spread = sum((x - mean_x) ** 2 for x in across)
    height = sum((y - mean_y) ** 2 for y in up)
    if spread <= 0.0 or height <= 0.0:
        return 0.0, mean_y
    product = sum((x - mean_x) * (y - mean_y) for x, y in zip(across, up, strict=True))
    slope = product / spread
    if product * product / (spread * height) < _STRAIGHT:
        return 0.0, mean_y
    return slope, mean_y - slope * mean_x


# faults and limits


def _faults(past: Past, spec: ProviderSpec) -> Iterator[Fault]:
    tries = [one for run in past.tries for one in run]
    admitted = sum(one.kind not in _REFUSED for one in tries)
    failed = [one for one in tries if one.kind == "infrastructure"]
    if failed and admitted:
        yield Fault(
            share=min(0.95, len(failed) / admitted),
            kind="failed",
            durations_s=tuple(one.ended_at - one.sent_at for one in failed[:_KEPT]),
        )
    full = [one for one in tries if one.kind == "capacity"]
    paced = spec.slots is not None or any(one.dimension == "requests" for one in spec.allowances)
    if full and not paced:
        yield Fault(
            share=min(0.95, len(full) / (admitted + len(full))),
            kind="full",
            durations_s=tuple(one.ended_at - one.sent_at for one in full[:_KEPT]),
        )


def _spec(past: Past, pool: str) -> ProviderSpec:
    """The provider's limits: as it states them, else as its refusals showed them."""
    stated = pool_said(past.learned, pool)
    refusals = [one for run in past.tries for one in run if one.kind in _REFUSED]
    delays = [one.ended_at - one.sent_at for one in refusals]
    fitted = [fit for run in past.tries if (fit := fit_bucket(run, _one)) is not None]
    slots = next((n for run in past.tries if (n := fit_slots(run)) is not None), None)
    allowances: list[Allowance] = []
    for dimension, per_minute in stated.items():
        burst_s = 1.0
        if dimension == "requests" and fitted:
            burst_s = max(0.0, fitted[0].size * 60.0 / per_minute)
        elif dimension != "requests":
            tokens = [f for run in past.tries if (f := fit_bucket(run, _tokens)) is not None]
            burst_s = tokens[0].size * 60.0 / per_minute if tokens else 6.0
        allowances.append(_allowance(dimension, per_minute, burst_s))
    if not stated and fitted and slots is None:
        per_minute = fitted[0].per_s * 60.0
        allowances.append(_allowance("requests", per_minute, fitted[0].size / fitted[0].per_s))
    return ProviderSpec(
        allowances=tuple(allowances),
        slots=None if slots is None else Slots(count=slots),
        speed=Speed(
            first_token_s=0.0,
            sigma=0.0,
            network_s=_NETWORK_S,
            refusal_s=max(0.0, median(delays) - _NETWORK_S) if delays else 0.02,
        ),
        advice=_advice(refusals),
        states_limits=bool(stated),
    )


def _allowance(dimension: Dimension, per_minute: float, burst_s: float) -> Allowance:
    return Allowance(
        dimension=dimension, per_minute=per_minute, burst_s=min(600.0, max(0.0, burst_s))
    )


def _advice(refusals: Sequence[Try]) -> Advice:
    asked = [one.retry_after_s for one in refusals if one.retry_after_s]
    if not asked:
        return "absent" if refusals else "exact"
    return "integer" if all(wait_s == round(wait_s) for wait_s in asked) else "exact"


class Bucket(NamedTuple):
    """A token bucket that was seen at work: what flows in a second, and what it holds."""

    per_s: float
    size: float


def _one(_: Try) -> float:
    return 1.0


def _tokens(one: Try) -> float:
    return float(one.tokens)


def fit_bucket(tries: Sequence[Try], amount: Callable[[Try], float]) -> Bucket | None:
    """The bucket that let some attempts through and refused others for their rate.

    It is empty whenever it refuses. What it let through between its first refusal and its last is
    therefore what flowed in meanwhile, and what it let through before the first one, beyond the
    inflow, is what it held.

    Args:
        tries: The attempts of one run in order of their sends.
        amount: What one that was let through took.

    Returns:
        ``None`` where it refused less than twice, or all within two seconds.
    """
    refused = [one.sent_at for one in tries if one.kind == "rate"]
    if len(refused) < 2 or refused[-1] - refused[0] < _SPAN_S:
        return None
    first, last = refused[0], refused[-1]
    let = [one for one in tries if one.kind not in _REFUSED]
    between = sum(amount(one) for one in let if first <= one.sent_at < last)
    before = sum(amount(one) for one in let if one.sent_at < first)
    per_s = between / (last - first)
    if per_s <= 0.0:
        return None
    begun = min(one.sent_at for one in tries)
    return Bucket(per_s, max(1.0, before - per_s * (first - begun)))


def fit_slots(tries: Sequence[Try]) -> int | None:
    """How many a provider works on at once, if that is why it refused.

    It then refuses only while as many are in work as ever are.
    """
    marks: list[tuple[float, int, bool]] = []
    for one in tries:
        if one.kind == "capacity":
            marks.append((one.sent_at, 1, True))
        elif one.kind != "rate":
            marks += [(one.sent_at, 1, False), (one.ended_at, 0, False)]
    marks.sort()
    at_once = most = 0
    at_refusals: list[int] = []
    for _, starts, refused in marks:
        if refused:
            at_refusals.append(at_once)
        elif starts:
            at_once += 1
            most = max(most, at_once)
        else:
            at_once -= 1
    if len(at_refusals) < 3 or median(at_refusals) < _FULL * most:
        return None
    return max(1, round(median(sorted(at_refusals)[len(at_refusals) // 2 :])))


# tokens


class _Line(NamedTuple):
    slope: float
    start: float
    least: float
    most: float

    def at(self, given: float) -> float:
        return min(2.0 * self.most, max(0.5 * self.least, self.start + self.slope * given))


class _Tokens:
    """Tokens of requests like those that were answered before."""

    def __init__(self, served: Sequence[Served]) -> None:
        self._estimator = TokenEstimator()
        groups: dict[tuple[str, ...], list[Served]] = defaultdict(list)
        for one in served:
            if one.request is None:
                continue
            for key in _keys(one.request):
                groups[key].append(one)
        asked = [one for one in served if one.request is not None and one.given]
        estimated = sum(self._estimated(one.request) for one in asked if one.request is not None)
        self._ratio = sum(one.given for one in asked) / estimated if estimated else 1.0
        self._all = _fit(served)
        self._groups = {key: _fit(ones) for key, ones in groups.items() if len(ones) >= _GROUP}

    def of(self, request: Request) -> Tokens:
        given = self._ratio * self._estimated(request)
        line = next((self._groups[key] for key in _keys(request) if key in self._groups), self._all)
        written = line.at(given)
        cap = output_cap(request)[0]
        return Tokens(given, written if cap is None else min(written, cap))

    def _estimated(self, request: Request) -> int:
        return self._estimator.estimate(request).input_tokens


def _fit(ones: Sequence[Served]) -> _Line:
    given, written = [float(one.given) for one in ones], [float(one.written) for one in ones]
    slope, start = _line(given, written)
    return _Line(slope, start, min(written), max(written))


def _keys(request: Request) -> tuple[tuple[str, ...], ...]:
    """What a request has in common with others, the closest kinship first."""
    schema = "" if request.schema is None else request.schema.name
    form = (schema, str(output_cap(request)[0]), str(request.body is not None))
    beginning = ""
    for message in request.messages:
        if isinstance(message.content, str):
            beginning += message.content[:_PREFIX]
    return (*form, beginning[: 2 * _PREFIX]), (*form, beginning[: _PREFIX // 4]), form
