"""The flow on the real engine, with scripted models and a journal in a directory."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

import fanwise as fw
from fanwise.errors import InvalidFields, StateError, UsageError
from fanwise.pipelines import Event
from fanwise.pipelines.fences import read_back
from fanwise.pipelines.tailoring import (
    PIPELINE,
    Drafts,
    ResumeInput,
    TailorJob,
    TailorResult,
    plan,
    tables,
    tailor,
    warm,
)
from fanwise.pipelines.tailoring.rules import analysis_rules, tailor_rules
from fanwise.testing import ScriptedModel
from support.tailoring import POSTING, RESUME

DANA = ResumeInput(name="dana.txt", content=RESUME.encode())
ERIK = ResumeInput(
    name="erik.txt", content=RESUME.replace("DANA VOSS", "ERIK BO").replace("12", "13").encode()
)
BROKEN = ResumeInput(name="broken.pdf", content=b"%PDF-1.4 and nothing more")
NOW = 1_772_000_000.0


def by_rules(request: fw.Request, _: int) -> Any:
    named = request.schema.name if request.schema is not None else ""
    return analysis_rules(request) if named == "tailoring_analysis" else tailor_rules(request)


def tailoring(
    home: Path,
    *resumes: ResumeInput,
    models: dict[str, ScriptedModel] | None = None,
    **fields: Any,
) -> TailorResult:
    options = {"models": models} if models else {}
    if models:
        fields.setdefault("models", tuple(models))
    working = tailor(
        resumes or [DANA],
        POSTING,
        home=str(home),
        options=options | fields.pop("options", {}),
        now=lambda: NOW,
        **fields,
    )
    return asyncio.run(working)


def rows(home: Path, table: Any) -> int:
    async def count() -> int:
        store = fw.Store(fw.open_home(str(home)), "tailoring", tables.metadata)
        async with store:
            query = select(func.count()).select_from(table)
            return await store.read(lambda c: c.execute(query).scalar_one())

    return asyncio.run(count())


def test_rules_tailor_without_a_key_and_say_that_they_did(tmp_path: Path) -> None:
    result = tailoring(tmp_path, mode="FULL")
    assert result.status == "success"
    (found,) = result.resumes
    assert found.model == found.analysed_by == "builtin/rules"
    assert found.after is not None
    assert found.after["total"] >= found.before["total"]
    assert found.resume.of_kind("summary")[0].text.endswith(
        "Relevant to this role: Python, PostgreSQL, Kubernetes, Kafka and Grafana."
    )
    assert all(change.verdict == "clean" for change in found.changes)
    value = json.loads(json.dumps(result.as_json()))["results"][0]
    assert value["performanceMetrics"].keys() >= {
        "totalDurationMs",
        "sequentialTimeMs",
        "savingsMs",
        "speedup",
        "efficiency",
    }
    assert value["recommended_keywords"][0] == "Terraform"


def test_one_unreadable_resume_fails_by_name_and_ends_nothing_else(tmp_path: Path) -> None:
    result = tailoring(tmp_path, DANA, BROKEN, ERIK)
    assert (result.status, result.success_rate) == ("partial", pytest.approx(2 / 3))
    assert [one.id for one in result.resumes] == ["dana.txt", "erik.txt"]
    assert result.failures[0].id == "broken.pdf"
    summary = result.summary()
    assert summary["successRate"] == "66.7%"
    assert summary["resumes"]["broken.pdf"]["status"] == "error"


def test_the_job_is_analysed_once_for_all_resumes_and_not_again_that_day(tmp_path: Path) -> None:
    model = ScriptedModel(by_rules)
    models = {"test/a": model}
    tailoring(tmp_path, DANA, ERIK, models=models)
    labels = [request.schema.name for request in model.requests if request.schema]
    assert labels.count("tailoring_analysis") == 1
    assert labels.count("tailoring_changes") == 2
    tailoring(tmp_path, DANA, models=models)
    assert len(model.requests) == 4
    tailoring(tmp_path, DANA, models=models, analysis_max_age_s=0)
    assert len(model.requests) == 6


def test_a_job_that_was_warmed_is_not_analysed_again(tmp_path: Path) -> None:
    model = ScriptedModel(by_rules)
    models = {"test/a": model}
    job = TailorJob(resumes=(DANA,), job_description=POSTING, models=("test/a",))
    found = asyncio.run(warm(job, home=str(tmp_path), models=models))
    assert "Python" in found.required
    asyncio.run(warm(job, home=str(tmp_path), models=models))
    assert len(model.requests) == 1


def test_name_and_contacts_are_never_sent(tmp_path: Path) -> None:
    model = ScriptedModel(by_rules)
    tailoring(tmp_path, models={"test/a": model}, mode="FULL")
    sent = " ".join(str(message.content) for r in model.requests for message in r.messages)
    assert "DANA" not in sent
    assert "dana.voss" not in sent
    assert "555" not in sent
    assert "Dental" not in str(model.requests[-1].messages[-1].content)


def test_the_next_model_is_asked_where_one_is_down(tmp_path: Path) -> None:
    down = ScriptedModel(lambda *_: fw.errors.ServerError("down"))
    up = ScriptedModel(by_rules)
    once = {"retry": fw.Retry(max_attempts=1)}
    result = tailoring(tmp_path, models={"test/down": down, "test/up": up}, options=once)
    (found,) = result.resumes
    assert found.model == "test/up"
    assert any("test/down failed to tailor" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    "answer",
    [
        fw.errors.Overloaded("down"),
        fw.errors.Refused("no"),
        fw.errors.RateLimited("slow down"),
        "this is no JSON at all",
        {"changes": "none"},
    ],
)
def test_where_every_model_fails_the_resume_fails_with_the_reason_and_no_draft(
    tmp_path: Path, answer: Any
) -> None:
    model = ScriptedModel(lambda *_: answer)
    once = {"retry": fw.Retry(max_attempts=1), "total_s": 0.3}
    result = tailoring(tmp_path, models={"test/a": model}, options=once)
    assert result.status == "error"
    assert result.failures[0].id == "dana.txt"
    assert result.failures[0].code
    assert rows(tmp_path, tables.drafts) == 0


def test_an_analysis_that_fails_is_replaced_by_rules_and_said(tmp_path: Path) -> None:
    def script(request: fw.Request, before: int) -> Any:
        named = request.schema.name if request.schema else ""
        return "no JSON" if named == "tailoring_analysis" else by_rules(request, before)

    result = tailoring(tmp_path, models={"test/a": ScriptedModel(script)})
    (found,) = result.resumes
    assert (found.analysed_by, found.model) == ("rules", "test/a")
    assert any("analysed by rules" in warning for warning in found.warnings)


def test_what_a_model_invents_is_refused_and_named(tmp_path: Path) -> None:
    def script(request: fw.Request, before: int) -> Any:
        if request.schema is not None and request.schema.name == "tailoring_analysis":
            return by_rules(request, before)
        assert "/headline" in read_back(request)["resume"]
        invented = {
            "path": "/summary/0/lines/0",
            "after": "Senior engineer with 12 years at Google and a PhD.",
            "reason": "fits",
            "confidence": 1.0,
        }
        return {"changes": [invented], "orders": []}

    result = tailoring(tmp_path, models={"test/a": ScriptedModel(script)})
    (found,) = result.resumes
    assert found.resume == found.base
    assert found.changes[0].verdict == "refused"
    assert any(warning.startswith("refused /summary") for warning in found.warnings)


def test_scoring_alone_asks_nobody(tmp_path: Path) -> None:
    model = ScriptedModel(by_rules)
    result = tailoring(tmp_path, DANA, ERIK, models={"test/a": model}, score_only=True)
    assert not model.requests
    assert [one.before["total"] for one in result.resumes] == [
        result.resumes[0].before["total"]
    ] * 2
    assert result.resumes[0].after is None


def test_a_resumed_run_sends_nothing_again_and_keeps_one_draft(tmp_path: Path) -> None:
    model = ScriptedModel(by_rules)
    models = {"test/a": model}
    tailoring(tmp_path, DANA, ERIK, models=models, options={"run_id": "one"})
    sent = len(model.requests)
    again = tailoring(tmp_path, DANA, ERIK, models=models, options={"resume": "one"})
    assert len(model.requests) == sent
    assert [one.id for one in again.resumes] == ["dana.txt", "erik.txt"]
    assert rows(tmp_path, tables.drafts) == 2
    assert rows(tmp_path, tables.requests) == rows(tmp_path, tables.metrics) == 2


def test_a_resume_cut_off_in_the_middle_sends_only_what_was_not_answered(tmp_path: Path) -> None:
    async def cut_off() -> None:
        reached = asyncio.Event()

        async def script(request: fw.Request, before: int) -> Any:
            if request.schema is not None and request.schema.name == "tailoring_changes":
                reached.set()
                await asyncio.Event().wait()
            return by_rules(request, before)

        models = {"test/a": ScriptedModel(script)}
        options = {"models": models, "run_id": "cut"}
        working = asyncio.ensure_future(
            tailor([DANA], POSTING, home=str(tmp_path), models=("test/a",), options=options)
        )
        await reached.wait()
        working.cancel()
        await asyncio.wait([working])

    asyncio.run(cut_off())
    model = ScriptedModel(by_rules)
    result = tailoring(tmp_path, models={"test/a": model}, options={"resume": "cut"})
    assert result.status == "success"
    names = [request.schema.name for request in model.requests if request.schema]
    assert names == ["tailoring_changes"]


def test_percent_never_goes_back_and_ends_at_a_hundred(tmp_path: Path) -> None:
    events: list[Event] = []

    async def slow(event: Event) -> None:
        await asyncio.sleep(0)
        events.append(event)

    tailoring(tmp_path, DANA, BROKEN, ERIK, on_event=slow)
    percents = [event.percent for event in events if event.percent is not None]
    assert percents == sorted(percents)
    assert percents[-1] == 100.0
    kinds = [event.kind for event in events]
    assert (kinds.count("result"), kinds.count("error"), kinds[-1]) == (2, 1, "complete")


def test_an_embedding_is_kept_beside_the_base_and_its_failure_is_a_warning(tmp_path: Path) -> None:
    result = tailoring(tmp_path, models=None, embedding_model="sim/instant")
    assert not any("embedding" in warning for warning in result.resumes[0].warnings)
    assert rows(tmp_path, tables.embeddings) == 1
    model = ScriptedModel(lambda *_: fw.errors.ServerError("down"))
    options = {"models": {"test/e": model}, "retry": fw.Retry(max_attempts=1)}
    failed = tailoring(tmp_path, embedding_model="test/e", options=options)
    assert failed.status == "success"
    assert any("no embedding" in warning for warning in failed.resumes[0].warnings)


def test_drafts_are_decided_on_change_by_change_taken_back_and_promoted(tmp_path: Path) -> None:
    result = tailoring(tmp_path, mode="FULL")
    draft_id = result.resumes[0].draft

    async def decide() -> None:
        async with Drafts(str(tmp_path), now=lambda: NOW) as drafts:
            draft = await drafts.get(draft_id[:6])
            assert draft.resume == result.resumes[0].resume
            rejected = await drafts.reject(draft_id)
            assert rejected.resume == rejected.base
            one = await drafts.accept(draft_id, [1])
            assert one.changes[0].decision == "accepted"
            by_path = await drafts.accept(draft_id, [draft.changes[1].path])
            assert by_path.changes[1].decision == "accepted"
            await drafts.undo(draft_id)
            assert (await drafts.undo(draft_id)).resume == rejected.base
            assert (await drafts.undo(draft_id)).resume == draft.resume
            with pytest.raises(StateError, match="nothing was decided"):
                await drafts.undo(draft_id)
            with pytest.raises(UsageError, match="no change 99"):
                await drafts.accept(draft_id, [99])
            base = await drafts.promote(draft_id)
            assert base
            with pytest.raises(StateError, match="promoted"):
                await drafts.reject(draft_id)
            assert (await drafts.get(draft_id)).base == draft.base
            assert len(await drafts.all()) == 1
            with pytest.raises(StateError, match="no draft"):
                await drafts.get("ffff")

    asyncio.run(decide())
    assert rows(tmp_path, tables.bases) == 2


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(InvalidFields) as raised:
        TailorJob.from_json(
            {
                "resumes": [{"text": "x", "surprise": 1}, {"content_base64": "%%%"}],
                "job_description": "short",
                "mode": "SOME",
                "tone": "angry",
                "length": 7,
                "models": [],
                "save": "yes",
                "path": "/etc/passwd",
                "analysis_max_age_s": -1,
            }
        )
    assert set(raised.value.fields) >= {
        "resumes.0",
        "resumes.1",
        "job_description",
        "mode",
        "tone",
        "length",
        "models",
        "save",
        "path",
        "analysis_max_age_s",
    }


def test_a_job_is_made_of_its_own_json_again(tmp_path: Path) -> None:
    path = tmp_path / "dana.txt"
    path.write_text(RESUME)
    job = TailorJob(
        resumes=(ResumeInput(name="dana.txt", path=str(path)), ERIK),
        job_description=POSTING,
        tone="bold",
    )
    value = json.loads(json.dumps(job.as_json()))
    again = TailorJob.from_json(value)
    assert again.as_json() == value
    assert again.resumes[0].content == RESUME.encode()
    assert base64.b64decode(value["resumes"][1]["content_base64"]) == ERIK.content


@pytest.mark.parametrize(
    ("text", "reason"),
    [("x" * 99, "99 characters"), ("word " * 3001, "15,0"), ("abcdefghij" * 15, "1 words")],
)
def test_the_bounds_of_a_posting(text: str, reason: str) -> None:
    with pytest.raises(InvalidFields, match=reason):
        TailorJob(resumes=(DANA,), job_description=text)


def test_the_plan_counts_calls_and_sends_nothing(tmp_path: Path) -> None:
    job = TailorJob(resumes=(DANA, ERIK), job_description=POSTING, models=("sim/instant",))
    planned = asyncio.run(plan(job, journal=str(tmp_path / "none")))
    assert planned.items == 2
    assert planned.calls == 3
    assert not (tmp_path / "none").exists()


def test_what_the_pipeline_tells_of_itself_can_be_loaded() -> None:
    assert PIPELINE.job_type is TailorJob
    assert callable(PIPELINE.carry_out)
    assert set(PIPELINE.answers) == {"tailoring_analysis", "tailoring_changes"}
