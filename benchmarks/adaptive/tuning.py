"""Scenarios to tune on. The others (``set_aside.py``) are for judging only."""

from __future__ import annotations

import math

from fanwise.simulator.virtual.scenario import Load, Scenario
from fanwise.simulator.virtual.spec import (
    Acceleration,
    Allowance,
    Busy,
    Drift,
    Outage,
    ProviderSpec,
    Ramp,
    Slots,
    Speed,
    Step,
)

_SLOW = Speed(first_token_s=1.2, sigma=0.5, per_token_s=0.042)  # mean 9.6 s at 200 tokens
_QUICK = Speed(first_token_s=0.4, sigma=0.4)

SCENARIOS = (
    Scenario(
        name="500 RPM bucket, halved and given back",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=500, burst_s=1),),
            speed=_SLOW,
            events=(Step(at_s=600, factor=0.5), Step(at_s=1200, factor=1.0)),
        ),
        duration_s=1800,
    ),
    Scenario(
        name="64 slots, halved and given back",
        provider=ProviderSpec(
            slots=Slots(count=64),
            speed=_SLOW,
            events=(Step(at_s=600, factor=0.5), Step(at_s=1200, factor=1.0)),
        ),
        duration_s=1800,
    ),
    Scenario(
        name="100/s, burst of 20, whole seconds, 2400 calls",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=6000, burst_s=0.2),),
            speed=Speed(first_token_s=0.05, sigma=0.3, network_s=0.002),
            advice="integer",
        ),
        load=Load(items=2400),
        duration_s=600,
    ),
    Scenario(
        name="48 slots of 0.4 s, bare 429, 4000 calls",
        provider=ProviderSpec(slots=Slots(count=48), speed=Speed(first_token_s=0.4, sigma=0.0)),
        load=Load(items=4000),
        duration_s=600,
    ),
    Scenario(
        name="90 000 TPM, used tokens, burst of 10 s",
        provider=ProviderSpec(
            allowances=(
                Allowance(dimension="requests", per_minute=1000, burst_s=10),
                Allowance(dimension="tokens", per_minute=90_000, burst_s=10),
            ),
            speed=_SLOW,
        ),
        duration_s=900,
    ),
    Scenario(
        name="three dimensions with headers, burst of 60 s",
        provider=ProviderSpec(
            allowances=(
                Allowance(dimension="requests", per_minute=600, burst_s=60),
                Allowance(dimension="input_tokens", per_minute=200_000, burst_s=60),
                Allowance(dimension="output_tokens", per_minute=60_000, burst_s=60),
            ),
            states_limits=True,
            speed=_SLOW,
            advice="integer",
        ),
        duration_s=900,
    ),
    Scenario(
        name="300 RPM with coarse Retry-After",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=300, burst_s=1),),
            advice="coarse",
            coarse_s=20,
            speed=_QUICK,
        ),
        duration_s=600,
    ),
    Scenario(
        name="300 RPM with a Retry-After that is too short",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=300, burst_s=10),),
            advice="short",
            speed=_QUICK,
        ),
        duration_s=600,
    ),
    Scenario(
        name="600 RPM without a word",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=600, burst_s=1),),
            advice="absent",
            speed=_QUICK,
        ),
        duration_s=600,
    ),
    Scenario(
        name="processor sharing, never refuses",
        provider=ProviderSpec(sharing=24, speed=Speed(first_token_s=0.3, per_token_s=0.01)),
        duration_s=600,
    ),
    Scenario(
        name="a queue of 100 behind 32 slots",
        provider=ProviderSpec(
            slots=Slots(count=32, when_full="queue", queue=100),
            speed=Speed(first_token_s=0.3, per_token_s=0.01),
        ),
        duration_s=600,
    ),
    Scenario(
        name="1200 RPM that has to be warmed up",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=1200, burst_s=1),),
            acceleration=Acceleration(start=0.1, doubling_s=20),
            speed=Speed(first_token_s=1.0, sigma=0.4),
        ),
        duration_s=600,
    ),
    Scenario(
        name="an outage of 30 s and noise",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=600, burst_s=10),),
            error_share=0.01,
            speed=Speed(first_token_s=1.0, sigma=0.5),
            events=(Outage(from_s=300, until_s=330),),
        ),
        duration_s=600,
    ),
    Scenario(
        name="80 slots on a ramp, answers slow down",
        provider=ProviderSpec(
            slots=Slots(count=80, when_full="503"),
            speed=Speed(first_token_s=2.0, sigma=0.5),
            events=(
                Ramp(from_s=200, until_s=400, factor=0.4),
                Drift(from_s=500, until_s=700, factor=2.0),
            ),
        ),
        duration_s=900,
    ),
    Scenario(
        name="four clients on 800 RPM",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=800, burst_s=10),),
            speed=Speed(first_token_s=2.0, sigma=0.5),
        ),
        clients=4,
        stagger_s=30,
        duration_s=900,
    ),
    Scenario(
        name="four clients on 60 slots",
        provider=ProviderSpec(
            slots=Slots(count=60), speed=Speed(first_token_s=1.5, sigma=0.4, per_token_s=0.005)
        ),
        clients=4,
        stagger_s=15,
        duration_s=900,
    ),
    Scenario(
        name="large requests among thousands of small ones",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="tokens", per_minute=300_000, burst_s=10),),
            speed=Speed(first_token_s=1.0, sigma=0.5),
        ),
        load=Load(
            input_tokens=100, output_tokens=50, heavy_share=0.004, standing=2000, workers=2600
        ),
        duration_s=600,
    ),
    Scenario(
        name="short: 400 calls at 1200 RPM",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=1200, burst_s=1),),
            speed=Speed(first_token_s=1.5, sigma=0.5),
            advice="integer",
        ),
        load=Load(items=400),
        duration_s=300,
    ),
    Scenario(
        name="short: 30 s of 40 slots",
        provider=ProviderSpec(slots=Slots(count=40), speed=Speed(first_token_s=1.0, sigma=0.5)),
        duration_s=30,
    ),
    Scenario(
        name="short: 300 calls, 330 RPM stated, a bucket of 60 s",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=330, burst_s=60),),
            states_limits=True,
            speed=Speed(first_token_s=0.5, sigma=0.5),
        ),
        load=Load(items=300),
        duration_s=300,
    ),
    Scenario(
        name="300 000 TPM stated, as reserved, a bucket of 1 s",
        provider=ProviderSpec(
            allowances=(
                Allowance(dimension="tokens", per_minute=300_000, burst_s=1, charge="reserved"),
            ),
            states_limits=True,
            speed=Speed(first_token_s=1.0, sigma=0.5),
            advice="coarse",
            coarse_s=30,
        ),
        load=Load(input_tokens=1000, output_tokens=300, sigma=0.7),
        duration_s=600,
    ),
    Scenario(
        name="120 000 TPM, used tokens, a bucket of 1 s, requests of all sizes",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="tokens", per_minute=120_000, burst_s=1),),
            advice="integer",
            speed=Speed(first_token_s=1.0, sigma=0.5),
        ),
        load=Load(input_tokens=700, output_tokens=200, sigma=0.6),
        duration_s=600,
    ),
    Scenario(
        name="large requests among small ones, a bucket of 1 s",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="tokens", per_minute=300_000, burst_s=1),),
            speed=Speed(first_token_s=1.0, sigma=0.5),
        ),
        load=Load(
            input_tokens=100, output_tokens=50, heavy_share=0.004, standing=2000, workers=2600
        ),
        duration_s=600,
    ),
    Scenario(
        name="700 RPM, requests of very different sizes",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=700, burst_s=2),),
            speed=Speed(first_token_s=1.0, sigma=0.5),
        ),
        load=Load(input_tokens=600, output_tokens=150, sigma=0.8, heavy_share=0.01),
        duration_s=600,
    ),
    Scenario(
        name="400 RPM and 270 000 TPM, close to each other",
        provider=ProviderSpec(
            allowances=(
                Allowance(dimension="requests", per_minute=400, burst_s=10),
                Allowance(dimension="tokens", per_minute=270_000, burst_s=10),
            ),
            speed=Speed(first_token_s=1.0, sigma=0.5),
            advice="integer",
        ),
        load=Load(input_tokens=500, output_tokens=150, sigma=0.7),
        duration_s=600,
    ),
    Scenario(
        name="below its limit: 5 a second come, 10 are allowed",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=600, burst_s=1),),
            speed=Speed(first_token_s=1.0, sigma=0.5),
        ),
        load=Load(arrivals_per_s=5.0, items=math.inf),
        duration_s=300,
    ),
    *(
        Scenario(
            name=f"no limit, {share:.0%} refused by chance, 5000 calls",
            provider=ProviderSpec(
                sharing=512, busy_share=share, speed=Speed(first_token_s=0.3, sigma=0.4)
            ),
            load=Load(items=5000),
            duration_s=600,
        )
        for share in (0.01, 0.02, 0.04)
    ),
    Scenario(
        name="no limit, 2 % refused by chance, answers of 3 s",
        provider=ProviderSpec(
            sharing=512, busy_share=0.02, speed=Speed(first_token_s=3.0, sigma=0.5)
        ),
        load=Load(items=5000),
        duration_s=900,
    ),
    Scenario(
        name="48 slots, 2 % refused by chance",
        provider=ProviderSpec(
            slots=Slots(count=48, when_full="503"),
            busy_share=0.02,
            speed=Speed(first_token_s=0.8, sigma=0.5),
        ),
        duration_s=300,
    ),
    Scenario(
        name="600 RPM, 2 % refused by chance",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=600, burst_s=1),),
            busy_share=0.02,
            speed=_QUICK,
        ),
        duration_s=600,
    ),
    Scenario(
        name="3000 RPM without a word, 3 % refused by chance",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=3000, burst_s=1),),
            advice="absent",
            busy_share=0.03,
            speed=_QUICK,
        ),
        duration_s=300,
    ),
    Scenario(
        name="no limit, 10 % refused by chance for 20 s",
        provider=ProviderSpec(
            sharing=200,
            events=(Busy(from_s=20, until_s=40, share=0.1),),
            speed=Speed(first_token_s=1.0, sigma=0.4),
        ),
        duration_s=120,
    ),
)
