"""Runs over HTTP: accepted durably, carried out, read, steered, deleted."""

from __future__ import annotations

import orjson
import pytest

from support.service import served

SLOW = "sim/slow"


async def test_a_run_is_accepted_carried_out_and_read(tmp_path):
    async with served(tmp_path) as service:
        run_id = await service.start(5)
        run = await service.until(run_id, "finished")
        assert run["items"]["succeeded"] == 5
        assert run["result"]["request_counts"]["completed"] == 5
        items = await service.get(f"/api/v1/runs/{run_id}/items?limit=2")
        assert len(items["data"]) == 2
        rest = await service.get(f"/api/v1/runs/{run_id}/items?limit=10&cursor={items['next']}")
        ids = {item["id"] for item in [*items["data"], *rest["data"]]}
        assert ids == {f"r{number}" for number in range(5)}
        assert rest["next"] is None
        one = await service.get(f"/api/v1/runs/{run_id}/items/r3")
        assert one["calls"][0]["attempts"][0]["verdict"] == "served"
        calls = await service.get(f"/api/v1/runs/{run_id}/calls?limit=3")
        assert len(calls["data"]) == 3
        assert calls["next"] == "3"
        report = await service.get(f"/api/v1/runs/{run_id}/report")
        assert report["items"]["succeeded"] == 5


async def test_results_come_as_lines_and_as_a_table(tmp_path):
    async with served(tmp_path) as service:
        run_id = await service.start(3)
        await service.until(run_id, "finished")
        base = f"{service.url}/api/v1/runs/{run_id}/results"
        async with service.http.get(base) as answer:
            lines = (await answer.text()).splitlines()
        assert {orjson.loads(line)["id"] for line in lines} == {"r0", "r1", "r2"}
        async with service.http.get(f"{base}?format=csv") as answer:
            assert (await answer.text()).startswith("id,state,model,")


async def test_the_same_key_and_request_start_one_run(tmp_path):
    async with served(tmp_path) as service:
        upload = await service.upload('{"id":"a","text":"x"}\n')
        asked = {
            "pipeline": "prompts",
            "input": {
                "file": {"upload": upload},
                "prompts": ["{{ text }}"],
                "models": ["sim/fast"],
            },
        }
        key = {"Idempotency-Key": "one"}
        first = await service.post("/api/v1/runs", asked, headers=key)
        assert await service.post("/api/v1/runs", asked, headers=key) | {"status": ""} == first | {
            "status": ""
        }
        other = asked | {"priority": "interactive"}
        other["input"] = asked["input"] | {"limit": 1}
        status, body = await service.call("POST", "/api/v1/runs", json=other, headers=key)
        assert status == 409
        assert body["error"]["kind"] == "conflict"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"file": "/etc/passwd"}, "file"),
        ({"file": 3}, "file"),
        ({"models": []}, "models"),
        ({"limit": 0}, "limit"),
        ({"colour": "red"}, "colour"),
        ({"models": {"upload": "file-abcdefgh"}}, "models"),
    ],
)
async def test_each_wrong_field_is_named_and_nothing_is_kept(tmp_path, change, field):
    async with served(tmp_path) as service:
        upload = await service.upload('{"id":"a","text":"x"}\n')
        given = {"file": {"upload": upload}, "prompts": ["{{ text }}"], "models": ["sim/fast"]}
        asked = {"pipeline": "prompts", "input": given | change}
        status, body = await service.call("POST", "/api/v1/runs", json=asked)
        assert status == 422, body
        assert field in body["error"]["fields"]
        assert (await service.get("/api/v1/runs"))["data"] == []


async def test_a_run_is_paused_gone_on_with_and_cancelled(tmp_path):
    async with served(tmp_path) as service:
        run_id = await service.start(400, model=SLOW, options={"max_concurrency": 2})
        await service.until(run_id, "running")
        await service.until_taken(f"/api/v1/runs/{run_id}/pause")
        await service.until(run_id, "paused")
        assert (await service.post(f"/api/v1/runs/{run_id}/resume"))["state"] == "running"
        status, state = await service.call(
            "PATCH", f"/api/v1/runs/{run_id}/limits", json={"max_concurrency": 7}
        )
        assert status == 200
        assert state["concurrency_limit"] == 7
        await service.post(f"/api/v1/runs/{run_id}/cancel")
        run = await service.until(run_id, "cancelled")
        assert run["options"]["max_concurrency"] == 7
        assert run["items"]["done"] < 400


async def test_a_drained_run_goes_on_where_it_was(tmp_path):
    async with served(tmp_path) as service:
        run_id = await service.start(30, model="sim/default", options={"max_concurrency": 3})
        await service.until_done(run_id, 2)
        await service.post(f"/api/v1/runs/{run_id}/drain")
        stopped = await service.until(run_id, "stopped")
        await service.call("PATCH", f"/api/v1/runs/{run_id}/limits", json={"max_concurrency": 30})
        await service.post(f"/api/v1/runs/{run_id}/resume")
        run = await service.until(run_id, "finished")
        assert run["items"]["succeeded"] == 30
        assert run["attempts"] == 30
        assert stopped["items"]["done"] < 30


async def test_a_stopped_service_leaves_its_runs_to_the_next_one(tmp_path):
    async with served(tmp_path, drain_s=0.2) as service:
        run_id = await service.start(40, model="sim/default", options={"max_concurrency": 4})
        await service.until_done(run_id, 2)
    async with served(tmp_path) as service:
        await service.call("PATCH", f"/api/v1/runs/{run_id}/limits", json={"max_concurrency": 40})
        run = await service.until(run_id, "finished")
        assert run["items"]["succeeded"] == 40


async def test_a_run_that_has_ended_can_be_deleted(tmp_path):
    async with served(tmp_path) as service:
        run_id = await service.start(1)
        await service.until(run_id, "finished")
        assert (await service.call("DELETE", f"/api/v1/runs/{run_id}"))[0] == 204
        assert (await service.call("GET", f"/api/v1/runs/{run_id}"))[0] == 404
        assert (await service.get("/api/v1/runs"))["data"] == []


async def test_the_list_is_paged_and_filtered(tmp_path):
    async with served(tmp_path) as service:
        ids = [await service.start(1) for _ in range(5)]
        for run_id in ids:
            await service.until(run_id, "finished")
        first = await service.get("/api/v1/runs?limit=2")
        second = await service.get(f"/api/v1/runs?limit=10&cursor={first['next']}")
        assert {row["id"] for row in [*first["data"], *second["data"]]} == set(ids)
        assert len(first["data"]) == 2
        assert (await service.get("/api/v1/runs?status=running"))["data"] == []
        assert len((await service.get("/api/v1/runs?pipeline=prompts"))["data"]) == 5


async def test_a_run_of_the_library_is_seen_too(tmp_path, make_run):
    run_id = await make_run(["one", "two"])
    async with served(tmp_path) as service:
        run = await service.get(f"/api/v1/runs/{run_id}")
        assert run["items"]["succeeded"] == 2
        assert not run["here"]
        status, body = await service.call("POST", f"/api/v1/runs/{run_id}/retry-failed", json={})
        assert status == 409
        assert "fanwise retry" in body["error"]["hint"]
