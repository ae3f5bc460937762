"""What the simulated provider does wrong when it is told to: refusals and seeded faults."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import jsonschema_rs
import pytest

from fanwise.simulator.profile import Faults, SimProfile, profile_from_options
from fanwise.simulator.provider import SimulatedProvider
from support.simulated import COLOUR, ask, chat, profile, schema_format, until


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
