"""A client of the review routes: answers one by one, in a batch, side by side."""

from __future__ import annotations

import asyncio

import pytest

from support.service import served

CARD = {
    "id": "456",
    "topic": "concurrency",
    "title": "Tasks",
    "questions": [
        {"question": "What does running tasks in parallel do?", "expected": "It runs them at once"},
        {
            "question": "Which function starts a task?",
            "options": ["join_all", "spawn"],
            "expected": "B",
        },
        {"question": "What is 6 times 7?", "expected": "42"},
    ],
}
ANSWERS = [
    {"question_index": 0, "answer": "They are run at once, concurrently"},
    {"question_index": 1, "answer": "B) spawn"},
    {"question_index": 2, "answer": "42"},
]
BASE = "/api/review/session/123/answers/456"


async def begun(service, cards=(CARD,)):
    """A session over cards, as a client makes it."""
    await service.post("/api/v1/cards", {"cards": list(cards)})
    ids = [card["id"] for card in cards]
    return await service.post("/api/v1/sessions", {"session_id": "123", "card_ids": ids})


async def test_answers_are_graded_side_by_side_with_metrics(tmp_path):
    async with served(tmp_path) as service:
        await begun(service)
        asked = {"answers": ANSWERS, "processing_mode": "parallel", "max_concurrent_tasks": 5}
        result = await service.post(f"{BASE}/parallel", asked)
        assert result["success"] is True
        assert [one["question_index"] for one in result["data"]] == [0, 1, 2]
        assert [one["is_correct"] for one in result["data"]][1:] == [True, True]
        metrics = result["metrics"]
        assert metrics["total_processing_time_ms"] > 0
        assert metrics["processing_mode_used"] == "parallel"
        assert metrics["parallel_tasks_spawned"] == 1
        assert metrics["fallback_reason"] == ""
        assert result["schedule"]["rating"] in {1, 2, 3, 4}
        runs = (await service.get("/api/v1/runs"))["data"]
        assert [(run["pipeline"], run["priority"]) for run in runs] == [("review", "interactive")]
        again = await service.post(f"{BASE}/parallel", asked)
        assert all(one["repeated"] for one in again["data"])
        assert again["schedule"] is None


async def test_one_answer_and_a_batch(tmp_path):
    async with served(tmp_path) as service:
        await begun(service)
        one = await service.post(BASE, ANSWERS[2])
        assert one["success"] is True
        assert one["data"]["is_correct"] is True
        batch = await service.post(f"{BASE}/batch", {"answers": ANSWERS[:2]})
        assert len(batch["data"]) == 2
        assert batch["metrics"]["processing_mode_used"] == "batch"
        state = await service.get("/api/v1/sessions/123")
        graded = [question["grade"] for question in state["cards"][0]["questions"]]
        assert all(grade is not None for grade in graded)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/review/session/none/answers/456/parallel", {"answers": ANSWERS}, 404),
        ("/api/review/session/123/answers/none/parallel", {"answers": ANSWERS}, 404),
        (f"{BASE}/parallel", {"answers": []}, 400),
        (f"{BASE}/parallel", {}, 400),
        (f"{BASE}/batch", {"answers": [{"question_index": 9, "answer": "x"}]}, 400),
        (f"{BASE}/batch", {"answers": [ANSWERS[0], ANSWERS[0]]}, 400),
        (f"{BASE}/parallel", {"answers": ANSWERS, "max_concurrent_tasks": 0}, 400),
        (f"{BASE}/parallel", {"answers": ANSWERS, "max_concurrent_tasks": 11}, 400),
        (f"{BASE}/parallel", {"answers": ANSWERS, "processing_mode": "quick"}, 400),
        (f"{BASE}/parallel", {"answers": ANSWERS, "model": "nobody/none"}, 422),
        (BASE, {"question_index": -1, "answer": "x"}, 400),
    ],
)
async def test_what_cannot_be_graded_is_said_and_nothing_is_kept(tmp_path, path, body, status):
    async with served(tmp_path) as service:
        await begun(service)
        found, answer = await service.call("POST", path, json=body)
        assert found == status, answer
        assert answer["success"] is False
        assert isinstance(answer["error"], str)
        state = await service.get("/api/v1/sessions/123")
        assert all(one["grade"] is None for one in state["cards"][0]["questions"])


async def test_the_mode_and_concurrency_that_are_set_hold_where_a_request_does_not_say(tmp_path):
    async with served(tmp_path) as service:
        await begun(service)
        async with service.http.get(f"{service.url}/api/v1/config") as answer:
            tag = answer.headers["etag"]
            assert await answer.json() == {"processing_mode": "auto", "max_concurrent_tasks": 5}
        change = {"processing_mode": "sequential", "max_concurrent_tasks": 8}
        stale = {"If-Match": '"0"'}
        status, _ = await service.call("PATCH", "/api/v1/config", json=change, headers=stale)
        assert status == 412
        fresh = {"If-Match": tag}
        status, new = await service.call("PATCH", "/api/v1/config", json=change, headers=fresh)
        assert (status, new) == (200, change)
        wrong = {"max_concurrent_tasks": 0}
        status, body = await service.call("PATCH", "/api/v1/config", json=wrong)
        assert status == 422
        assert "max_concurrent_tasks" in body["error"]["fields"]
        result = await service.post(f"{BASE}/parallel", {"answers": ANSWERS})
        assert result["metrics"]["processing_mode_used"] == "sequential"
    async with served(tmp_path) as service:
        assert await service.get("/api/v1/config") == change


async def test_curl_grades_an_answer(tmp_path):
    async with served(tmp_path) as service:
        await begun(service)
        curl = await asyncio.create_subprocess_exec(
            "curl",
            "-sS",
            "--fail-with-body",
            "-H",
            f"Authorization: Bearer {service.token}",
            "-H",
            "Content-Type: application/json",
            "-d",
            '{"question_index": 1, "answer": "B"}',
            service.url + BASE,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await curl.communicate()
        assert curl.returncode == 0
        assert b'"is_correct":true' in out
