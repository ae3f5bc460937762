"""Plans over HTTP: what work would take, and nothing kept or sent."""

from __future__ import annotations

import pytest

from support.service import served


async def test_a_plan_says_items_calls_tokens_cost_and_time_and_keeps_nothing(tmp_path):
    async with served(tmp_path) as service:
        table = "".join(f'{{"id":"r{n}","text":"word{n}"}}\n' for n in range(50))
        asked = {
            "pipeline": "prompts",
            "input": {
                "file": {"upload": await service.upload(table)},
                "prompts": ["Say {{ text }}"],
                "models": ["openai/gpt-4o-mini"],
            },
            "options": {"rpm": 10, "budget_usd": 0.0001},
        }
        plan = await service.post("/api/v1/plan", asked)
        assert (plan["items"], plan["calls"]) == (50, 50)
        low, likely, high = plan["cost_usd"]
        assert 0 < low < likely < high
        assert plan["price_date"]
        assert plan["outlook"]["binds"] == "rpm"
        assert plan["outlook"]["low_s"] > 60
        assert plan["of_budget"]["usd"] > 1
        assert (await service.get("/api/v1/runs"))["data"] == []


@pytest.mark.parametrize(
    ("asked", "status", "field"),
    [
        ({"pipeline": "none", "input": {}}, 404, None),
        ({"pipeline": "hooks", "input": {"post_idea": "x"}}, 422, "post_idea"),
        ({"pipeline": "grade", "input": {"source": "/etc/passwd"}}, 422, "source"),
        ({"pipeline": "notes", "input": {"source": "/etc/passwd"}}, 422, "source"),
        ({"pipeline": "hooks", "input": {}, "options": {"rpm": 0}}, 422, "options.rpm"),
    ],
)
async def test_a_plan_of_what_cannot_be_is_refused_with_its_field(tmp_path, asked, status, field):
    async with served(tmp_path) as service:
        found, body = await service.call("POST", "/api/v1/plan", json=asked)
        assert found == status
        assert field is None or field in body["error"]["fields"]


async def test_pipelines_tell_what_their_jobs_are_made_of(tmp_path):
    async with served(tmp_path) as service:
        found = {one["name"]: one for one in (await service.get("/api/v1/pipelines"))["data"]}
        hooks = {field["name"]: field for field in found["hooks"]["fields"]}
        assert hooks["post_idea"]["required"]
        assert "expert" in hooks["target_audience"]["choices"]
