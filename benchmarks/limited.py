"""A known limit: 3000 calls against a server that allows 100 a second with a burst of 20.

    python benchmarks/limited.py [--calls 3000] [--rate 100] [--burst 20] [--latency-ms 50]

The server is a process of its own and counts for itself what it served and what it refused (429
with an integer Retry-After). The client is the command line: ``fanwise run … --rpm``. The ideal is
``(calls - burst) / rate``: what nobody can beat who uses the burst at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

IN_FLIGHT = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--burst", type=int, default=20)
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(Bucket(options).serve())
        return
    with tempfile.TemporaryDirectory() as folder, serving(options) as origin:
        measure(options, Path(folder), origin)


class Bucket:
    """A token bucket in front of an answer that repeats its question."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._tokens = float(options.burst)
        self._filled_at = time.monotonic()
        self._first: float | None = None
        self._counts: dict[str, float] = {"served": 0, "refused": 0, "took_s": 0.0}

    async def answer(self, request: web.Request) -> web.Response:
        """Serves a request, or refuses it."""
        options, now = self._options, time.monotonic()
        if self._first is None:
            # The bucket was filled while nobody came.
            self._first, self._filled_at = now, now
        grown = self._tokens + (now - self._filled_at) * options.rate
        self._tokens, self._filled_at = min(options.burst, grown), now
        body = await request.json()
        if self._tokens < 1:
            self._counts["refused"] += 1
            wait_s = math.ceil((1 - self._tokens) / options.rate)
            error = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
            return web.json_response(error, status=429, headers={"Retry-After": str(wait_s)})
        self._tokens -= 1
        await asyncio.sleep(options.latency_ms / 1000)
        self._counts["served"] += 1
        self._counts["took_s"] = time.monotonic() - self._first
        return web.json_response(completion(body))

    async def counts(self, _: web.Request) -> web.Response:
        """What it counted."""
        return web.json_response(self._counts)

    async def serve(self) -> None:
        """Prints its port, then serves until standard input ends."""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self.answer)
        app.router.add_get("/counts", self.counts)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
        await runner.cleanup()


def completion(body: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": body["messages"][-1]["content"]}
    return {
        "id": "c",
        "object": "chat.completion",
        "model": body["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
    }


@contextmanager
def serving(options: argparse.Namespace) -> Iterator[str]:
    command = [sys.executable, __file__, "--serve", "--rate", str(options.rate)]
    command += ["--burst", str(options.burst), "--latency-ms", str(options.latency_ms)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.stdin.close()


def measure(options: argparse.Namespace, folder: Path, origin: str) -> None:
    """Runs the client against the server and prints what both counted."""
    rows = folder / "rows.jsonl"
    lines = (json.dumps({"id": f"r{n}", "text": f"question {n}"}) for n in range(options.calls))
    rows.write_text("\n".join(lines) + "\n", encoding="utf-8")
    asked = ("-m", "openai/test", "-p", "{{ text }}", "-o", str(folder / "out.jsonl"))
    asked += ("--base-url", f"{origin}/v1", "--rpm", str(options.rate * 60), "-j", str(IN_FLIGHT))
    began = time.perf_counter()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "fanwise", "run", str(rows), *asked),
            *("--journal", str(folder / "journal"), "--json", "--quiet"),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "OPENAI_API_KEY": "k"},
    )
    wall_s = time.perf_counter() - began
    with urllib.request.urlopen(f"{origin}/counts", timeout=10) as reply:
        counts = json.load(reply)
    summary = json.loads(done.stdout)
    ideal_s = (options.calls - options.burst) / options.rate
    limits = ", ".join(f"{c['cause']} {c['share']:.0%}" for c in summary["limited_by"])
    print(
        f"{options.calls} calls, {options.rate:g}/s with burst {options.burst}, ideal {ideal_s} s"
    )
    print(f"whole command  {wall_s:6.2f} s  {wall_s / ideal_s:.3f} × ideal  (target ≤ 1.05)")
    print(f"at the server  {counts['took_s']:6.2f} s  {counts['took_s'] / ideal_s:.3f} × ideal")
    print(f"refused        {counts['refused']:6.0f}    (target ≤ 10)")
    print(f"failed         {summary['items']['failed']:6}    (target 0), exit {done.returncode}")
    print(f"served         {counts['served']:6.0f}    limited by {limits}")


if __name__ == "__main__":
    main()
