"""An OpenAI-like server in a process of its own, which keeps an account of every request.

It shares nothing with Fanwise: aiohttp's server, a token bucket, slots and faults of its own. What
it does is chosen by :class:`Behaviour`; what was sent to it is read back from ``GET /ledger``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.answers import chat, embeddings, prompt_of, streamed
from support.hints import hint_of

TRANSIENT = (
    *("500", "502", "stall", "body_stall", "crawl", "reset", "short_body"),
    *("truncated_json", "wrong_json", "html", "duplicate", "empty"),
)
REFUSALS = ("429", "503", "529")
CONTENT = ("wrong_schema", "cut_content")
SLOW = ("drip",)
FAULTS = (*TRANSIENT, *REFUSALS, *CONTENT, *SLOW)

LOOK_AGAIN = threading.Event()  # never set: what is waited for happens in another process


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What the server does.

    Args:
        latency_ms: Least and most time to an answer; drawn anew for each request.
        rate, burst: A token bucket, requests a second; ``None`` for none.
        slots: Requests in work at once; more are answered 503. ``None`` for any number.
        share: Probability that a request meets a fault.
        faults: The faults that may happen, each as likely as the others; ``400`` is one too.
        faulty: Only so many requests from the first on may meet a fault; ``None`` for all.
        forms: How a refusal says when to come back, in turn; see :mod:`support.hints`.
        key: The API key that is wanted; empty for none.
        hold_from: Requests from this one on wait until ``GET /release``; ``None`` for none.
        port: Where to listen; 0 takes a free one.
        stall_s: How long a stalled answer takes before it is abandoned.
        seed: Of latencies and faults.
    """

    latency_ms: Sequence[float] = (5.0, 5.0)
    rate: float | None = None
    burst: int = 1
    slots: int | None = None
    share: float = 0.0
    faults: Sequence[str] = FAULTS
    faulty: int | None = None
    forms: Sequence[str] = ("seconds",)
    key: str = ""
    hold_from: int | None = None
    port: int = 0
    stall_s: float = 30.0
    seed: int = 1


class Provider:
    """The server: admission, faults and answers, with a line in the ledger for each request."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.ledger: list[dict[str, Any]] = []
        self.in_work = 0
        self.most_in_work = 0
        self.refusals = 0
        self.released = asyncio.Event()
        self._chance = random.Random(behaviour.seed)
        self._tokens = float(behaviour.burst)
        self._filled_at = time.monotonic()

    async def answer(self, request: Any) -> Any:
        """Takes one request to its end, and writes down what became of it."""
        arrived = time.monotonic()
        body = await request.json()
        line: dict[str, Any] = {
            "number": len(self.ledger),
            "path": request.path,
            "prompt": prompt_of(body),
            "body": body,
            "idempotency_key": request.headers.get("Idempotency-Key"),
            "arrived": arrived,
            "arrived_wall": time.time() - (time.monotonic() - arrived),
            "ended": None,
            "outcome": "in work",
            "not_before_wall": None,
        }
        self.ledger.append(line)
        self.in_work += 1
        self.most_in_work = max(self.most_in_work, self.in_work)
        try:
            response = await self._decide(request, body, line)
        except (asyncio.CancelledError, ConnectionError):
            line["outcome"] = "gone" if line["outcome"] == "in work" else line["outcome"]
            raise
        finally:
            self.in_work -= 1
            line["ended"] = time.monotonic()
        return response

    async def _decide(self, request: Any, body: Any, line: dict[str, Any]) -> Any:
        behaviour = self.behaviour
        if behaviour.key and request.headers.get("Authorization") != f"Bearer {behaviour.key}":
            line["outcome"] = "wrong key"
            return _error(401, "Incorrect API key provided", "invalid_api_key")
        if not self._admitted():
            line["outcome"] = "refused"
            return self._refuse(429, line, wait_s=max(0.01, (1 - self._tokens) / behaviour.rate))
        if behaviour.slots is not None and self.in_work > behaviour.slots:
            line["outcome"] = "no slot"
            return self._refuse(503, line, wait_s=0.3)
        latency_s = self._chance.uniform(*behaviour.latency_ms) / 1000
        fault = self._fault(body, number=line["number"])
        await asyncio.sleep(latency_s)
        if behaviour.hold_from is not None and line["number"] >= behaviour.hold_from:
            await self.released.wait()
        whole = (
            embeddings(body)
            if request.path.endswith("embeddings")
            else chat(body, number=line["number"])
        )
        if fault is None:
            line["outcome"] = "served"
            return _whole(body, whole)
        line["outcome"] = fault
        return await self._go_wrong(fault, request, line, whole)

    def _fault(self, body: Mapping[str, Any], *, number: int) -> str | None:
        faulty = self.behaviour.faulty
        if self._chance.random() >= self.behaviour.share or (faulty or math.inf) <= number:
            return None
        fault = self._chance.choice(list(self.behaviour.faults))
        # Only an answer under a schema can be of the wrong shape inside.
        return "wrong_json" if fault in CONTENT and "response_format" not in body else fault

    def _admitted(self) -> bool:
        rate = self.behaviour.rate
        if rate is None:
            return True
        now = time.monotonic()
        grown = self._tokens + (now - self._filled_at) * rate
        self._tokens, self._filled_at = min(float(self.behaviour.burst), grown), now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _refuse(self, status: int, line: dict[str, Any], *, wait_s: float) -> Any:
        """A refusal that says when to come back, in the form whose turn it is."""
        form = self.behaviour.forms[self.refusals % len(self.behaviour.forms)]
        self.refusals += 1
        hint = hint_of(form, wait_s, now=time.time())
        line["not_before_wall"], line["form"] = hint.not_before_wall, form
        what = "rate_limit_exceeded" if status == 429 else "overloaded"
        return _error(status, hint.message, what, headers=hint.headers, details=hint.details)

    async def _go_wrong(self, fault: str, request: Any, line: dict[str, Any], whole: Any) -> Any:
        if fault in REFUSALS:
            return self._refuse(int(fault), line, wait_s=self._chance.uniform(0.05, 0.4))
        if fault in CONTENT:
            return _json(_bad_content(fault, whole))
        if fault in _WHOLE_ANSWERS:
            return _WHOLE_ANSWERS[fault]()
        if fault == "stall":
            await asyncio.sleep(self.behaviour.stall_s)
        if fault in {"stall", "reset"}:
            return _reset(request)
        return await self._broken_body(fault, request, line["body"], whole)

    async def _broken_body(self, fault: str, request: Any, body: Any, whole: Any) -> Any:
        from aiohttp import web

        answer = _whole(body, whole)
        data, kind = answer.body, answer.content_type
        half = len(data) // 2
        if fault == "truncated_json":
            return web.Response(body=data[:half], content_type=kind)
        response = web.StreamResponse(headers={"Content-Type": kind})
        if fault == "duplicate":
            response.enable_chunked_encoding()
            pieces = [data[:half], data[:half], data[half:]]
        else:
            response.content_length = len(data)
            pieces = [data[:half]]
        await response.prepare(request)
        if fault in {"drip", "crawl"}:
            count = 20 if fault == "drip" else 200
            pieces = [data[at : at + 8] for at in range(0, len(data) // 2, 8)][:count]
            pieces.append(data[sum(map(len, pieces)) :])
        for piece in pieces:
            await response.write(piece)
            if fault == "drip":
                await asyncio.sleep(0.02)
            elif fault == "crawl":
                await asyncio.sleep(0.5)
        if fault == "body_stall":
            await asyncio.sleep(self.behaviour.stall_s)
        if fault in {"short_body", "body_stall"}:
            request.transport.close()
            return response
        await response.write_eof()
        return response


def _bad_content(fault: str, whole: dict[str, Any]) -> dict[str, Any]:
    """The same answer with content that does not fit, or that ends in the middle of a word."""
    choice = whole["choices"][0]
    text = choice["message"]["content"]
    if fault == "wrong_schema":
        choice["message"]["content"] = json.dumps({"length": "long", "verdict": "fine"})
    else:
        choice["message"]["content"] = text[:-6]
        choice["finish_reason"] = "length"
    return whole


def _whole(body: Mapping[str, Any], answer: dict[str, Any]) -> Any:
    """An answer as it was asked for: in one piece, or as a stream of events."""
    from aiohttp import web

    if body.get("stream"):
        return web.Response(body=streamed(answer), content_type="text/event-stream")
    return _json(answer)


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Any:
    from aiohttp import web

    return web.json_response(value, status=status, headers=headers)


def _error(
    status: int,
    message: str,
    code: str,
    *,
    headers: Mapping[str, str] | None = None,
    details: Mapping[str, Any] | None = None,
) -> Any:
    error = {"message": message, "type": code, "code": code, **(details or {})}
    return _json({"error": error}, status, headers)


def _text(text: str, *, status: int, kind: str = "text/html") -> Any:
    from aiohttp import web

    return web.Response(text=text, status=status, content_type=kind)


_WHOLE_ANSWERS: Mapping[str, Callable[[], Any]] = {
    "400": lambda: _error(400, "max_tokens is too large", "invalid_request_error"),
    "500": lambda: _error(500, "The server had an error", "server_error"),
    "502": lambda: _text("<html><body><h1>502 Bad Gateway</h1></body></html>", status=502),
    "html": lambda: _text("<!doctype html><title>Log in</title><p>Log in.", status=200),
    "empty": lambda: _text("", status=200, kind="application/json"),
    "wrong_json": lambda: _json({"hello": "world"}),
}


def _reset(request: Any) -> Any:
    """Ends the connection with a reset instead of a proper end."""
    plug = request.transport.get_extra_info("socket")
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
    return _text("", status=500)


async def _serve(behaviour: Behaviour) -> None:
    from aiohttp import web

    provider = Provider(behaviour)

    async def ledger(_: Any) -> Any:
        return _json(provider.ledger)

    async def release(_: Any) -> Any:
        provider.released.set()
        return _json({})

    async def counts(_: Any) -> Any:
        outcomes: dict[str, int] = {}
        for line in provider.ledger:
            outcomes[line["outcome"]] = outcomes.get(line["outcome"], 0) + 1
        return _json(
            {
                "requests": len(provider.ledger),
                "in_work": provider.in_work,
                "most_in_work": provider.most_in_work,
                "outcomes": outcomes,
            }
        )

    app = web.Application(client_max_size=64 * 1024 * 1024)
    for path in ("chat/completions", "embeddings"):
        app.router.add_post(f"/v1/{path}", provider.answer)
    app.router.add_get("/ledger", ledger)
    app.router.add_get("/counts", counts)
    app.router.add_get("/release", release)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", behaviour.port, backlog=4096).start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201 - for whoever started it
    # It ends with whoever started it, since its input ends then.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    await runner.cleanup()


class Server:
    """A running server, as its tests see it."""

    def __init__(self, port: int) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.origin}/v1"

    def ledger(self) -> list[dict[str, Any]]:
        """Every request so far, in order of arrival."""
        return self._get("ledger")

    def counts(self) -> dict[str, Any]:
        """How many requests there were, by what became of them."""
        return self._get("counts")

    def release(self) -> None:
        """Lets go of the requests that are held, and of all to come."""
        self._get("release")

    def wait_for(self, reached: Callable[[dict[str, Any]], bool], *, within_s: float = 30) -> Any:
        """Polls the counts until they are as wanted, and returns them."""
        end_s = time.monotonic() + within_s
        while not reached(counts := self.counts()):
            assert time.monotonic() < end_s, f"not reached in {within_s} s: {counts}"
            LOOK_AGAIN.wait(0.003)
        return counts

    def _get(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.origin}/{what}", timeout=20) as reply:
            return json.load(reply)


@contextmanager
def serving(**behaviour: Any) -> Iterator[Server]:
    """Runs a server with this :class:`Behaviour` for the length of the block."""
    settings = json.dumps(asdict(Behaviour(**behaviour)))
    command = [sys.executable, __file__, "--behaviour", settings]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Server(int(process.stdout.readline()))
        finally:
            process.stdin.close()


def main() -> None:
    """Serves until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--behaviour", default="{}", help="JSON object of its settings")
    asyncio.run(_serve(Behaviour(**json.loads(parser.parse_args().behaviour))))


if __name__ == "__main__":
    main()
