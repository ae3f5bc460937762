"""The simulated provider over real sockets, asked by a client that is not ours."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import resource
import struct

import aiohttp
import jsonschema_rs
import pytest

from fanwise.errors import ConfigError, StateError
from fanwise.simulator.answers import answers_by_schema
from fanwise.simulator.profile import Faults, SimProfile, profile_from_options
from fanwise.simulator.provider import SimulatedProvider

INSTANT = {"latency": "0", "sigma": "0"}
COLOUR = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green"]}},
    "required": ["colour"],
}


def profile(**options):
    return profile_from_options({**INSTANT, **{k: str(v) for k, v in options.items()}})


def chat(text="What is a harbour? A harbour shelters ships.", **more):
    return {"model": "sim", "messages": [{"role": "user", "content": text}], **more}


def schema_format(name="colour", schema=COLOUR):
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}


async def ask(session, provider, body, *, path="/chat/completions", headers=None):
    data = body if isinstance(body, bytes) else json.dumps(body)
    async with session.post(provider.base_url + path, data=data, headers=headers) as response:
        return response.status, response.headers, await response.text()


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - a server on a socket has no event to wait for
            await asyncio.sleep(0)


@pytest.fixture
async def session():
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def raw(provider, data, *, half_close=False):
    """Sends bytes over a socket of its own and reads until the server closes it."""
    port = int(provider.base_url.rsplit(":", 1)[1].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        if half_close:
            writer.write_eof()
        async with asyncio.timeout(20):
            return await reader.read()
    finally:
        writer.close()


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


async def test_the_rate_limit_refuses_with_the_wait_it_means(session):
    async with SimulatedProvider(profile(rpm=60, burst=2)) as provider:
        answers = [await ask(session, provider, chat(str(n))) for n in range(3)]
        statistics = provider.statistics()
    assert [status for status, _, _ in answers] == [200, 200, 429]
    _, headers, text = answers[2]
    wait_s = float(headers["retry-after"])
    assert 0.0 < wait_s <= 1.0
    assert int(headers["retry-after-ms"]) == round(wait_s * 1000)
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert json.loads(text)["error"]["code"] == "rate_limit_exceeded"
    assert answers[0][1]["x-ratelimit-limit-requests"] == "60"
    assert statistics.refused == {"requests": 1}
    assert statistics.served == 2


async def test_full_slots_refuse_without_a_hint(session):
    slow = profile_from_options({"latency": "30", "sigma": "0", "slots": "1", "rpm": "600"})
    async with SimulatedProvider(slow) as provider:
        first = asyncio.create_task(ask(session, provider, chat()))
        await until(lambda: provider.ledger.in_work == 1)
        status, headers, _ = await ask(session, provider, chat())
        assert status == 429
        assert not [name for name in headers if "retry" in name.lower() or "limit" in name.lower()]
        assert provider.statistics().refused == {"slots": 1}
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_a_client_that_closes_frees_its_slot_and_is_noted(session):
    slow = profile_from_options({"latency": "600", "sigma": "0"})
    async with SimulatedProvider(slow) as provider:
        calls = [asyncio.create_task(ask(session, provider, chat())) for _ in range(20)]
        await until(lambda: provider.ledger.in_work == 20)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await until(lambda: provider.ledger.in_work == 0)
        statistics = provider.statistics()
    assert statistics.closed_by_client == 20
    assert statistics.most_in_work == 20
    assert statistics.served == 0


async def test_repeats_of_an_idempotency_key_are_noted(session):
    async with SimulatedProvider(profile()) as provider:
        for key in ("a", "b", "a", "a"):
            await ask(session, provider, chat(key), headers={"Idempotency-Key": key})
        async with session.get(provider.base_url[:-3] + "/sim/statistics") as response:
            shown = await response.json()
        statistics = provider.statistics()
    assert (statistics.repeats, statistics.repeats_after_served) == (2, 2)
    assert shown["served"] == 4
    assert shown["repeats"] == 2


async def fault_of(session, kind, body):
    """What a client meets when every request has one kind of fault."""
    faulty = SimProfile(latency_s=0.0, latency_sigma=0.0, stall_s=0.0, faults=Faults(**{kind: 1.0}))
    async with SimulatedProvider(faulty) as provider:
        try:
            return await ask(session, provider, body), provider.statistics()
        except aiohttp.ClientError as error:
            return error, provider.statistics()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["error_500", "error_503", "error_529", "html"])
async def test_faults_that_are_answers(session, kind, stream):
    (status, headers, text), statistics = await fault_of(session, kind, chat(stream=stream))
    assert statistics.faults == {kind: 1}
    assert statistics.served == 0
    if kind == "html":
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert text.startswith("<!DOCTYPE html>")
    else:
        assert status == int(kind[-3:])
        assert json.loads(text)["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["reset", "stall", "stall_body"])
async def test_faults_that_break_the_connection(session, kind, stream):
    error, statistics = await fault_of(session, kind, chat(stream=stream))
    assert isinstance(error, aiohttp.ClientError)
    if kind == "stall_body":
        assert isinstance(error, aiohttp.ClientPayloadError)
    assert statistics.faults == {kind: 1}
    assert statistics.closed_by_client == 0


async def test_a_truncated_answer_is_a_whole_http_body_of_half_the_json(session):
    (status, _, text), statistics = await fault_of(session, "truncated", chat())
    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    (_, _, events), _ = await fault_of(session, "truncated", chat(stream=True))
    assert events.startswith("data: ")
    assert "[DONE]" not in events
    assert statistics.served == 0


async def test_a_wrong_schema_is_served_and_billed(session):
    body = chat(response_format=schema_format())
    (status, _, text), statistics = await fault_of(session, "wrong_schema", body)
    value = json.loads(json.loads(text)["choices"][0]["message"]["content"])
    assert status == 200
    assert not jsonschema_rs.validator_for(COLOUR).is_valid(value)
    assert (statistics.served, statistics.faults) == (1, {"wrong_schema": 1})


async def statuses(session, order, *, seed=3):
    """The status of each request until it is served, whatever order they are sent in."""
    faulty = SimProfile(latency_s=0.0, faults=Faults(error_500=0.3, error_503=0.3), seed=seed)
    async with SimulatedProvider(faulty) as provider:

        async def until_served(n):
            found = []
            while not found or found[-1] != 200:
                found.append((await ask(session, provider, chat(f"question {n}")))[0])
            return found

        found = await asyncio.gather(*(until_served(n) for n in order))
    return dict(zip(order, found, strict=True))


async def test_faults_depend_on_seed_and_content_and_not_on_order(session):
    forth = await statuses(session, list(range(60)))
    back = await statuses(session, list(reversed(range(60))))
    other = await statuses(session, list(range(60)), seed=4)
    assert forth == back
    assert forth != other
    assert {status for met in forth.values() for status in met} == {200, 500, 503}


async def test_an_answer_that_fails_is_a_500_and_says_why(session):
    def broken(request):
        raise KeyError("carrier")

    async with SimulatedProvider(profile(), answer=broken) as provider:
        status, _, text = await ask(session, provider, chat())
        statistics = provider.statistics()
    assert status == 500
    assert "carrier" in json.loads(text)["error"]["message"]
    assert statistics.answer_errors == 1
    assert statistics.last_answer_error == "KeyError: 'carrier'"
    assert statistics.in_work == 0


async def test_unknown_paths_and_methods(session):
    async with SimulatedProvider(profile()) as provider:
        async with session.get(provider.base_url + "/nothing") as response:
            assert response.status == 404
            assert "GET /v1/nothing" in (await response.json())["error"]["message"]
        async with session.get(provider.base_url + "/chat/completions") as response:
            assert response.status == 405
        async with session.head(provider.base_url + "/models") as response:
            assert response.status == 405


POST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
BODY = json.dumps(chat()).encode()
FRAMED = b"content-length: %d\r\n" % len(BODY)


async def test_requests_sent_ahead_are_answered_in_order():
    async with SimulatedProvider(profile()) as provider:
        requests = b""
        for n in range(3):
            body = json.dumps({"model": f"m{n}", "messages": chat()["messages"]}).encode()
            last = b"connection: close\r\n" if n == 2 else b""
            requests += POST + last + b"content-length: %d\r\n\r\n" % len(body) + body
        data = (await raw(provider, requests)).decode()
    assert data.count("HTTP/1.1 200 OK") == 3
    assert data.index('"m0"') < data.index('"m1"') < data.index('"m2"')


async def test_bodies_in_chunks_and_announced_bodies_are_read():
    async with SimulatedProvider(profile()) as provider:
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
        head = POST + b"connection: close\r\n"
        data = await raw(provider, head + b"transfer-encoding: chunked\r\n\r\n" + chunked)
        assert data.startswith(b"HTTP/1.1 200 OK")
        data = await raw(provider, head + FRAMED + b"expect: 100-continue\r\n\r\n" + BODY)
        assert data.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
        data = await raw(provider, POST.replace(b"1.1", b"1.0") + FRAMED + b"\r\n" + BODY)
        assert b"connection: close" in data


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00 hello\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\nPRI * HTTP/2.0", 404),
        (POST + b"x: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (POST + b"content-length: 99999999\r\n\r\n" + b"z" * (65 * 1024 * 1024), 413),
        (POST + b"content-length: nine\r\n\r\n", 400),
    ],
)
async def test_what_is_no_proper_request_is_refused_and_closed(data, status):
    async with SimulatedProvider(profile()) as provider:
        try:
            said = await raw(provider, data)
        except ConnectionError:
            # The server closed while we were still sending, which loses what it said.
            assert status == 413
            said = b"HTTP/1.1 413"
        await until(lambda: provider.ledger.connections == 0)
    assert said.startswith(b"HTTP/1.1 %d" % status)


async def test_a_client_that_sends_without_end_ahead_of_its_answers_is_cut_off():
    slow = profile_from_options({"latency": "600", "sigma": "0"})
    async with SimulatedProvider(slow) as provider:
        assert await raw(provider, (POST + FRAMED + b"\r\n" + BODY) * 40) == b""
        await until(lambda: provider.ledger.connections == 0)
        assert provider.ledger.in_work == 0


@pytest.fixture
def many_files():
    """Room for both ends of two thousand connections, where the machine allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 5000:
        pytest.skip(f"this machine allows {hard} open files, and the test needs 5000")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 5000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_two_thousand_requests_are_in_work_at_once(session, many_files):
    slow = profile_from_options({"latency": "600", "sigma": "0"})
    async with SimulatedProvider(slow) as provider:
        calls = [asyncio.create_task(ask(session, provider, chat(str(n)))) for n in range(2000)]
        await until(lambda: provider.ledger.in_work == 2000)
        assert provider.statistics().connections == 2000
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await until(lambda: provider.ledger.in_work == 0)


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
