"""Clients of the applications' own routes: hooks as a stream, a note of a video."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import aiohttp
import orjson
import pytest

import fanwise as fw
from fanwise.documents import parse_transcript
from fanwise.errors import InputError
from fanwise.pipelines.notes.records import Source
from fanwise.pipelines.notes.video import NoSuchVideo
from support.service import served

IDEA = "Small teams ship faster when every change is reviewed within the hour"
VIDEO = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
CAPTIONS = "WEBVTT\n\n" + "\n\n".join(
    f"00:0{minute}:00.000 --> 00:0{minute}:50.000\n{text}"
    for minute, text in enumerate(
        [
            "A sourdough starter is flour and water in which wild yeast lives. Feed it every day.",
            "The dough rests for four hours. Fold it every half hour so that it gains strength.",
            "Bake it in a hot pot for forty minutes. Take the lid off after the first twenty.",
        ]
    )
)


async def events_of(answer: aiohttp.ClientResponse) -> list[tuple[str, dict[str, Any]]]:
    """An event stream read as a browser reads it."""
    found: list[tuple[str, dict[str, Any]]] = []
    for block in (await answer.text()).split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "data" in lines:
            found.append((lines["event"], orjson.loads(lines["data"])))
    return found


async def test_hooks_stream_in_with_their_progress(tmp_path):
    async with served(tmp_path) as service:
        asked = {"post_idea": IDEA, "models": ["builtin/rules", "sim/fast"], "judge": "sim/fast"}
        async with service.http.post(f"{service.url}/api/hooks/stream", json=asked) as answer:
            assert answer.status == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            run_id = answer.headers["x-fanwise-run"]
            events = await events_of(answer)
        percents = [data["percent"] for kind, data in events if kind == "progress"]
        assert percents == sorted(percents)
        assert percents[0] == 5
        results = {data["modelId"]: data["result"] for kind, data in events if kind == "result"}
        assert set(results) == {"builtin/rules", "sim/fast"}
        assert len(results["builtin/rules"]["hooks"]) == 5
        assert 1 <= results["builtin/rules"]["hooks"][0]["judgeScore"] <= 10
        kind, last = events[-1]
        assert kind == "complete"
        assert len(last["result"]["ranking"]) == 2
        assert [kind for kind, _ in events].count("complete") == 1
        run = await service.until(run_id, "finished")
        assert run["priority"] == "interactive"
        assert run["pipeline"] == "hooks"


async def test_a_run_that_fails_as_a_whole_ends_its_stream_with_an_error(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with served(tmp_path) as service:
        asked = {"postIdea": IDEA, "selectedModels": ["openai/gpt-4o-mini"]}
        async with service.http.post(f"{service.url}/api/hooks/stream", json=asked) as answer:
            kind, last = (await events_of(answer))[-1]
        assert kind == "error"
        assert last["status"] == 422
        assert "OPENAI_API_KEY" in last["error"] + last["hint"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"post_idea": "short"}, "post_idea"),
        ({}, "post_idea"),
        ({"post_idea": IDEA, "models": []}, "models"),
        ({"post_idea": IDEA, "target_audience": "all"}, "target_audience"),
    ],
)
async def test_a_bad_request_for_hooks_names_each_field(tmp_path, asked, field):
    async with served(tmp_path) as service:
        status, body = await service.call("POST", "/api/hooks/stream", json=asked)
        assert status == 400
        assert isinstance(body["error"], str)
        assert field in body["fields"]
        assert (await service.get("/api/v1/runs"))["data"] == []


async def test_a_video_asked_for_by_three_templates_at_once_is_fetched_once(tmp_path):
    fetched: list[str] = []

    def fetch(video: str, *, language: str, mode: str) -> Source:
        fetched.append(video)
        found = parse_transcript(CAPTIONS, "vtt", source=video)
        return Source(id=video, transcript=found, title="Bread", video=video, duration_s=170.0)

    async with served(tmp_path, fetch=fetch) as service:

        async def process(template: str) -> Any:
            # as the form of the application asks: one request a template, all at once
            asked = {
                "videoUrl": VIDEO,
                "selectedTemplate": template,
                "processingMode": "parallel",
            }
            async with service.http.post(f"{service.url}/api/videos/process", json=asked) as answer:
                data = await answer.json()
                if answer.status != 200:
                    raise AssertionError(data["error"])
                return data

        templates = ["basic-summary", "study-notes", "quick-reference"]
        notes = await asyncio.gather(*(process(template) for template in templates))
        assert [note["template"] for note in notes] == templates
        assert fetched == ["dQw4w9WgXcQ"]
        assert set(notes[0]["verbosityVersions"]) == {"brief", "standard", "comprehensive"}
        assert notes[0]["content"].startswith("## ")
        assert notes[0]["title"] == "Bread"
        again = await process("basic-summary")
        assert again["reused"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"videoUrl": "https://example.org/a.mp4"}, 400),
        ({"videoUrl": "/etc/passwd"}, 400),
        ({"selectedTemplate": "poem"}, 400),
        ({"verbosity": "loud"}, 400),
        ({"videoUrl": "https://youtu.be/aaaaaaaaaaa"}, 404),
        ({"videoUrl": "https://youtu.be/bbbbbbbbbbb"}, 422),
        ({"videoUrl": "https://youtu.be/ccccccccccc"}, 429),
        ({"videoUrl": "https://youtu.be/ddddddddddd"}, 500),
        ({"videoUrl": "https://youtu.be/eeeeeeeeeee"}, 408),
    ],
)
async def test_each_failure_of_a_video_has_its_status_and_a_text(tmp_path, change, status):
    troubles = {
        "a": NoSuchVideo("it was removed", source="a"),
        "b": InputError("it has no captions", source="b"),
        "c": fw.errors.RateLimited("slow down", retry_after_s=7),
        "d": RuntimeError("secret inner words"),
        "e": fw.errors.AttemptTimeout("it took too long"),
    }

    def fetch(video: str, *, language: str, mode: str) -> Source:
        raise troubles[video[0]]

    async with served(tmp_path, fetch=fetch) as service:
        asked = {"videoUrl": VIDEO, "selectedTemplate": "basic-summary", **change}
        async with service.http.post(f"{service.url}/api/videos/process", json=asked) as answer:
            body = await answer.json()
            assert answer.status == status, body
            assert isinstance(body["error"], str)
            assert "secret" not in body["error"]
            if status == 429:
                assert answer.headers["retry-after"] == "7"


async def test_a_request_waits_no_longer_than_it_may_and_the_run_goes_on(tmp_path):
    go_on = threading.Event()

    def fetch(video: str, *, language: str, mode: str) -> Source:
        go_on.wait(20)
        return Source(id=video, transcript=parse_transcript(CAPTIONS, "vtt", source=video))

    async with served(tmp_path, fetch=fetch, answer_s=0.1) as service:
        asked = {"videoUrl": VIDEO, "selectedTemplate": "basic-summary"}
        async with service.http.post(f"{service.url}/api/videos/process", json=asked) as answer:
            assert answer.status == 408
            run_id = answer.headers["x-fanwise-run"]
            assert run_id in (await answer.json())["hint"]
        go_on.set()
        run = await service.until(run_id, "finished")
        assert run["result"]["status"] == "success"


async def test_a_body_that_is_too_large_or_no_json_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("fanwise.service.routes.seeding.MOST_BYTES", 1000)
    async with served(tmp_path) as service:
        big = {"post_idea": IDEA, "industry": "x" * 5000}
        status, body = await service.call("POST", "/api/hooks/stream", json=big)
        assert status == 413
        assert isinstance(body["error"], str)
        json = {"Content-Type": "application/json"}
        status, body = await service.call(
            "POST", "/api/hooks/stream", data=b'{"post_idea": ', headers=json
        )
        assert status == 400


@pytest.mark.parametrize(
    ("mode", "headers", "status"),
    [
        ("token", {}, 401),
        ("token", {"X-Forwarded-User": "ada"}, 401),
        ("trusted-proxy", {}, 401),
        ("trusted-proxy", {"X-Forwarded-User": "ada"}, 200),
        ("open", {}, 200),
    ],
)
async def test_who_comes_in_is_what_the_service_was_told(tmp_path, mode, headers, status):
    async with (
        served(tmp_path, seed_routes=mode) as service,
        aiohttp.ClientSession(headers=headers) as nobody,
    ):
        asked = {"post_idea": IDEA}
        async with nobody.post(f"{service.url}/api/hooks/stream", json=asked) as answer:
            assert answer.status == status
            if status == 401:
                assert "token" in (await answer.json())["error"]
            else:
                assert (await events_of(answer))[-1][0] == "complete"
        async with nobody.get(f"{service.url}/api/v1/runs") as answer:
            assert answer.status == 401
        rows = (await service.get("/api/v1/runs"))["data"]
        callers = {"trusted-proxy": ["proxy:ada"], "open": [""], "token": []}
        assert [row["caller"] for row in rows] == (callers[mode] if status == 200 else [])
