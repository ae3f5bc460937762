"""Limits that nobody was told: a bucket, slots, and half of both taken away and given back.

    python benchmarks/learned.py [bucket] [slots] [steps] [slot-steps] [--calls N]

The server is a process of its own and counts for itself what it served and what it refused:

* ``bucket``: 100 requests a second with a burst of 20; a 429 says ``Retry-After`` in whole seconds.
  2400 calls. The ideal is ``(calls - burst) / rate``.
* ``slots``: 48 requests in work at once, 0.4 s each, a bare 429. 4000 calls. The ideal is
  ``calls * 0.4 s / 48``.
* ``steps``: the bucket for 45 s; from the 15th to the 30th second half of its rate. What is served
  in the second half of each stretch is compared with what the server would have allowed.
* ``slot-steps``: the same with the slots, of which 24 are left in the second stretch.

The client is the library with nothing stated.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import fanwise as fw

_ANSWER = {
    "id": "c",
    "object": "chat.completion",
    "model": "test",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
}
_STRETCH_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """What the server allows."""

    rate: float = math.inf
    burst: float = 20.0
    slots: float = math.inf
    service_s: float = 0.05
    steps: bool = False


CASES = {
    "bucket": Limited(rate=100.0),
    "slots": Limited(slots=48, service_s=0.4),
    "steps": Limited(rate=100.0, steps=True),
    "slot-steps": Limited(slots=48, service_s=0.4, steps=True),
}
CALLS = {"bucket": 2400, "slots": 4000}


class Server:
    """Answers, or refuses and counts."""

    def __init__(self, limited: Limited) -> None:
        self._limited = limited
        self._level = limited.burst
        self._at = 0.0
        self._began: float | None = None
        self._in_work = 0
        self._served: list[float] = []
        self._refused: list[float] = []

    def _share(self, since_s: float) -> float:
        """Of the limit, what holds at present."""
        half = self._limited.steps and _STRETCH_S <= since_s < 2 * _STRETCH_S
        return 0.5 if half else 1.0

    def refusal(self) -> dict[str, str] | None:
        """The headers of a refusal, or nothing where the request is taken."""
        limited, now = self._limited, time.monotonic()
        if self._began is None:
            self._began = self._at = now
        since_s = now - self._began
        if self._in_work >= limited.slots * self._share(since_s):
            self._refused.append(since_s)
            return {}
        if limited.rate < math.inf:
            rate = limited.rate * self._share(since_s)
            self._level = min(limited.burst, self._level + (now - self._at) * rate)
            self._at = now
            if self._level < 1:
                self._refused.append(since_s)
                return {"Retry-After": str(math.ceil((1 - self._level) / rate))}
            self._level -= 1
        return None

    async def answer(self, request: Any) -> Any:
        """One request."""
        from aiohttp import web

        await request.read()
        headers = self.refusal()
        if headers is not None:
            return web.json_response({"error": {"message": "no"}}, status=429, headers=headers)
        self._in_work += 1
        try:
            await asyncio.sleep(self._limited.service_s)
        finally:
            self._in_work -= 1
        self._served.append(time.monotonic() - (self._began or 0.0))
        return web.json_response(_ANSWER)

    async def counts(self, _: Any) -> Any:
        """When it served and refused, in seconds from the first request."""
        from aiohttp import web

        return web.json_response({"served": self._served, "refused": self._refused})

    async def serve(self) -> None:
        """Prints its port, then serves until standard input ends."""
        from aiohttp import web

        app = web.Application()
        app.router.add_post("/v1/chat/completions", self.answer)
        app.router.add_get("/counts", self.counts)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
        await runner.cleanup()


@contextmanager
def serving(case: str) -> Iterator[str]:
    command = [sys.executable, __file__, "--serve", case]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.stdin.close()


async def items(case: str, calls: int) -> AsyncIterator[int]:
    until = time.monotonic() + 3 * _STRETCH_S
    number = 0
    while number < calls or (CASES[case].steps and time.monotonic() < until):
        yield number
        number += 1


async def run(case: str, origin: str, calls: int) -> tuple[int, float]:
    """Sends everything; returns how many failed, and how long it took."""

    async def ask(ctx: fw.Context, number: int) -> object:
        return await ctx.call("openai/test", f"question {number}")

    began = time.perf_counter()
    async with (
        fw.open_run(
            "learned",
            journal=":memory:",
            base_url=f"{origin}/v1",
            env={"OPENAI_API_KEY": "k"},
        ) as opened,
        opened.map(ask, items(case, calls), item_id=str) as outcomes,
    ):
        failed = sum([not outcome.ok async for outcome in outcomes])
    return failed, time.perf_counter() - began


def measure(case: str, calls: int) -> None:
    with serving(case) as origin:
        failed, wall_s = asyncio.run(run(case, origin, calls))
        with urllib.request.urlopen(f"{origin}/counts", timeout=10) as reply:
            counts = json.load(reply)
    served, refused = counts["served"], counts["refused"]
    share = len(refused) / max(1, len(served))
    print(f"{case}: {len(served)} served, {len(refused)} refused ({share:.1%}), {failed} failed")
    limited = CASES[case]
    if limited.steps:
        whole = min(limited.rate, limited.slots / limited.service_s)
        for number, rate in enumerate((whole, whole / 2, whole)):
            from_s, until_s = (number + 0.5) * _STRETCH_S, (number + 1.0) * _STRETCH_S - 0.5
            got = sum(from_s <= at - limited.service_s < until_s for at in served)
            lost = sum(number * _STRETCH_S <= at < until_s for at in refused)
            allowed = rate * (until_s - from_s)
            print(f"  at {rate:g}/s: {got / allowed:.3f} of what is allowed, {lost} refused")
        return
    if case == "bucket":
        ideal_s = (calls - limited.burst) / limited.rate
    else:
        ideal_s = calls * limited.service_s / limited.slots
    print(f"  {wall_s:.2f} s, {wall_s / ideal_s:.3f} × ideal; {ideal_s / wall_s:.3f} of the oracle")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--calls", type=int, help="instead of 2400 and 4000")
    parser.add_argument("--serve", choices=list(CASES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(Server(CASES[options.serve]).serve())
        return
    for case in options.cases or CASES:
        measure(case, options.calls or CALLS.get(case, 0))


if __name__ == "__main__":
    main()
