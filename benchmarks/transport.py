"""What a call costs the client, by transport: CPU, efficiency in flight, latency, memory.

    python benchmarks/transport.py            # ten minutes; --only, --clients, --rounds for less
    python benchmarks/transport.py --clients fast,aiohttp-bare --uvloop

Every client runs in a process of its own against one server in another, so that the CPU is the
client's alone. All of them encode a chat request of 200 characters and decode the answer; in
the tables of efficiency all of them open their connections within the time measured. CPU is
user + system time of the client's process; efficiency is N·delay/concurrency ÷ wall. Shared
machines make absolute times mean little: read the ratio to ``aiohttp-bare``, the yardstick, which
runs beside the others.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import orjson
from server import MODEL, serving

CLIENTS = ("aiohttp-bare", "aiohttp-orjson", "pyreqwest", "fast", "aiohttp")
WARM_UP_CALLS = 200
PAYLOAD = {"model": MODEL, "messages": [{"role": "user", "content": "word " * 40}]}
HEADERS = {"authorization": "Bearer sk-benchmark", "content-type": "application/json"}
Call = Callable[[], Awaitable[Any]]


async def bare_aiohttp(
    stack: AsyncExitStack, options: argparse.Namespace, *, fast_json: bool
) -> Call:
    """A session as its documentation shows it; with ``fast_json``, orjson in both directions."""
    import aiohttp

    context = ssl.create_default_context(cafile=options.ca_file) if options.ca_file else True
    session = await stack.enter_async_context(
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=context))
    )

    async def call() -> Any:
        async with session.post(options.url, json=PAYLOAD, headers=HEADERS) as response:
            return await response.json()

    async def call_orjson() -> Any:
        body = orjson.dumps(PAYLOAD)
        async with session.post(options.url, data=body, headers=HEADERS) as response:
            return orjson.loads(await response.read())

    return call_orjson if fast_json else call


async def ours(stack: AsyncExitStack, options: argparse.Namespace, *, prefer: Any) -> Call:
    from fanwise.models.http.transport import HttpRequest, open_transport

    transport = open_transport(ca_file=options.ca_file or None, prefer=prefer)
    stack.push_async_callback(transport.aclose)

    async def call() -> Any:
        request = HttpRequest(url=options.url, headers=HEADERS, body=orjson.dumps(PAYLOAD))
        return orjson.loads((await transport.send(request)).body)

    return call


async def reqwest(stack: AsyncExitStack, options: argparse.Namespace) -> Call:
    from pathlib import Path

    from pyreqwest.client import ClientBuilder

    builder = ClientBuilder()
    if options.ca_file:
        pem = await asyncio.to_thread(Path(options.ca_file).read_bytes)
        builder = builder.add_root_certificate_pem(pem)
    client = await stack.enter_async_context(builder.build())

    async def call() -> Any:
        request = client.post(options.url).headers(HEADERS).body_bytes(orjson.dumps(PAYLOAD))
        response = await request.build().send()
        return orjson.loads(bytes(await response.bytes()))

    return call


async def open_client(stack: AsyncExitStack, options: argparse.Namespace) -> Call:
    match options.one:
        case "aiohttp-bare":
            return await bare_aiohttp(stack, options, fast_json=False)
        case "aiohttp-orjson":
            return await bare_aiohttp(stack, options, fast_json=True)
        case "pyreqwest":
            return await reqwest(stack, options)
        case prefer:
            return await ours(stack, options, prefer=prefer)


async def measure(options: argparse.Namespace) -> dict[str, float]:
    """A worker pool makes the calls; the figures are of all calls behind the warm-up."""
    taken: list[float] = []

    async def work(call: Call, left: Any) -> None:
        for _ in left:
            began = time.perf_counter()
            answer = await call()
            taken.append(time.perf_counter() - began)
            assert answer["choices"][0]["finish_reason"] == "stop"

    async with AsyncExitStack() as stack:
        call = await open_client(stack, options)
        warm_up = iter(range(WARM_UP_CALLS))
        await asyncio.gather(*(work(call, warm_up) for _ in range(16)))
        taken.clear()
        gc.collect()
        left = iter(range(options.calls))
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(options.concurrency):
                group.create_task(work(call, left))
        wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    taken.sort()
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "cpu_ms": cpu_s / options.calls * 1000,
        "wall_s": wall_s,
        "p50_ms": taken[len(taken) // 2] * 1000,
        "p99_ms": taken[len(taken) * 99 // 100] * 1000,
        "rss_mb": after.ru_maxrss / 1024,
    }


def one(options: argparse.Namespace) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    loop_factory = None
    if options.uvloop:
        import uvloop

        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        print(json.dumps(runner.run(measure(options))))


def run_one(client: str, served: Any, **settings: Any) -> dict[str, float] | None:
    command = [sys.executable, __file__, f"--one={client}", f"--url={served.url}"]
    command += [f"--ca-file={served.ca_file}"]
    command += [f"--{name}={value}" for name, value in settings.items() if value is not True]
    command += [f"--{name}" for name, value in settings.items() if value is True]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        print(f"{client}: left out ({last[0]})", file=sys.stderr)
        return None
    return json.loads(done.stdout)


def table(title: str, rows: list[list[str]]) -> None:
    print(f"\n{title}\n")
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        print("| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (w + 2) for w in widths) + "|")


def costs(options: argparse.Namespace, loop: dict[str, bool]) -> None:
    for tls in (False, True):
        rows = [["client", "CPU ms/call", "× aiohttp-bare", "p50 ms", "p99 ms", "calls/s"]]
        yardstick = None
        with serving(tls=tls) as served:
            for client in options.clients.split(","):
                tries = [
                    run_one(client, served, calls=options.calls, concurrency=64, **loop)
                    for _ in range(options.rounds)
                ]
                got = [figures for figures in tries if figures is not None]
                if not got:
                    continue
                best = min(got, key=lambda figures: figures["cpu_ms"])
                if client == "aiohttp-bare":
                    yardstick = best["cpu_ms"]
                ratio = f"{best['cpu_ms'] / yardstick:.2f}" if yardstick else "-"
                rows.append(
                    [
                        client,
                        f"{best['cpu_ms']:.3f}",
                        ratio,
                        f"{best['p50_ms']:.2f}",
                        f"{best['p99_ms']:.2f}",
                        f"{options.calls / best['wall_s']:.0f}",
                    ]
                )
        kind = "TLS" if tls else "plain HTTP"
        table(f"64 in flight, server answers at once, {kind} (best of {options.rounds})", rows)


def efficiency(options: argparse.Namespace, loop: dict[str, bool]) -> None:
    delay_ms = 500.0
    for tls in (False, True):
        header = ["client", "in flight", "efficiency", "CPU ms/call", "p50 ms", "p99 ms", "RSS MB"]
        rows = [header]
        with serving(delay_ms=delay_ms, tls=tls) as served:
            for client in options.clients.split(","):
                for in_flight in (1000, 2000):
                    calls = in_flight * 6
                    tries = [
                        run_one(client, served, calls=calls, concurrency=in_flight, **loop)
                        for _ in range(options.rounds)
                    ]
                    done = [figures for figures in tries if figures is not None]
                    if not done:
                        continue
                    got = min(done, key=lambda figures: figures["wall_s"])
                    ideal_s = calls * delay_ms / 1000 / in_flight
                    rows.append(
                        [
                            client,
                            str(in_flight),
                            f"{ideal_s / got['wall_s']:.0%}",
                            f"{got['cpu_ms']:.3f}",
                            f"{got['p50_ms']:.0f}",
                            f"{got['p99_ms']:.0f}",
                            f"{got['rss_mb']:.0f}",
                        ]
                    )
        kind = "TLS" if tls else "plain HTTP"
        table(f"server answers after {delay_ms:.0f} ms, {kind} (best of {options.rounds})", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", default=",".join(CLIENTS))
    parser.add_argument("--calls", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--uvloop", action="store_true")
    parser.add_argument("--only", choices=["cost", "efficiency"])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--ca-file", help=argparse.SUPPRESS)
    parser.add_argument("--concurrency", type=int, default=64, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options)
        return
    loop = {"uvloop": True} if options.uvloop else {}
    print(f"event loop: {'uvloop' if options.uvloop else 'the standard library’s'}")
    if options.only != "efficiency":
        costs(options, loop)
    if options.only != "cost":
        efficiency(options, loop)


if __name__ == "__main__":
    main()
