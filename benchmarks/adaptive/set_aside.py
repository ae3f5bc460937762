"""Scenarios set aside for judging. Nothing is ever tuned on them.

Whoever changes a rule looks at ``tuning.py`` alone, and at these once, when the change is done. A
figure of theirs that disappoints is written down, and the way to mend it is another scenario for
tuning that shows the same weakness.
"""

from __future__ import annotations

from fanwise.simulator.virtual.scenario import Load, Scenario
from fanwise.simulator.virtual.spec import (
    Acceleration,
    Allowance,
    Drift,
    Outage,
    ProviderSpec,
    Ramp,
    Slots,
    Speed,
    Step,
)

_MODEL = Speed(first_token_s=0.8, sigma=0.6, per_token_s=0.02)
_LONG = Speed(first_token_s=2.0, sigma=0.7, per_token_s=0.06)

SCENARIOS = (
    Scenario(
        name="900 RPM, whole seconds, cut to 40 % and back",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=900, burst_s=1),),
            speed=_MODEL,
            advice="integer",
            events=(Step(at_s=400, factor=0.4), Step(at_s=900, factor=1.0)),
        ),
        duration_s=1400,
    ),
    Scenario(
        name="150 RPM of long answers, burst of 10 s, no word",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=150, burst_s=10),),
            speed=_LONG,
            advice="absent",
        ),
        duration_s=1800,
    ),
    Scenario(
        name="120 slots that become 200",
        provider=ProviderSpec(
            slots=Slots(count=120), speed=_MODEL, events=(Step(at_s=500, factor=5 / 3),)
        ),
        duration_s=1000,
    ),
    Scenario(
        name="12 slots of long answers, 503",
        provider=ProviderSpec(slots=Slots(count=12, when_full="503"), speed=_LONG),
        duration_s=1800,
    ),
    Scenario(
        name="2000 RPM and 400 000 TPM reserved, exact, burst of 60 s",
        provider=ProviderSpec(
            allowances=(
                Allowance(dimension="requests", per_minute=2000, burst_s=60),
                Allowance(dimension="tokens", per_minute=400_000, burst_s=60, charge="reserved"),
            ),
            speed=_MODEL,
        ),
        duration_s=900,
    ),
    Scenario(
        name="50 000 input and 20 000 output TPM, stated, whole seconds",
        provider=ProviderSpec(
            allowances=(
                Allowance(dimension="input_tokens", per_minute=50_000, burst_s=10),
                Allowance(dimension="output_tokens", per_minute=20_000, burst_s=10),
            ),
            states_limits=True,
            advice="integer",
            speed=_MODEL,
        ),
        duration_s=900,
    ),
    Scenario(
        name="700 RPM, Retry-After five times too long",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=700, burst_s=1),),
            advice="long",
            speed=_MODEL,
        ),
        duration_s=600,
    ),
    Scenario(
        name="1500 RPM, Retry-After of 60 s whatever the truth",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=1500, burst_s=10),),
            advice="coarse",
            coarse_s=60,
            speed=_MODEL,
        ),
        duration_s=900,
    ),
    Scenario(
        name="400 RPM, Retry-After ten times too short, noise",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=400, burst_s=1),),
            advice="short",
            error_share=0.02,
            speed=_MODEL,
        ),
        duration_s=600,
    ),
    Scenario(
        name="sharing among 60, answers drift to twice the time",
        provider=ProviderSpec(
            sharing=60, speed=_MODEL, events=(Drift(from_s=300, until_s=500, factor=2.0),)
        ),
        duration_s=800,
    ),
    Scenario(
        name="50 slots with a queue of 20, then 503 in an outage",
        provider=ProviderSpec(
            slots=Slots(count=50, when_full="queue", queue=20),
            speed=_MODEL,
            events=(Outage(from_s=250, until_s=280),),
        ),
        duration_s=600,
    ),
    Scenario(
        name="2400 RPM warmed up from a twentieth",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=2400, burst_s=1),),
            acceleration=Acceleration(start=0.05, doubling_s=30),
            speed=_MODEL,
            advice="integer",
        ),
        duration_s=900,
    ),
    Scenario(
        name="600 RPM ramps to a third and back",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=600, burst_s=1),),
            speed=_MODEL,
            events=(
                Ramp(from_s=200, until_s=500, factor=1 / 3),
                Ramp(from_s=700, until_s=900, factor=1.0),
            ),
        ),
        duration_s=1200,
    ),
    Scenario(
        name="four clients on 90 slots",
        provider=ProviderSpec(slots=Slots(count=90), speed=_MODEL),
        clients=4,
        stagger_s=20,
        duration_s=900,
    ),
    Scenario(
        name="four clients on 1200 RPM, whole seconds",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=1200, burst_s=1),),
            speed=_MODEL,
            advice="integer",
        ),
        clients=4,
        duration_s=900,
    ),
    Scenario(
        name="10 000-token requests among thousands, 500 000 TPM",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="tokens", per_minute=500_000, burst_s=1),),
            speed=_MODEL,
            advice="integer",
        ),
        load=Load(
            input_tokens=200, output_tokens=100, heavy_share=0.003, standing=2000, workers=2600
        ),
        duration_s=600,
    ),
    Scenario(
        name="short: 1000 calls at 3000 RPM, whole seconds",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=3000, burst_s=0.5),),
            speed=Speed(first_token_s=0.3, sigma=0.4),
            advice="integer",
        ),
        load=Load(items=1000),
        duration_s=300,
    ),
    Scenario(
        name="short: 600 calls on 30 slots",
        provider=ProviderSpec(slots=Slots(count=30), speed=Speed(first_token_s=0.9, sigma=0.5)),
        load=Load(items=600),
        duration_s=300,
    ),
    Scenario(
        name="short: 45 s of 2000 RPM",
        provider=ProviderSpec(
            allowances=(Allowance(dimension="requests", per_minute=2000, burst_s=1),),
            speed=Speed(first_token_s=0.6, sigma=0.4),
        ),
        duration_s=45,
    ),
)
