"""What watchers cost a run: 50 event streams and 50 sockets on it, against nobody.

    python benchmarks/watchers.py [--rows 2000] [--pairs 3] [--streams 50] [--sockets 50]
                                  [--per-second 0] [--model sim/fast]

A service in this process, its watchers in another. Each pair is one run without and one with
watchers, the order swapped from pair to pair; printed are items a second of both, the ratio, and
the processor time of the service's process. ``--per-second`` limits the run's rate: a run that is
held back by a provider, as most are, instead of one that is as fast as this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.service import Served, served

_ITEM = b"\nevent: item."


async def watch(url: str, token: str, run_id: str, *, streams: int, sockets: int) -> int:
    """Watches until the run ends; says how many durable events came, over all watchers."""
    events = 0
    path = f"{url}/api/v1/runs/{run_id}"

    async def stream(http: aiohttp.ClientSession) -> None:
        nonlocal events
        async with http.get(f"{path}/events") as answer:
            rest = b"\n"
            async for piece in answer.content.iter_any():
                text = rest + piece
                events += text.count(_ITEM)
                rest = text[1 - len(_ITEM) :]  # a mark may be cut in two

    async def socket(http: aiohttp.ClientSession) -> None:
        nonlocal events
        async with http.ws_connect(f"{path}/ws") as opened:
            async for message in opened:
                if message.data.startswith('{"type":"events"'):
                    events += message.data.count('"number":')

    headers = {"Authorization": f"Bearer {token}"}
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(headers=headers, connector=connector, timeout=timeout) as http:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.gather(
            *(stream(http) for _ in range(streams)), *(socket(http) for _ in range(sockets))
        )
    return events


async def one(
    service: Served, options: argparse.Namespace, *, watched: bool
) -> tuple[float, float]:
    """Items a second of one run, and the processor seconds of this process for it."""
    limits = {"max_concurrency": 50}
    if options.per_second:
        limits["rpm"] = 60 * options.per_second
    before = time.process_time()
    run_id = await service.start(options.rows, model=options.model, options=limits)
    watchers = None
    if watched:
        command = [sys.executable, __file__, "--watch", service.url, run_id]
        command += ["--streams", str(options.streams), "--sockets", str(options.sockets)]
        watchers = subprocess.Popen(  # noqa: ASYNC220 - it starts in a moment
            command,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "FANWISE_WATCH_TOKEN": service.token},
        )
    async with asyncio.timeout(300):
        async with service.http.get(f"{service.url}/api/v1/runs/{run_id}/events") as answer:
            async for _ in answer.content.iter_any():
                pass
    cpu_s = time.process_time() - before
    report = await service.get(f"/api/v1/runs/{run_id}/report")
    if watchers is not None:
        out = await asyncio.to_thread(watchers.communicate)
        told = int(out[0].split()[-1])
        wanted = options.rows * (options.streams + options.sockets)
        print(f"  {told} of {wanted} events told", flush=True)
    return options.rows / report["wall_s"], cpu_s


async def measure(options: argparse.Namespace) -> None:
    """Runs the pairs and prints them."""
    ratios = []
    with tempfile.TemporaryDirectory() as place:
        async with served(Path(place)) as service:
            await one(service, options, watched=False)  # warm
            for pair in range(options.pairs):
                found = {}
                for watched in (False, True) if pair % 2 == 0 else (True, False):
                    found[watched] = await one(service, options, watched=watched)
                ratio = found[True][0] / found[False][0]
                ratios.append(ratio)
                print(
                    f"alone {found[False][0]:.0f}/s ({found[False][1]:.2f} s CPU), "
                    f"watched {found[True][0]:.0f}/s ({found[True][1]:.2f} s CPU), "
                    f"ratio {ratio:.3f}",
                    flush=True,
                )
    print(f"median ratio {statistics.median(ratios):.3f}")


def main() -> None:
    """Measures, or watches on behalf of a measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--sockets", type=int, default=50)
    parser.add_argument("--per-second", type=float, default=0)
    parser.add_argument("--model", default="sim/fast")
    parser.add_argument("--watch", nargs=2, metavar=("URL", "RUN"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.watch:
        url, run_id = options.watch
        token = os.environ["FANWISE_WATCH_TOKEN"]
        how = {"streams": options.streams, "sockets": options.sockets}
        print(asyncio.run(watch(url, token, run_id, **how)))
    else:
        asyncio.run(measure(options))


if __name__ == "__main__":
    main()
