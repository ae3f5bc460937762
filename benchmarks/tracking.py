"""What tracking an operation costs, against awaiting it bare.

python benchmarks/tracking.py
"""

from __future__ import annotations

import asyncio
import time

import fanwise as fw

OPERATIONS = 50_000
ROUNDS = 5


async def nothing() -> None:
    pass


async def bare() -> float:
    began = time.process_time()
    for _ in range(OPERATIONS):
        await nothing()
    return time.process_time() - began


async def tracked() -> tuple[float, fw.types.TrackReport, float]:
    async with fw.track("benchmark") as t:
        began = time.process_time()
        for _ in range(OPERATIONS):
            await t("nothing", nothing)
        took_s = time.process_time() - began
    began = time.process_time()
    report = t.report
    return took_s, report, time.process_time() - began


async def blocks() -> float:
    async with fw.track("benchmark") as t:
        began = time.process_time()
        for _ in range(OPERATIONS):
            with t.span("nothing"):
                await nothing()
        return time.process_time() - began


def main() -> None:
    best = {"bare await": float("inf"), "t(name, function)": float("inf")}
    best |= {"with t.span(name)": float("inf"), "t.report, per span": float("inf")}
    for _ in range(ROUNDS):
        call_s, report, report_s = asyncio.run(tracked())
        assert report.operations[0].count == OPERATIONS
        found = (asyncio.run(bare()), call_s, asyncio.run(blocks()), report_s)
        best = {name: min(old, new) for (name, old), new in zip(best.items(), found, strict=True)}
    for name, took_s in best.items():
        print(f"{name:20} {took_s / OPERATIONS * 1e6:6.2f} µs")


if __name__ == "__main__":
    main()
