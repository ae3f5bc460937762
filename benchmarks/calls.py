"""Whole calls, everything on, against a bare aiohttp worker pool in the same minute.

    python benchmarks/calls.py                 CPU a call: 64 in flight, the server answers at once
    python benchmarks/calls.py --delay-ms 500 --in-flight 1000 --calls 10000
                                               efficiency and latency with many in flight
    python benchmarks/calls.py --alone         one call in flight: what the journal adds to it
    python benchmarks/calls.py --parts         what each part of a call costs, on both event loops

Both clients run in processes of their own, in turn, against one server process, and make some calls
before they are measured; figures are ratios of medians. Fanwise has limits, retry, a durable
journal (SQLite, synchronous=FULL) and progress switched on; the pool has so many workers and
nothing else.

Latencies are stated twice. A pool's worker never waits for its turn, while Fanwise starts one more
call than may be sent, so that its wait for a permit is part of what ``ctx.call`` takes: *from the
permit* leaves that wait out. What remains holds the two durable commits, which the pool has not: a
call ends here when its outcome is shown, after the second of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from server import serving

CLIENT = "HTTP client and dialect"
IN_MEMORY = "… in a run, in memory"
PROMPT = "Summarise the following paragraph in one sentence. " + "lorem ipsum dolor sit amet " * 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--alone", action="store_true", help="one call in flight, 300 calls")
    parser.add_argument("--parts", action="store_true", help="what each part of a call costs")
    parser.add_argument("--uvloop", action="store_true", help="both clients on uvloop")
    parser.add_argument(
        "--as-shipped",
        action="store_true",
        help="each as it comes: fanwise on uvloop, like its command line, the pool on asyncio",
    )
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        options.calls, options.in_flight = 300, 1
    if options.client:
        print(json.dumps(client(options)))
        return
    if options.parts:
        show_parts(options)
        return
    show(measured(("aiohttp pool", "fanwise"), options), options)


def measured(
    names: tuple[str, ...], options: argparse.Namespace
) -> dict[str, list[dict[str, float]]]:
    """The clients' figures, round by round, against one server."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with serving(delay_ms=options.delay_ms) as server:
        for _ in range(options.rounds):
            for name, found in results.items():
                found.append(
                    in_a_process(name, options, server.url.removesuffix("/chat/completions"))
                )
    return results


def in_a_process(name: str, options: argparse.Namespace, url: str) -> dict[str, float]:
    """One client in a process of its own; its figures."""
    command = [sys.executable, __file__, "--client", name, "--url", url]
    command += ["--calls", str(options.calls), "--in-flight", str(options.in_flight)]
    on_uvloop = options.uvloop or (options.as_shipped and name == "fanwise")
    command += ["--uvloop"] if on_uvloop else []
    command += ["--alone"] if options.alone else []
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "OPENAI_API_KEY": "k"},
    )
    return json.loads(done.stdout.splitlines()[-1])


def client(options: argparse.Namespace) -> dict[str, float]:
    """Runs one client here and measures it, imports left out."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    work = {"aiohttp pool": pool, CLIENT: fanwise_client}.get(options.client, fanwise_run)
    runner = asyncio.run
    if options.uvloop:
        import uvloop

        runner = uvloop.run
    return runner(work(options))


async def pool(options: argparse.Namespace) -> dict[str, float]:
    """So many workers, one aiohttp session."""
    import aiohttp

    body = {"model": "bench-1", "messages": [{"role": "user", "content": PROMPT}]}
    latencies: list[float] = []
    todo = iter(range(options.calls))

    async def worker(session: aiohttp.ClientSession) -> None:
        for number in todo:
            began = time.perf_counter()
            async with session.post(
                f"{options.url}/chat/completions",
                json={**body, "user": str(number)},
                headers={"Authorization": "Bearer k"},
            ) as reply:
                answer = await reply.json()
                assert answer["choices"][0]["message"]["content"]
            latencies.append(time.perf_counter() - began)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        measured, todo = todo, iter(range(-warm_up(options), 0))
        await asyncio.gather(*(worker(session) for _ in range(options.in_flight)))
        todo = measured
        latencies.clear()
        before = measure()
        await asyncio.gather(*(worker(session) for _ in range(options.in_flight)))
        return figures(before, latencies)


def warm_up(options: argparse.Namespace) -> int:
    """Calls before the measurement: connections stand, prices are read, code is warm."""
    return max(20, options.in_flight)


async def fanwise_run(options: argparse.Namespace) -> dict[str, float]:
    """The same calls through a journalled run."""
    import fanwise as fw
    from fanwise.journal.memory_home import MemoryHome

    took: dict[int, float] = {}
    began: dict[int, float] = {}

    async def one(ctx: fw.Context, number: int) -> str:
        began[number] = time.perf_counter()
        answer = await ctx.respond(
            "openai/bench-1", PROMPT, parameters={"user": str(number)}, last=True
        )
        return answer.text  # shown when the outcome is, and timed there

    async def in_turn(ctx: fw.Context, numbers: range) -> str:
        for number in numbers:
            started = time.perf_counter()
            await ctx.call("openai/bench-1", PROMPT, parameters={"user": str(number)})
            took[number] = time.perf_counter() - started
        return "done"

    in_memory = options.client == IN_MEMORY
    with tempfile.TemporaryDirectory() as folder:
        async with fw.open_run(
            "bench",
            journal=MemoryHome() if in_memory else Path(folder, "journal"),
            base_url=options.url,
            limits=fw.Limits(concurrency=options.in_flight),
            chance=random.Random(1),
        ) as run:
            await run.map(one, range(-warm_up(options), 0)).collect()
            took.clear()
            numbers = range(options.calls)
            before, queued = measure(), dict[int, float]()
            if options.alone:
                done = await run.map(in_turn, [numbers], item_id=lambda _: "alone").collect()
                assert done[0].ok
            else:
                async with run.map(one, numbers) as outcomes:
                    async for outcome in outcomes:
                        assert outcome.ok
                        took[outcome.item] = time.perf_counter() - began[outcome.item]
                        queued[outcome.item] = outcome.queued_s
            assert len(took) == options.calls
            result = figures(before, list(took.values()))
    from_permit = sorted(wait - queued.get(number, 0.0) for number, wait in took.items())
    result["permit_p99_ms"] = from_permit[int(len(from_permit) * 0.99)] * 1e3
    result["commit_ms"] = commit_ms()
    return result


async def fanwise_client(options: argparse.Namespace) -> dict[str, float]:
    """So many workers on the HTTP client and the dialect alone."""
    from fanwise.models.http.routing import RoutingTransport
    from fanwise.models.registry import Registry
    from fanwise.records import Message, Request, Response, Timeouts

    latencies: list[float] = []
    registry = Registry(RoutingTransport, env=os.environ)
    endpoint = registry.resolve("openai/bench-1", base_url=options.url)
    messages = (Message(role="user", content=PROMPT),)
    timeouts = Timeouts()

    async def worker(numbers: Iterator[int]) -> None:
        for number in numbers:
            began = time.perf_counter()
            request = Request(
                model="openai/bench-1", messages=messages, parameters={"user": str(number)}
            )
            answer = await endpoint.send(request, timeouts=timeouts)
            assert isinstance(answer, Response)
            assert answer.text
            latencies.append(time.perf_counter() - began)

    async def work(numbers: Iterator[int]) -> None:
        await asyncio.gather(*(worker(numbers) for _ in range(options.in_flight)))

    try:
        await work(iter(range(-warm_up(options), 0)))
        latencies.clear()
        before = measure()
        await work(iter(range(options.calls)))
        return figures(before, latencies)
    finally:
        await registry.aclose()


def measure() -> tuple[float, float]:
    """Processor seconds (user and system, threads included) and the clock."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime, time.perf_counter()


def figures(before: tuple[float, float], latencies: list[float]) -> dict[str, float]:
    """What a client used since then."""
    cpu, clock = measure()
    ordered = sorted(latencies)
    return {
        "cpu_ms": (cpu - before[0]) / len(ordered) * 1e3,
        "wall_s": clock - before[1],
        "p50_ms": ordered[len(ordered) // 2] * 1e3,
        "p99_ms": ordered[int(len(ordered) * 0.99)] * 1e3,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def commit_ms() -> float:
    """The median of one small durable commit of SQLite here."""
    import sqlite3

    with tempfile.TemporaryDirectory() as folder:
        link = sqlite3.connect(Path(folder, "x.db"), isolation_level=None)
        link.execute("PRAGMA journal_mode=WAL")
        link.execute("PRAGMA synchronous=FULL")
        link.execute("CREATE TABLE t (v TEXT)")
        times = []
        for _ in range(100):
            began = time.perf_counter()
            link.execute("INSERT INTO t VALUES (?)", ("x" * 1000,))
            times.append(time.perf_counter() - began)
        link.close()
    return statistics.median(times) * 1e3


def show_parts(options: argparse.Namespace) -> None:
    """Processor time a call, part by part, of each event loop in turn."""
    names = ("aiohttp pool", CLIENT, IN_MEMORY, "fanwise")
    columns: list[dict[str, float]] = []
    for uvloop in (False, True):
        options.uvloop = uvloop
        rows = measured(names, options)
        columns.append(
            {name: statistics.median(row["cpu_ms"] for row in rows[name]) for name in names}
        )
    pool_ms = columns[0]["aiohttp pool"]
    print(f"CPU ms/call, median of {options.rounds} rounds, {options.in_flight} in flight")
    print(f"{'':26}{'asyncio':>9}{'uvloop':>9}   against the pool on asyncio")
    for name in names:
        found = [column[name] for column in columns]
        shares = "  ".join(f"{value / pool_ms:.2f}×" for value in found)
        print(f"{name:26}{found[0]:9.3f}{found[1]:9.3f}   {shares}")


def show(results: dict[str, list[dict[str, float]]], options: argparse.Namespace) -> None:
    """The table."""
    medians: dict[str, dict[str, Any]] = {
        name: {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        for name, rows in results.items()
    }
    print(
        f"{options.calls} calls, {options.in_flight} in flight, "
        f"server delay {options.delay_ms:g} ms, median of {options.rounds} rounds"
    )
    print(f"{'':14}{'CPU ms/call':>12}{'wall s':>9}{'p50 ms':>9}{'p99 ms':>9}{'RSS MB':>9}")
    for name, row in medians.items():
        print(
            f"{name:14}{row['cpu_ms']:12.3f}{row['wall_s']:9.2f}{row['p50_ms']:9.2f}"
            f"{row['p99_ms']:9.2f}{row['rss_mb']:9.0f}"
        )
    ours, theirs = medians["fanwise"], medians["aiohttp pool"]
    print(f"CPU a call against the pool: {ours['cpu_ms'] / theirs['cpu_ms']:.2f}×")
    print(f"p99 against the pool: {ours['p99_ms'] / theirs['p99_ms']:.2f}×")
    from_permit = ours["permit_p99_ms"]
    print(
        f"p99 from the permit on: {from_permit:.2f} ms, {from_permit / theirs['p99_ms']:.2f}×; "
        f"a bare commit beside it: {ours['commit_ms']:.2f} ms"
    )
    if options.delay_ms:
        ideal = options.calls * options.delay_ms / 1e3 / options.in_flight
        for name, row in medians.items():
            print(f"efficiency of {name}: {ideal / row['wall_s']:.0%} of the ideal {ideal:.2f} s")
    if options.alone:
        added = ours["p50_ms"] - theirs["p50_ms"]
        commit = ours["commit_ms"]
        print(
            f"one call alone: {added:.2f} ms added, {added / commit:.1f} commits of {commit:.2f} ms"
        )


if __name__ == "__main__":
    main()
