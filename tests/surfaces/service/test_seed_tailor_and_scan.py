"""Clients of the applications' own routes: resumes tailored, a mailbox scanned."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanwise.pipelines.scan import PIPELINE as SCAN
from fanwise.pipelines.tailoring import PIPELINE as TAILOR
from support.service import served
from surfaces.service.test_seed_hooks_and_videos import events_of

SAMPLES = Path(TAILOR.sample_path)
JOB = (SAMPLES / "job.txt").read_text()
DANA = (SAMPLES / "dana_voss.txt").read_text()
MIRA = (SAMPLES / "mira_okafor.md").read_text()
MAIL = str(SCAN.sample_path)


async def test_a_resume_is_tailored_with_scores_diff_and_performance(tmp_path):
    async with served(tmp_path) as service:
        asked = {"resume": DANA, "jobDescription": JOB, "mode": "FULL", "tone": "professional"}
        result = await service.post("/api/tailor", asked)
        assert result["scores"]["after"] >= result["scores"]["before"]
        assert result["diff"]
        assert set(result["diff"][0]) >= {"path", "before", "after", "confidence"}
        assert result["resume"] != result["originalResume"]
        metrics = result["performanceMetrics"]
        assert metrics["speedup"].endswith("x")
        assert metrics["efficiency"].endswith("%")
        assert metrics["totalDurationMs"] >= 0
        run = await service.until(result["runId"], "finished")
        assert (run["pipeline"], run["priority"]) == ("tailor", "interactive")


async def test_a_stream_tells_of_each_step_and_ends_with_the_result(tmp_path):
    async with served(tmp_path) as service:
        asked = {"resume": {"id": "dana", "name": "d.txt", "text": DANA}, "jobDescription": JOB}
        async with service.http.post(f"{service.url}/api/tailor/stream", json=asked) as answer:
            events = await events_of(answer)
        percents = [data["percent"] for kind, data in events if kind == "progress"]
        assert len(percents) > 3
        assert percents == sorted(percents)
        (result,) = [data["result"] for kind, data in events if kind == "result"]
        assert result["id"] == "dana"
        assert events[-1][0] == "complete"


async def test_a_batch_names_what_failed_and_counts_what_succeeded(tmp_path):
    async with served(tmp_path) as service:
        broken = {"id": "broken", "name": "cv.pdf", "content_base64": "JVBERi0xLjQ="}
        asked = {
            "resumes": [DANA, {"id": "mira", "name": "m.md", "text": MIRA}, broken],
            "jobDescription": JOB,
            "mode": "PARTIAL",
            "length": "concise",
        }
        result = await service.post("/api/tailor/batch", asked)
        assert [one["id"] for one in result["results"]] == ["resume-1", "mira"]
        assert [one["id"] for one in result["failures"]] == ["broken"]
        summary = result["summary"]
        assert (summary["total"], summary["successCount"], summary["failureCount"]) == (3, 2, 1)
        assert summary["successRate"] == "66.7%"


async def test_scores_ask_no_model_and_keep_no_draft(tmp_path):
    async with served(tmp_path) as service:
        one = await service.post("/api/tailor/score", {"resume": DANA, "jobDescription": JOB})
        assert 0 < one["scores"]["before"] <= 95
        assert one["scores"]["after"] is None
        assert one["draftId"] is None
        both = await service.post(
            "/api/tailor/score", {"resumes": [DANA, MIRA], "jobDescription": JOB}
        )
        assert both["results"][0]["scores"] == one["scores"]
        run = await service.until(one["runId"], "finished")
        assert run["calls"] == 0


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"jobDescription": "too short"}, 400, "job_description"),
        ({"mode": "HALF"}, 400, "mode"),
        ({"tone": "angry"}, 400, "tone"),
        ({"resume": "  "}, 400, "resume"),
        ({"resume": {"name": "a.pdf", "content_base64": "JVBERi0xLjQ="}}, 422, None),
    ],
)
async def test_what_cannot_be_tailored_is_said(tmp_path, change, status, field):
    async with served(tmp_path) as service:
        asked = {"resume": DANA, "jobDescription": JOB, **change}
        found, body = await service.call("POST", "/api/tailor", json=asked)
        assert found == status, body
        assert isinstance(body["error"], str)
        assert field is None or field in body["fields"]


async def test_a_scan_answers_with_its_summary(tmp_path):
    async with served(tmp_path, mail=MAIL) as service:
        asked = {"after": "2020-01-01", "batchSize": 20}
        summary = await service.post("/api/front/scan", asked)
        assert summary["success"] is True
        assert summary["status"] == "success"
        assert summary["added"] > 0
        again = await service.post("/api/front/scan", {"after": "2020-01-01"})
        assert again["processed"] == 0
        assert again["already_scanned"] == summary["total"]
        forced = await service.post("/api/front/scan", {"forceRescan": True})
        assert forced["processed"] > 0
        assert forced["added"] == 0
        rows = (await service.get("/api/v1/runs"))["data"]
        assert {(row["pipeline"], row["priority"]) for row in rows} == {("scan", "interactive")}


async def test_a_scan_that_nobody_waits_for_is_accepted_and_named(tmp_path):
    async with served(tmp_path, mail=MAIL) as service:
        url = f"{service.url}/api/front/scan"
        headers = {"Prefer": "respond-async"}
        async with service.http.post(url, json={}, headers=headers) as answer:
            assert answer.status == 202
            where = answer.headers["location"]
            run_id = (await answer.json())["run_id"]
        run = await service.until(run_id, "finished")
        assert run["result"]["added"] > 0
        assert where == f"/api/v1/runs/{run_id}"


async def test_a_scan_that_cannot_be_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("FRONT_API_TOKEN", raising=False)
    async with served(tmp_path) as service:
        status, body = await service.call("POST", "/api/front/scan", json={})
        assert status == 409
        assert "--mail" in body["hint"]
    async with served(tmp_path, mail="front:inb_1") as service:
        status, body = await service.call("POST", "/api/front/scan", json={"pageSize": 0})
        assert (status, list(body["fields"])) == (400, ["page_size"])
        status, body = await service.call("POST", "/api/front/scan", json={})
        assert status == 422
        assert "FRONT_API_TOKEN" in body["error"] + body["hint"]
