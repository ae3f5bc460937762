"""The OpenAI dialect: what is sent, where the key goes, and what failures become."""

import asyncio

import pytest

from fanwise.errors import PlanError
from fanwise.models.dialect import join_url
from fanwise.models.http.errors import TransportFault, TransportTimeout
from fanwise.records import Failure, Message, Request, Schema, Timeouts, system, user
from support.endpoints import chat_endpoint
from support.fake_transport import FakeTransport, reply

KEY = "sk-live-1234567890"
ANSWER = reply({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]})
ASKED = Request(model="openai/gpt-4o-mini", messages=[user("hello")])
TIMEOUTS = Timeouts(attempt_s=7.0)
SCHEMA = Schema(
    name="score",
    definition={
        "type": "object",
        "properties": {"score": {"type": "integer"}},
        "required": ["score"],
        "additionalProperties": False,
    },
)


def endpoint(transport, **options):
    return chat_endpoint(transport, **{"key": KEY, **options})


def send(transport, request=ASKED, **options):
    return asyncio.run(endpoint(transport, **options).send(request, timeouts=TIMEOUTS))


def sent(request=ASKED, **options):
    """The request that goes over the wire."""
    transport = FakeTransport(ANSWER)
    answer = send(transport, request, **options)
    assert not isinstance(answer, Failure), answer
    return transport.sent[0], transport.body()


def test_a_request_is_messages_and_parameters_by_their_own_names():
    wire, body = sent(
        Request(
            model="openai/gpt-4o-mini",
            messages=[system("be brief"), user([{"type": "text", "text": "hi"}])],
            parameters={"temperature": 0, "max_completion_tokens": 9, "stop": ("a", "b")},
        )
    )
    assert body == {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        ],
        "temperature": 0,
        "max_completion_tokens": 9,
        "stop": ["a", "b"],
    }
    assert (wire.method, wire.url) == ("POST", "https://api.openai.com/v1/chat/completions")
    assert wire.timeouts is TIMEOUTS


def test_the_key_travels_in_a_header_and_nowhere_else():
    wire, _ = sent()
    assert wire.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in wire.url
    assert KEY.encode() not in wire.body
    assert KEY not in repr(wire)
    assert KEY not in repr(endpoint(FakeTransport(ANSWER)))


def test_without_a_key_there_is_no_such_header():
    assert "authorization" not in sent(key="")[0].headers


def test_a_provider_may_want_its_key_in_another_header():
    headers = sent(key_header="api-key")[0].headers
    assert headers["api-key"] == KEY
    assert "authorization" not in headers


def test_the_idempotency_key_is_a_header_of_its_request_only():
    transport = FakeTransport(ANSWER)
    model = endpoint(transport)

    async def main():
        for key in ("k1", ""):
            request = Request(model="m", messages=[user("x")], idempotency_key=key)
            await model.send(request, timeouts=TIMEOUTS)

    asyncio.run(main())
    assert transport.sent[0].headers["idempotency-key"] == "k1"
    assert "idempotency-key" not in transport.sent[1].headers


def test_a_schema_is_asked_for_strictly_where_it_is_strict():
    _, body = sent(Request(model="m", messages=[user("x")], schema=SCHEMA))
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "score", "schema": SCHEMA.definition, "strict": True},
    }
    loose = Schema(name="any", definition={"type": "object"})
    _, body = sent(Request(model="m", messages=[user("x")], schema=loose))
    assert body["response_format"]["json_schema"]["strict"] is False


def test_two_schemas_are_not_mixed_up():
    transport = FakeTransport(ANSWER)
    model = endpoint(transport)

    async def main():
        for index in range(200):
            schema = Schema(name=f"s{index}", definition={"type": "object"})
            request = Request(model="m", messages=[user("x")], schema=schema)
            await model.send(request, timeouts=TIMEOUTS)

    asyncio.run(main())
    names = [
        transport.body(index)["response_format"]["json_schema"]["name"] for index in range(200)
    ]
    assert names == [f"s{index}" for index in range(200)]


def test_a_body_is_sent_as_it_stands():
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}], "seed": 1}
    wire, found = sent(Request(model="openai/other", body=body, endpoint="/v1/chat/completions"))
    assert found == body
    assert wire.url == "https://api.openai.com/v1/chat/completions"


def test_a_body_without_a_model_gets_the_one_that_was_asked_for():
    _, found = sent(Request(model="openai/gpt-4o-mini", body={"messages": []}))
    assert found == {"model": "gpt-4o-mini", "messages": []}


def test_an_answer_to_a_body_is_kept_whole():
    embedding = {"object": "list", "data": [], "usage": {"prompt_tokens": 8, "total_tokens": 8}}
    transport = FakeTransport(reply(embedding))
    answer = send(transport, Request(model="m", body={"input": "x"}, endpoint="/v1/embeddings"))
    assert answer.body == embedding
    assert transport.sent[0].url == "https://api.openai.com/v1/embeddings"


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("https://h/v1", "chat/completions", "https://h/v1/chat/completions"),
        ("https://h/v1", "/v1/chat/completions", "https://h/v1/chat/completions"),
        ("https://h", "chat/completions", "https://h/v1/chat/completions"),
        ("https://h", "/v1/embeddings", "https://h/v1/embeddings"),
        ("https://h/openai/v1", "/v1/responses", "https://h/openai/v1/responses"),
        ("https://h/v1beta/openai", "chat/completions", "https://h/v1beta/openai/chat/completions"),
        (
            "https://h/openai/deployments/d?api-version=2024-10-21",
            "/v1/chat/completions",
            "https://h/openai/deployments/d/chat/completions?api-version=2024-10-21",
        ),
    ],
)
def test_endpoints_stand_below_any_base_url(base, path, url):
    assert join_url(base, path) == url


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "https://evil.example/v1/chat/completions",
        "../admin",
        "chat/../../x",
        "chat completions",
        "chat\r\nx: y",
        "chat?key=1",
        "@evil.example",
        "a//b",
        "a\\b",
    ],
)
def test_an_endpoint_cannot_lead_elsewhere(path):
    with pytest.raises(PlanError, match="is no endpoint"):
        join_url("https://h/v1", path)
    failure = send(FakeTransport(ANSWER), Request(model="m", body={}, endpoint=path))
    assert (failure.kind, failure.exception.code) == ("exception", "rejected")


def test_parameters_cannot_set_what_the_call_sets():
    transport = FakeTransport(ANSWER)
    failure = send(transport, Request(model="m", messages=[user("x")], parameters={"stream": True}))
    assert failure.kind == "exception"
    assert "set stream" in failure.message
    assert transport.sent == []


def test_a_body_that_asks_for_a_stream_is_refused_before_it_is_sent():
    transport = FakeTransport(ANSWER)
    failure = send(transport, Request(model="m", body={"messages": [], "stream": True}))
    assert "asks for a stream" in failure.message
    assert transport.sent == []


@pytest.mark.parametrize("content", [{1, 2}, "\ud800", 2**70, {"a": object()}, {1: 2}])
def test_what_is_no_json_is_named(content):
    transport = FakeTransport(ANSWER)
    failure = send(transport, Request(model="m", messages=[Message(role="user", content=content)]))
    assert "messages[0]" in failure.message
    assert failure.exception.code == "rejected"
    assert transport.sent == []


def test_an_error_status_is_a_failure_with_its_evidence():
    body = {"error": {"message": "Rate limit reached", "type": "tokens"}}
    answer = reply(body, status=429, **{"retry-after": "2"})
    failure = send(FakeTransport(answer))
    assert (failure.kind, failure.status, failure.headers["retry-after"]) == ("status", 429, "2")
    assert failure.message == "openai at api.openai.com answered 429: Rate limit reached"


@pytest.mark.parametrize(
    ("error", "kind", "phase"),
    [
        (
            TransportFault("refused", kind="connect", phase="connect", maybe_sent=False),
            "connect",
            None,
        ),
        (
            TransportFault("cut", kind="reset", phase="between_chunks", maybe_sent=True),
            "reset",
            None,
        ),
        (TransportTimeout("slow", phase="first_byte", maybe_sent=True), "timeout", "first_byte"),
    ],
)
def test_what_breaks_on_the_wire_is_a_failure(error, kind, phase):
    failure = send(FakeTransport(error))
    assert (failure.kind, failure.phase, failure.message) == (kind, phase, error.message)


def test_a_key_that_the_server_repeats_is_not_passed_on():
    body = {"error": {"message": f"Incorrect API key provided: {KEY}"}}
    failure = send(FakeTransport(reply(body, status=401, **{"x-echo": f"Bearer {KEY}"})))
    assert failure.status == 401
    assert KEY not in repr(failure)
    assert "[key]" in failure.message


def test_a_stand_in_for_a_key_does_not_garble_messages():
    failure = send(FakeTransport(reply({"error": "by order of the test"}, status=400)), key="test")
    assert failure.message.endswith("by order of the test")


def test_cancellation_passes_through():
    class Never(FakeTransport):
        async def send(self, request):
            await asyncio.Event().wait()

    async def main():
        task = asyncio.ensure_future(endpoint(Never()).send(ASKED, timeouts=TIMEOUTS))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
