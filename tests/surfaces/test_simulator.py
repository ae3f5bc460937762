"""The simulated provider over real sockets, asked by a client that is not ours."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import struct

import aiohttp
import jsonschema_rs
import pytest

from fanwise.errors import ConfigError, StateError
from fanwise.simulator.answers import answers_by_schema
from fanwise.simulator.profile import profile_from_options
from fanwise.simulator.provider import SimulatedProvider
from support.simulated import COLOUR, ask, chat, profile, schema_format, until


async def test_a_chat_completion_has_openais_shape(session):
    async with SimulatedProvider(profile()) as provider:
        status, headers, text = await ask(session, provider, chat(n=2))
    answer = json.loads(text)
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"]
    assert answer["object"] == "chat.completion"
    assert [choice["index"] for choice in answer["choices"]] == [0, 1]
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert "A harbour shelters ships." in choice["message"]["content"]
    usage = answer["usage"]
    assert usage["prompt_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


async def test_an_answer_is_computed_from_the_request_and_never_changes(session):
    async with SimulatedProvider(profile()) as provider:
        texts = []
        for body in (chat("one"), chat("two"), chat("one")):
            _, _, text = await ask(session, provider, body)
            texts.append(json.loads(text)["choices"][0]["message"]["content"])
    assert texts[0] == texts[2] != texts[1]


async def test_a_schema_is_satisfied(session):
    async with SimulatedProvider(profile()) as provider:
        _, _, text = await ask(session, provider, chat(response_format=schema_format()))
        value = json.loads(json.loads(text)["choices"][0]["message"]["content"])
        _, _, text = await ask(session, provider, chat(response_format={"type": "json_object"}))
        free = json.loads(json.loads(text)["choices"][0]["message"]["content"])
    jsonschema_rs.validator_for(COLOUR).validate(value)
    assert isinstance(free, dict)


async def test_the_rules_see_the_request_as_records(session):
    seen = []

    def rule(request):
        seen.append(request)
        return {"colour": "green"}

    answer = answers_by_schema({"colour": rule})
    async with SimulatedProvider(profile(), answer=answer) as provider:
        body = chat("x", temperature=0.5, response_format=schema_format())
        _, _, text = await ask(session, provider, body, headers={"idempotency-key": "k1"})
    assert json.loads(json.loads(text)["choices"][0]["message"]["content"]) == {"colour": "green"}
    (request,) = seen
    assert request.messages[0].content == "x"
    assert request.parameters == {"temperature": 0.5}
    assert (request.schema.name, request.idempotency_key) == ("colour", "k1")


async def test_a_stream_carries_the_same_text_and_usage(session):
    async with SimulatedProvider(profile(**{"per-token": 0.0001})) as provider:
        _, _, text = await ask(session, provider, chat())
        options = {"include_usage": True}
        _, headers, events = await ask(session, provider, chat(stream=True, stream_options=options))
        _, _, silent = await ask(session, provider, chat(stream=True))
        served = provider.statistics().served
    whole = json.loads(text)
    assert headers["content-type"] == "text/event-stream"
    lines = [line.removeprefix("data: ") for line in events.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    streamed = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"])
    assert streamed == whole["choices"][0]["message"]["content"]
    assert len(chunks) > 5
    assert chunks[-1]["usage"] == whole["usage"]
    assert "usage" not in silent
    assert served == 3


async def test_max_tokens_cut_the_answer(session):
    async with SimulatedProvider(profile()) as provider:
        for field in ("max_tokens", "max_completion_tokens"):
            _, _, text = await ask(session, provider, chat(**{field: 3}))
            answer = json.loads(text)
            assert answer["choices"][0]["finish_reason"] == "length"
            assert answer["usage"]["completion_tokens"] <= 3


async def test_models_and_embeddings(session):
    async with SimulatedProvider(profile(models="a,b")) as provider:
        async with session.get(provider.base_url + "/models") as response:
            listed = await response.json()
        body = {"model": "a", "input": ["one two", "three"], "dimensions": 8}
        _, _, plain = await ask(session, provider, body, path="/embeddings")
        packed_body = {**body, "encoding_format": "base64"}
        _, _, packed = await ask(session, provider, packed_body, path="/embeddings")
        status, _, missing = await ask(session, provider, chat())
    assert [model["id"] for model in listed["data"]] == ["a", "b"]
    vectors = [entry["embedding"] for entry in json.loads(plain)["data"]]
    assert [math.hypot(*vector) for vector in vectors] == pytest.approx([1.0, 1.0])
    data = base64.b64decode(json.loads(packed)["data"][0]["embedding"])
    assert struct.unpack("<8f", data) == pytest.approx(vectors[0], abs=1e-6)
    assert status == 404
    assert json.loads(missing)["error"]["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{half", None),
        (b"[]", None),
        (chat(model=""), "model"),
        ({"model": "m"}, "messages"),
        ({"model": "m", "messages": []}, "messages"),
        ({"model": "m", "messages": ["x"]}, "messages[0]"),
        ({"model": "m", "messages": [{"role": "boss", "content": "x"}]}, "messages[0].role"),
        ({"model": "m", "messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        (chat(max_tokens=0), "max_tokens"),
        (chat(n=1000), "n"),
        (chat(response_format={"type": "xml"}), "response_format.type"),
        (chat(response_format={"type": "json_schema"}), "response_format.json_schema"),
    ],
)
async def test_a_bad_body_is_answered_with_400_and_its_field(session, body, param):
    async with SimulatedProvider(profile()) as provider:
        status, _, text = await ask(session, provider, body)
        statistics = provider.statistics()
    error = json.loads(text)["error"]
    assert status == 400
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert error["message"]
    assert statistics.rejected == {400: 1}


async def test_a_key_is_asked_for_as_openai_does(session):
    async with SimulatedProvider(profile(**{"api-key": "sk-right-key-123"})) as provider:
        no_key, _, said = await ask(session, provider, chat())
        wrong = {"authorization": "Bearer sk-wrong-key-9876"}
        wrong_key, _, named = await ask(session, provider, chat(), headers=wrong)
        right = {"authorization": "Bearer sk-right-key-123"}
        right_key, _, _ = await ask(session, provider, chat(), headers=right)
        statistics = provider.statistics()
    assert (no_key, wrong_key, right_key) == (401, 401, 200)
    assert "didn't provide an API key" in json.loads(said)["error"]["message"]
    assert json.loads(named)["error"]["code"] == "invalid_api_key"
    assert "sk-wrong-key-9876" not in named
    assert statistics.rejected == {401: 2}


async def test_unknown_paths_and_methods(session):
    async with SimulatedProvider(profile()) as provider:
        async with session.get(provider.base_url + "/nothing") as response:
            assert response.status == 404
            assert "GET /v1/nothing" in (await response.json())["error"]["message"]
        async with session.get(provider.base_url + "/chat/completions") as response:
            assert response.status == 405
        async with session.head(provider.base_url + "/models") as response:
            assert response.status == 405


async def test_leaving_the_block_ends_everything(session):
    slow = profile_from_options({"latency": "600", "sigma": "0"})
    provider = SimulatedProvider(slow)
    with pytest.raises(StateError, match="not listening"):
        _ = provider.base_url
    with pytest.raises(StateError, match="not been started"):
        provider.statistics()
    async with provider:
        call = asyncio.create_task(ask(session, provider, chat()))
        await until(lambda: provider.ledger.in_work == 1)
        with pytest.raises(StateError, match="already"):
            await provider.__aenter__()
    with pytest.raises(aiohttp.ClientError):
        await call
    statistics = provider.statistics()
    assert (statistics.in_work, statistics.connections, statistics.closed_by_client) == (0, 0, 0)


async def test_a_port_in_use_is_named_with_its_remedy():
    async with SimulatedProvider(profile()) as provider:
        port = int(provider.base_url.rsplit(":", 1)[1].split("/")[0])
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}") as caught:
            await SimulatedProvider(profile(), port=port).__aenter__()
    assert "port 0" in caught.value.hint
