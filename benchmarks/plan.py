"""Plans against the runs that follow them: five simulated providers, and others drawn by seed.

    python benchmarks/plan.py [--random 4] [--seed 1] [--only NAME] [--learned]

Each run is real: calls over sockets to a simulated provider in the same process, with a durable
journal. Of a plan nothing but its own words count: predicted time, tokens and cost, against those
of the run's report. With ``--learned`` the provider is one of its own process that no profile is
known of: a first run of 60 items measures it, and the plan of the second run has that alone.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import fanwise as fw
from fanwise.simulator.profile import Faults, SimProfile
from fanwise.simulator.provider import SimulatedProvider

WORDS = (  # noqa: SIM905
    "the market price river house quick report analysis customer delivery late refund broken good "
    "great screen battery phone camera support friendly staff hotel room clean noise street dinner"
).split()
FIRST = 60


@dataclass(frozen=True)
class Case:
    """One provider, and what is asked of it."""

    name: str
    items: int
    profile: SimProfile
    limits: fw.Limits = field(default_factory=fw.Limits)
    cap: int | None = None
    schema: bool = False


CASES = (
    Case("rate-limited", 250, SimProfile(latency_s=0.4, rpm=600, burst=10)),
    Case("token-limited", 200, SimProfile(latency_s=0.4, tpm=120_000), cap=200),
    Case("slots, bare 429", 600, SimProfile(latency_s=0.8, slots=24, rate_headers=False)),
    Case(
        "slow, lognormal",
        300,
        SimProfile(latency_s=1.2, latency_sigma=0.8, per_token_s=0.005),
        fw.Limits(concurrency=25),
    ),
    Case(
        "mixed, with faults",
        400,
        SimProfile(
            latency_s=0.5,
            latency_sigma=0.6,
            per_token_s=0.002,
            rpm=1500,
            burst=25,
            slots=40,
            stall_s=3.0,
            retry_after="integer",
            faults=Faults(
                error_500=0.04, error_503=0.02, stall=0.005, reset=0.01, wrong_schema=0.03
            ),
        ),
        schema=True,
    ),
)


def drawn(count: int, seed: int) -> Iterator[Case]:
    """Providers drawn at random: each is limited by something within a quarter of a minute."""
    chance = random.Random(f"plan {seed}")
    for number in range(count):
        per_s = chance.uniform(8, 40)
        faulty = chance.random() < 0.5
        kind = chance.choice(("rate", "tokens", "slots", "own", "rate and slots"))
        latency_s = chance.uniform(0.1, 1.5)
        shape: dict[str, Any] = {}
        if "rate" in kind:
            shape |= {"rpm": per_s * 60, "burst": chance.choice((1, 10, 30, 60))}
        if kind == "tokens":
            shape |= {"tpm": per_s * 60 * 230}
        if "slots" in kind:
            shape |= {"slots": max(4, round(per_s * latency_s * chance.uniform(0.9, 1.3)))}
        limits = fw.Limits()
        if kind == "own":
            limits = fw.Limits(concurrency=max(2, round(per_s * latency_s)))
        yield Case(
            f"{number + 1}: {kind}{', faults' if faulty else ''}",
            round(per_s * 12),
            SimProfile(
                latency_s=latency_s,
                latency_sigma=chance.uniform(0, 0.8),
                per_token_s=chance.choice((0.0, 0.003)),
                retry_after=chance.choice(("exact", "integer", "absent")),
                rate_headers=chance.random() < 0.6,
                slots_status=chance.choice((429, 503)),
                stall_s=3.0,
                faults=Faults(error_500=0.03, reset=0.02, wrong_schema=0.02)
                if faulty
                else Faults(),
                seed=number,
                **shape,
            ),
            limits,
            cap=chance.choice((None, 300)),
            schema=faulty,
        )


def rows(count: int) -> list[Mapping[str, str]]:
    """Texts of different lengths."""
    chance = random.Random("rows")
    return [
        {"id": str(n), "text": " ".join(chance.choices(WORDS, k=chance.randint(20, 200)))}
        for n in range(count)
    ]


SCHEMA = {
    "type": "object",
    "properties": {"mood": {"type": "string"}, "score": {"type": "integer"}},
    "required": ["mood", "score"],
}


async def measure(case: Case, *, learned: bool) -> tuple[float, float]:
    """Plans, runs, prints a line; the errors of time and cost."""
    model = "openai/gpt-4o-mini" if learned else "sim/gpt-4o-mini"
    parameters = {} if case.cap is None else {"max_tokens": case.cap}

    async def ask(ctx: fw.Context, row: Mapping[str, str]) -> Any:
        return await ctx.call(
            model,
            f"Summarise: {row['text']}",
            schema=SCHEMA if case.schema else None,
            parameters=parameters,
        )

    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {"journal": folder, "limits": case.limits}
        source = rows(case.items)
        if not learned:
            options["simulator"] = case.profile
            return await compared(case, ask, source, options)
        async with SimulatedProvider(case.profile) as provider:
            options |= {"base_url": provider.base_url, "env": {"OPENAI_API_KEY": "none"}}
            await carried_out(ask, source[:FIRST], options)
            await asyncio.sleep(case.profile.burst / max(1.0, case.profile.rpm / 60) % 10)
            return await compared(case, ask, source[FIRST:], options)


async def compared(
    case: Case, ask: Any, source: list[Mapping[str, str]], options: Mapping[str, Any]
) -> tuple[float, float]:
    begun = time.perf_counter()
    planned = await fw.plan(ask, source, **options)
    took_s = time.perf_counter() - begun
    report = await carried_out(ask, source, options)
    assert planned.outlook is not None
    assert planned.cost_usd is not None
    wall_s, cost = report.wall_s, report.counters.cost_usd
    outlook = planned.outlook
    time_error = outlook.likely_s / wall_s - 1.0
    cost_error = float(planned.cost_usd[1] / (cost or Decimal(1))) - 1.0
    inside = outlook.low_s <= wall_s <= outlook.high_s
    print(
        f"{case.name:28} {outlook.likely_s:7.1f} {outlook.low_s:7.1f}–{outlook.high_s:<6.1f}"
        f" {wall_s:7.1f} {time_error:+7.1%} {'  in' if inside else ' out'}"
        f" {cost_error:+7.1%}  {outlook.binds or '-'} (planned in {took_s:.1f} s;"
        f" {report.counters.rate_limited} refusals)",
        flush=True,
    )
    return time_error, cost_error


async def carried_out(
    ask: Any, source: list[Mapping[str, str]], options: Mapping[str, Any]
) -> fw.types.Report:
    async with fw.open_run("measured", resume="never", **options) as run:
        await run.map(ask, source).collect()
    async with fw.open_run("measured", resume=run.run_id, **options) as again:
        return await again.report()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--random", type=int, default=0, help="providers drawn at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--learned", action="store_true", help="nothing but a first run is known")
    options = parser.parse_args()
    cases = [*CASES, *drawn(options.random, options.seed)]
    if options.random and not options.only:
        cases = cases[len(CASES) :]
    print(
        f"{'provider':28} {'planned':>7} {'range':>14} {'took':>7} {'time':>7} {'':4} {'cost':>7}"
    )
    errors = [
        asyncio.run(measure(case, learned=options.learned))
        for case in cases
        if options.only in case.name
    ]
    worst = [max(abs(error[place]) for error in errors) for place in (0, 1)]
    middle = [statistics.median(abs(error[place]) for error in errors) for place in (0, 1)]
    print(f"time: {middle[0]:.1%} off at the median, {worst[0]:.1%} at worst")
    print(f"cost: {middle[1]:.1%} off at the median, {worst[1]:.1%} at worst")


if __name__ == "__main__":
    main()
