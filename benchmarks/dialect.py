"""What a call costs in the models layer alone: no network, one core, microseconds of CPU.

    python benchmarks/dialect.py

A request of 1 KB and an answer as OpenAI shapes it, encoded and decoded through an endpoint whose
transport answers at once; beside it the call's key, its price and its answer under a schema.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from pydantic import BaseModel

from fanwise.clock import LoopClock
from fanwise.models.http.transport import HttpReply
from fanwise.models.identity import content_key, request_json
from fanwise.models.openai_chat import ChatDialect
from fanwise.models.prices import Prices
from fanwise.models.remote import RemoteEndpoint
from fanwise.models.schemas import Schemas
from fanwise.models.sse import SseParser
from fanwise.models.structured import parse
from fanwise.records import Request, Timeouts, Usage, user

ROUNDS = 7
CALLS = 5_000


class Score(BaseModel):
    """What is asked for."""

    score: int
    reason: str


class AtOnce:
    """A transport that answers at once."""

    def __init__(self) -> None:
        content = '{"score": 7, "reason": "short, concrete, and it names its reader"}'
        body = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1741569952,
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": content, "refusal": None},
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": 250,
                "completion_tokens": 20,
                "total_tokens": 270,
                "prompt_tokens_details": {"cached_tokens": 0},
            },
        }
        self._reply = HttpReply(
            status=200,
            headers={"content-type": "application/json", "x-request-id": "req_1"},
            body=orjson.dumps(body),
            connect_s=0.0,
            first_byte_s=0.0,
        )
        chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": "word "}}]}
        self._chunk = b"data: " + orjson.dumps(chunk) + b"\n\n"

    async def send(self, _: Any) -> HttpReply:
        """The answer."""
        return self._reply

    @asynccontextmanager
    async def stream(self, _: Any) -> Any:
        """The answer in 100 pieces."""
        yield _Stream([self._chunk] * 100)


class _Stream:
    status = 200
    headers = {"content-type": "text/event-stream"}  # noqa: RUF012 -- read only

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = [*chunks, b"data: [DONE]\n\n"]

    async def __aiter__(self) -> Any:
        for chunk in self._chunks:
            yield chunk


def main() -> None:
    """Prints the table."""
    schemas = Schemas()
    prompt = "Score this hook, and give the reason in one sentence. " * 19
    plain = Request(
        model="openai/gpt-4o-mini",
        messages=[user(prompt)],
        parameters={"temperature": 0},
        idempotency_key="0123456789abcdef",
    )
    typed = Request(model=plain.model, messages=plain.messages, schema=schemas.of(Score))
    text = '{"score": 7, "reason": "short, concrete, and it names its reader"}'
    usage = Usage(input_tokens=250, output_tokens=20, cached_input_tokens=0)
    prices = Prices()
    event = b'data: {"choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'
    parser = SseParser()
    rows: list[tuple[str, float]] = [
        ("encode and decode a call", sends(plain)),
        ("encode and decode a call under a schema", sends(typed)),
        ("a streamed token, event to callback", sends(plain, stream=True) / 100),
        ("content key", repeated(lambda: content_key(plain, origin="openai"))),
        ("content key under a schema", repeated(lambda: content_key(typed, origin="openai"))),
        ("request as stored", repeated(lambda: request_json(plain))),
        ("schema of a type, known", repeated(lambda: schemas.of(Score))),
        ("answer under a schema", repeated(lambda: parse(text, schemas.of(Score)))),
        (
            "answer inside a code fence",
            repeated(lambda: parse(f"```json\n{text}\n```", schemas.of(Score))),
        ),
        ("answer repaired", repeated(lambda: parse(text[:-1] + ",}", schemas.of(Score)))),
        ("price", repeated(lambda: prices.cost_usd("openai/gpt-4o-mini", usage))),
        ("server-sent event", repeated(lambda: parser.feed(event))),
    ]
    for name, spent_us in rows:
        print(f"{name:42} {spent_us:8.2f} µs")


def sends(request: Request, *, stream: bool = False) -> float:
    """Microseconds of one attempt."""
    model = RemoteEndpoint(
        "openai/gpt-4o-mini",
        dialect=ChatDialect("gpt-4o-mini"),
        provider="openai",
        origin="openai",
        base_url="https://api.openai.com/v1",
        key="sk-example",
        transport=AtOnce(),  # pyright: ignore[reportArgumentType]
        clock=LoopClock(),
    )
    timeouts = Timeouts()
    calls = CALLS // 50 if stream else CALLS

    async def go() -> None:
        on_token = (lambda _: None) if stream else None
        for _ in range(calls):
            await model.send(request, timeouts=timeouts, on_token=on_token)

    return median(lambda: asyncio.run(go()), calls)


def repeated(function: Callable[[], Any]) -> float:
    """Microseconds of one call of a function."""

    def go() -> None:
        for _ in range(CALLS):
            function()

    return median(go, CALLS)


def median(go: Callable[[], None], calls: int) -> float:
    """The median of several rounds, in microseconds of CPU a call."""
    spent: list[float] = []
    for _ in range(ROUNDS):
        before = time.process_time()
        go()
        spent.append((time.process_time() - before) / calls * 1e6)
    return statistics.median(spent)


if __name__ == "__main__":
    main()
