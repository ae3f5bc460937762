"""What every dialect does with every kind of answer, over a real socket, whole and streamed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from fanwise.models.remote import RemoteEndpoint
from fanwise.models.structured import parse
from fanwise.records import (
    Failure,
    Request,
    Response,
    Schema,
    Timeouts,
    Usage,
    assistant,
    system,
    user,
)
from fanwise.retry.classify import classify
from support.dialects import JSON_PIECES, KEY, PIECES, USED, VALUE, Provider, dialect_server
from support.endpoints import chat_endpoint, gemini_endpoint, messages_endpoint
from support.transports import open_kind

DIALECTS = ("chat", "responses", "messages", "gemini")
SCHEMA = Schema(
    name="score",
    definition={
        "type": "object",
        "properties": {"score": {"type": "integer"}},
        "required": ["score"],
        "additionalProperties": False,
    },
)
OPEN_SCHEMA = Schema(name="score", definition={"type": "object"})


class Asking:
    """One dialect against the provider."""

    def __init__(self, name: str, provider: Provider, transport: Any) -> None:
        self.name = name
        self.provider = provider
        url = provider.url
        options = {"key": KEY, "transport": transport}
        self.endpoint: RemoteEndpoint = {
            "chat": lambda: chat_endpoint(**options, base_url=f"{url}/v1"),
            "responses": lambda: chat_endpoint(**options, base_url=f"{url}/v1"),
            "messages": lambda: messages_endpoint(**options, base_url=f"{url}/v1"),
            "gemini": lambda: gemini_endpoint(**options, base_url=f"{url}/v1beta"),
        }[name]()

    def request(self, word: str, **parts: Any) -> Request:
        where = {"endpoint": "responses"} if self.name == "responses" else {}
        messages = [system("Be brief."), user("Hi"), assistant("Hello"), user(f"Now {word}")]
        return Request(**{"model": self.endpoint.name, "messages": messages, **where, **parts})

    async def ask(
        self, word: str, *, stream: bool, **parts: Any
    ) -> tuple[Response | Failure, list[str]]:
        tokens: list[str] = []
        result = await self.endpoint.send(
            self.request(word, **parts),
            timeouts=Timeouts(attempt_s=10.0),
            on_token=tokens.append if stream else None,
        )
        return result, tokens

    async def answered(self, word: str, *, stream: bool, **parts: Any) -> Response:
        result, tokens = await self.ask(word, stream=stream, **parts)
        assert isinstance(result, Response), result
        if stream and result.refusal is None:
            assert "".join(tokens) == result.text
        return result


@pytest_asyncio.fixture(params=DIALECTS)
async def asking(request: pytest.FixtureRequest) -> AsyncGenerator[Asking]:
    transport = open_kind("fast")
    try:
        async with dialect_server() as provider:
            yield Asking(request.param, provider, transport)
    finally:
        await transport.aclose()


ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@ways
async def test_an_answer_comes_with_its_text_its_end_and_its_usage(
    asking: Asking, stream: bool
) -> None:
    answer, tokens = await asking.ask("plain", stream=stream)
    assert isinstance(answer, Response), answer
    assert answer.text == answer.value == "".join(PIECES)
    assert tokens == (list(PIECES) if stream else [])
    assert (answer.finish_reason, answer.refusal) == ("stop", None)
    assert (answer.model, answer.request_id, answer.body) == ("served", "a1", None)
    assert answer.usage == Usage(
        input_tokens=USED[0], output_tokens=USED[1], cached_input_tokens=USED[2]
    )
    assert (answer.first_token_s is not None) == stream


@ways
@pytest.mark.parametrize("schema", [SCHEMA, OPEN_SCHEMA], ids=["closed", "open"])
async def test_an_answer_under_a_schema_is_its_json_and_nothing_else(
    asking: Asking, stream: bool, schema: Schema
) -> None:
    answer = await asking.answered("schema", stream=stream, schema=schema)
    assert parse(answer.text, schema).json == VALUE
    assert answer.finish_reason == "stop"
    sent = str(asking.provider.bodies[-1])
    assert "'type': 'object'" in sent


@ways
async def test_a_refusal_is_served_and_says_so(asking: Asking, stream: bool) -> None:
    answer = await asking.answered("refuse", stream=stream)
    assert answer.refusal
    assert answer.usage.input_tokens == USED[0]
    said = "SAFETY" if asking.name == "gemini" else "I cannot."
    assert said in answer.refusal


@ways
async def test_an_answer_that_was_cut_at_the_cap_says_so(asking: Asking, stream: bool) -> None:
    answer = await asking.answered("truncate", stream=stream, parameters={"max_tokens": 5})
    assert answer.finish_reason == "length"
    assert answer.text == "".join(PIECES)
    assert "5" in str(asking.provider.bodies[-1])


@ways
@pytest.mark.parametrize(
    ("word", "verdict", "retry_after_s"),
    [("limit", "rate", 7.0), ("overloaded", "capacity", None), ("key", "terminal", None)],
)
async def test_a_refusal_by_status_is_evidence_for_the_classifier(
    asking: Asking, stream: bool, word: str, verdict: str, retry_after_s: float | None
) -> None:
    failure, tokens = await asking.ask(word, stream=stream)
    assert isinstance(failure, Failure)
    found = classify(failure, wall_s=0.0)
    assert (found.kind, found.retry_after_s) == (verdict, retry_after_s)
    assert tokens == []
    assert KEY not in f"{failure}"


@ways
async def test_an_error_inside_an_answer_is_a_failure(asking: Asking, stream: bool) -> None:
    failure, _ = await asking.ask("inside", stream=stream)
    assert isinstance(failure, Failure)
    assert classify(failure, wall_s=0.0).kind in {"capacity", "infrastructure"}
    assert "Overloaded" in failure.message


async def test_a_stream_that_ends_too_early_is_no_answer(asking: Asking) -> None:
    failure, tokens = await asking.ask("cut", stream=True)
    assert isinstance(failure, Failure)
    assert tokens
    assert failure.kind == "protocol"


async def test_the_key_travels_in_one_header_and_shows_nowhere(asking: Asking) -> None:
    await asking.answered("plain", stream=False)
    carrying = [name for name, value in asking.provider.headers[-1].items() if KEY in value]
    assert len(carrying) == 1
    assert KEY not in repr(asking.endpoint)


async def test_a_body_of_ones_own_goes_out_as_it_stands_and_its_answer_is_kept(
    asking: Asking,
) -> None:
    await asking.answered("plain", stream=False)
    body = asking.provider.bodies[-1]
    endpoint = {
        "chat": "/v1/chat/completions",
        "responses": "/v1/responses",
        "messages": "/v1/messages",
        "gemini": "/v1beta/models/gemini-2.5-flash:generateContent",
    }[asking.name]
    answer = await asking.answered("", stream=False, body=body, endpoint=endpoint, messages=())
    assert asking.provider.bodies[-1] == body
    assert answer.text == "".join(PIECES)
    assert answer.body is not None
    assert answer.usage.output_tokens == USED[1]
    refused = {**body}
    for name in ("messages", "input", "contents"):
        if name in refused:
            turns = [*refused[name]]
            last = {**turns[-1]}
            if name == "contents":
                last["parts"] = [{"text": "refuse"}]
            else:
                last["content"] = "refuse"
            refused[name] = [*turns[:-1], last]
    kept = await asking.answered("", stream=False, body=refused, endpoint=endpoint, messages=())
    assert kept.refusal is None, "who wrote the request reads the answer"
    assert kept.body is not None


def test_the_pieces_of_the_server_are_what_the_value_says() -> None:
    assert parse("".join(JSON_PIECES), SCHEMA).json == VALUE
