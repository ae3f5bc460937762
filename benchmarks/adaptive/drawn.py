"""Scenarios drawn at random from a published range, so that anyone can judge with other seeds.

One seed gives ``COUNT`` scenarios. The ranges, log-uniform where a factor of more than ten lies
between their ends:

===================  =========================================================================
kind                 requests a minute, tokens a minute, both, slots, or processor sharing
requests a minute    120 to 3000, burst of 1, 10 or 60 s
tokens a minute      80 to 800 times the mean request, burst of 1, 10 or 60 s
slots                8 to 200, bare 429 or 503; sharing among 8 to 100
latency              mean 0.4 to 10 s, sigma 0.2 to 0.8, half of it by output tokens
Retry-After          exact, whole seconds, 10 to 60 s whatever the truth, none, too short, too long
headers              stated by a fifth
errors               none, or 1 or 2 % of 500
event                none, a step down (to 0.3–0.7) and up, a ramp, an outage of 30 s, a drift
length               300 to 1500 s; a quarter are short: 100 calls or 20 to 60 s of the limit
===================  =========================================================================
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from fanwise.simulator.virtual.scenario import Load, Scenario
from fanwise.simulator.virtual.spec import (
    Advice,
    Allowance,
    Drift,
    Event,
    Outage,
    ProviderSpec,
    Ramp,
    Slots,
    Speed,
    Step,
)

COUNT = 10
_MOST_STARTS = 20_000


def drawn(seed: int) -> Sequence[Scenario]:
    """The scenarios of a seed."""
    chance = random.Random(f"drawn {seed}")
    return [_scenario(chance, name=f"drawn {number}") for number in range(COUNT)]


def _scenario(chance: random.Random, *, name: str) -> Scenario:
    load = Load(
        input_tokens=_log(chance, 100, 3000),
        output_tokens=_log(chance, 20, 500),
        sigma=chance.uniform(0.0, 0.8),
    )
    mean_s = _log(chance, 0.4, 10.0)
    speed = Speed(
        first_token_s=mean_s / 2,
        sigma=chance.uniform(0.2, 0.8),
        per_token_s=mean_s / 2 / load.output_tokens,
    )
    kind = chance.choice(("requests", "tokens", "both", "slots", "slots", "sharing"))
    provider, per_s = _provider(chance, kind, speed=speed, load=load, mean_s=mean_s)
    short = chance.random() < 0.25
    length_s = min(chance.uniform(300.0, 1500.0), _MOST_STARTS / per_s)
    if short:
        load = replace(load, items=max(100, round(per_s * chance.uniform(20.0, 60.0))))
        length_s = 600.0
    else:
        provider = replace(provider, events=_events(chance, length_s))
    return Scenario(name=name, provider=provider, load=load, duration_s=length_s)


def _provider(
    chance: random.Random, kind: str, *, speed: Speed, load: Load, mean_s: float
) -> tuple[ProviderSpec, float]:
    """A provider, and about how many requests a second it lets through."""
    advice: Advice = chance.choice(get_args(Advice))
    plain = ProviderSpec(
        speed=speed,
        advice=advice,
        coarse_s=round(chance.uniform(10, 60)),
        states_limits=chance.random() < 0.2,
        error_share=chance.choice((0.0, 0.0, 0.01, 0.02)),
    )
    if kind == "slots":
        slots = round(_log(chance, 8, 200))
        full = chance.choice(("429", "503"))
        return replace(plain, slots=Slots(count=slots, when_full=full)), slots / mean_s
    if kind == "sharing":
        among = _log(chance, 8, 100)
        return replace(plain, sharing=among), among / mean_s
    rpm = _log(chance, 120, 3000)
    mean_tokens = load.input_tokens + load.output_tokens
    requests = Allowance(
        dimension="requests", per_minute=round(rpm), burst_s=chance.choice((1, 10, 60))
    )
    calls = _log(chance, 80, 800)
    tokens = Allowance(
        dimension="tokens",
        per_minute=round(calls * mean_tokens),
        burst_s=chance.choice((1, 10, 60)),
        charge=chance.choice(("used", "reserved")),
    )
    chosen = {"requests": (requests,), "tokens": (tokens,), "both": (requests, tokens)}[kind]
    return replace(plain, allowances=chosen), (rpm if kind == "requests" else calls) / 60.0


def _events(chance: random.Random, length_s: float) -> tuple[Event, ...]:
    kind = chance.choice(("none", "step", "ramp", "outage", "drift"))
    third = length_s / 3
    factor = chance.uniform(0.3, 0.7)
    if kind == "step":
        return (Step(at_s=third, factor=factor), Step(at_s=2 * third, factor=1.0))
    if kind == "ramp":
        return (Ramp(from_s=third, until_s=2 * third, factor=factor),)
    if kind == "outage":
        return (Outage(from_s=third, until_s=third + 30.0),)
    if kind == "drift":
        return (Drift(from_s=third, until_s=2 * third, factor=chance.uniform(1.3, 2.5)),)
    return ()


def _log(chance: random.Random, low: float, high: float) -> float:
    return math.exp(chance.uniform(math.log(low), math.log(high)))
