"""Monthly limits of tokens: set aside before a run is accepted, put right when it ends."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from fanwise.service.usage import Bounds, QuotaExhausted, Units, month_end, month_of
from support.program import own_database
from support.service import served


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def journal(request, tmp_path):
    """A journal of either kind."""
    if request.param == "sqlite":
        yield tmp_path / ".fanwise"
        return
    with own_database(request.getfixturevalue("postgres_url")) as url:
        yield url


async def guest(service, name="guest", **limits):
    """The headers of a new token with those limits."""
    token = await service.hub.tokens.create(name, **limits)
    return {"Authorization": f"Bearer {token}"}


async def asked(service, *, rows=1, **options):
    """A prompts run to be asked for."""
    table = "".join(f'{{"id":"r{number}","text":"word{number}"}}\n' for number in range(rows))
    return {
        "pipeline": "prompts",
        "input": {
            "file": {"upload": await service.upload(table)},
            "prompts": ["Say {{ text }}"],
            "models": ["sim/fast"],
        },
        "options": options,
    }


async def start(service, headers, new):
    return await service.call("POST", "/api/v1/runs", json=new, headers=headers)


async def usage(service, headers):
    return await service.get("/api/v1/usage", headers=headers)


async def test_of_fifty_requests_for_the_last_unit_one_wins(tmp_path, journal, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a service over a database keeps its files in ./.fanwise
    async with served(tmp_path, journal=journal) as service:
        headers = await guest(service, monthly_calls=3)
        new = await asked(service, rows=2, budget_calls=2)
        status, run = await start(service, headers, new)
        assert status == 202
        await service.until(run["id"], "finished")
        last = await asked(service, budget_calls=1)
    async with served(tmp_path, journal=journal) as service:  # it remembers
        answers = await asyncio.gather(*(start(service, headers, last) for _ in range(50)))
        won = [body["id"] for status, body in answers if status == 202]
        lost = [body["error"] for status, body in answers if status == 429]
        assert (len(won), len(lost)) == (1, 49)
        assert {error["kind"] for error in lost} == {"quota_exhausted"}
        assert all(error["fields"]["resets_at"].endswith("-01T00:00:00Z") for error in lost)
        await service.until(won[0], "finished")
        assert (await usage(service, headers))["calls"] == {"used": 3, "reserved": 0, "limit": 3}
        assert (await start(service, headers, last))[0] == 429


async def test_a_refusal_says_when_to_come_back(tmp_path):
    async with served(tmp_path) as service:
        headers = await guest(service, monthly_calls=0)
        new = await asked(service, budget_calls=1)
        url = f"{service.url}/api/v1/runs"
        async with service.http.post(url, json=new, headers=headers) as answer:
            assert answer.status == 429
            assert 0 < int(answer.headers["retry-after"]) <= 31 * 24 * 3600
        assert not (await service.get("/api/v1/runs"))["data"]


async def test_what_a_run_did_not_take_is_given_back(tmp_path):
    async with served(tmp_path) as service:
        headers = await guest(service, monthly_calls=10)
        new = await asked(service, rows=2, budget_calls=9)
        _, run = await start(service, headers, new)
        await service.until(run["id"], "finished")
        found = await usage(service, headers)
        assert found["calls"] == {"used": 2, "reserved": 0, "limit": 10}


async def test_a_run_that_fails_or_is_taken_back_gives_all_of_it_back(tmp_path):
    async with served(tmp_path, max_active=1) as service:
        headers = await guest(service, monthly_calls=5)
        slow = await service.start(5000, model="sim/default", options={"max_concurrency": 1})
        await service.until_done(slow, 1)
        _, waiting = await start(service, headers, await asked(service, budget_calls=5))
        assert (await usage(service, headers))["calls"]["reserved"] == 5
        assert (await start(service, headers, await asked(service, budget_calls=1)))[0] == 429
        await service.post(f"/api/v1/runs/{waiting['id']}/cancel", headers=headers)
        assert (await usage(service, headers))["calls"] == {"used": 0, "reserved": 0, "limit": 5}
        broken = await asked(service, budget_calls=5)
        broken["input"]["prompts"] = ["{{ nowhere }}"]
        _, run = await start(service, headers, broken)
        await service.post(f"/api/v1/runs/{slow}/cancel")
        await service.until(run["id"], "failed", "finished")
        assert (await usage(service, headers))["calls"] == {"used": 0, "reserved": 0, "limit": 5}


async def test_without_a_bound_the_plan_says_what_is_set_aside(tmp_path):
    async with served(tmp_path) as service:
        headers = await guest(service, monthly_calls=3)
        assert (await start(service, headers, await asked(service, rows=4)))[0] == 429
        _, run = await start(service, headers, await asked(service, rows=3))
        done = await service.until(run["id"], "finished")
        assert done["items"]["succeeded"] == 3
        assert done["options"]["budget_calls"] == 3


async def test_a_run_is_held_to_what_was_set_aside(tmp_path):
    async with served(tmp_path) as service:
        headers = await guest(service, monthly_calls=5)
        _, run = await start(service, headers, await asked(service, rows=9, budget_calls=2))
        done = await service.until(run["id"], "stopped")
        assert done["calls"] <= 2
        assert (await usage(service, headers))["calls"]["used"] == done["calls"]
        status, _ = await service.call(
            "POST", f"/api/v1/runs/{run['id']}/resume", json={}, headers=headers
        )
        assert status == 200
        again = await service.until(run["id"], "stopped")
        assert again["calls"] <= 2
        assert (await usage(service, headers))["calls"]["used"] == again["calls"]


async def test_money_is_set_aside_and_given_back(tmp_path):
    async with served(tmp_path) as service:
        await guest(service, monthly_usd=Decimal(1))
        usage, store = service.hub.usage, service.hub.store
        bounds = Bounds(units=Units(usd=Decimal("0.6")))
        await store.write(usage.reserving("first", "guest", bounds))
        with pytest.raises(QuotaExhausted, match=r"\$0.6 was asked for, and \$0.4 is left"):
            await store.write(usage.reserving("second", "guest", bounds))
        await store.write(await usage.settling("first"))  # it never began
        await store.write(usage.reserving("second", "guest", bounds))
        assert (await usage.month("guest")).usd_reserved == Decimal("0.6")


async def test_money_of_a_model_without_a_price_wants_a_bound(tmp_path):
    async with served(tmp_path) as service:
        headers = await guest(service, monthly_usd=Decimal(1))
        status, body = await start(service, headers, await asked(service))
        assert status == 422
        assert "options.budget_usd" in body["error"]["fields"]


def test_a_month_ends_where_the_next_begins():
    assert month_of(month_end(0.0)) == "1970-02"
    assert month_of(month_end(0.0) - 1) == "1970-01"
    assert month_of(month_end(1795350425.0)) == "2026-12"
    assert month_of(month_end(month_end(1795350425.0))) == "2027-01"


async def test_a_repeated_request_is_reserved_once(tmp_path):
    async with served(tmp_path) as service:
        headers = await guest(service, monthly_calls=1)
        headers["Idempotency-Key"] = "once"
        new = await asked(service, budget_calls=1)
        first = await start(service, headers, new)
        second = await start(service, headers, new)
        assert first[0] == second[0] == 202
        assert first[1]["id"] == second[1]["id"]


async def test_who_is_not_limited_is_counted_all_the_same(tmp_path):
    async with served(tmp_path) as service:
        run_id = await service.start(4)
        await service.until(run_id, "finished")
        found = await service.get("/api/v1/usage")
        assert found["calls"] == {"used": 4, "reserved": 0, "limit": None}
        assert found["token"] == "this-machine"
