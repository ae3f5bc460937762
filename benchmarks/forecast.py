"""A run's time as forecast, against the run that follows.

    python benchmarks/forecast.py [--calls 800]

Five simulated providers on real sockets; the forecast knows their profile and how long questions
and answers are. Both are printed, with what the forecast says binds.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import fanwise as fw
from fanwise.engine.forecast import Demand, forecast
from fanwise.simulator.profile import Faults, SimProfile
from fanwise.simulator.virtual.profiles import spec_of

CASES = {
    "latency only, 20 at once": (SimProfile(latency_s=0.3), fw.Limits(concurrency=20)),
    "3000 RPM stated": (
        SimProfile(latency_s=0.3, rpm=3000, burst=20),
        fw.Limits(concurrency=100, rpm=3000),
    ),
    "60 000 TPM stated": (
        SimProfile(latency_s=0.2, tpm=60_000),
        fw.Limits(concurrency=100, tpm=60_000),
    ),
    "5 % errors, 30 at once": (
        SimProfile(latency_s=0.5, faults=Faults(error_500=0.05)),
        fw.Limits(concurrency=30),
    ),
    "40 slots, 40 at once, long tail": (
        SimProfile(latency_s=0.4, latency_sigma=0.9, slots=40),
        fw.Limits(concurrency=40),
    ),
}


async def run(profile: SimProfile, limits: fw.Limits, calls: int) -> tuple[float, Demand]:
    """Seconds the run takes, and what it turned out to ask for."""

    async def ask(ctx: fw.Context, number: int) -> fw.Response:
        return await ctx.respond("sim/own", f"What is known of number {number}?")

    async with fw.open_run("forecast", journal=":memory:", limits=limits, simulator=profile) as one:
        began = time.perf_counter()
        outcomes = await one.map(ask, range(calls)).collect()
        took_s = time.perf_counter() - began
    used = [outcome.value.usage for outcome in outcomes if outcome.ok]
    return took_s, Demand(
        calls=calls,
        input_tokens=sum(usage.input_tokens or 0 for usage in used) / len(used),
        output_tokens=sum(usage.output_tokens or 0 for usage in used) / len(used),
        sigma=0.1,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=800)
    options = parser.parse_args()
    for name, (profile, limits) in CASES.items():
        took_s, demand = asyncio.run(run(profile, limits, options.calls))
        told = forecast(demand, limits=limits, provider=spec_of(profile))
        print(
            f"{name:34} took {took_s:6.2f} s, forecast {told.likely_s:6.2f} s "
            f"({told.likely_s / took_s:.2f}), {told.low_s:.1f} to {told.high_s:.1f} s, "
            f"binds: {told.binds}"
        )


if __name__ == "__main__":
    main()
