"""The whole of it on the real engine: several models write, a judge scores."""

import asyncio
from typing import Any

import pytest

import fanwise as fw
from fanwise.journal.memory_home import MemoryHome
from fanwise.pipelines import Event
from fanwise.pipelines.hooks import HooksResult, execute, hooks, hooks_of_many, plan
from fanwise.testing import ScriptedModel, open_test_run
from support.hooks_models import IDEA, asks, by_rules, carried_out, job_of, virtual

THREE = ("a/one", "b/two", "c/three")


def trio(**how: Any) -> dict[str, ScriptedModel]:
    return {name: by_rules(**how) for name in (*THREE, "judge/one")}


@virtual
async def test_every_model_writes_five_hooks_and_every_hook_is_judged_once():
    models = trio()
    result = await carried_out(job_of(*THREE), models)
    assert (result.status, result.complete, result.failed) == ("success", True, [])
    assert {one.model for one in result.models} == set(THREE)
    for one in result.models:
        assert (len(one.hooks), one.scored) == (5, 5)
        assert len(models[one.model].requests) == 1
        assert [hook.score for hook in one.hooks] == sorted(
            (hook.score for hook in one.hooks), reverse=True
        )
    texts = [hook.text for one in result.models for hook in one.hooks]
    # Equal hooks may share one judgement.
    assert len(set(texts)) <= len(models["judge/one"].requests) <= len(texts) == 15
    assert result.ranking[0].place == 1


@virtual
async def test_each_judgement_is_asked_for_alone_and_without_the_writers_name():
    models = trio()
    await carried_out(job_of(*THREE), models)
    for request in models["judge/one"].requests:
        words = str([message.content for message in request.messages])
        assert not any(name in words for name in THREE)
        assert words.count('"hook":') == 1


@virtual
async def test_hooks_are_judged_while_slower_models_still_write():
    models = {
        "a/one": by_rules(service_s=1),
        "b/two": by_rules(service_s=10),
        "judge/one": by_rules(service_s=2),
    }
    loop = asyncio.get_running_loop()
    started = loop.time()
    seen: dict[str, float] = {}

    def note(event: Event) -> None:
        if event.kind == "result":
            seen[event.subject] = loop.time() - started

    def open_run(name: str, **more: Any) -> Any:
        return open_test_run(models, name=name, limits=fw.Limits(concurrency=20), **more)

    result = await execute(job_of("a/one", "b/two"), open_run=open_run, on_event=note)
    assert seen["a/one"] == pytest.approx(3, abs=0.1)
    assert seen["b/two"] == pytest.approx(12, abs=0.1)
    assert result.wall_s == pytest.approx(12, abs=0.1)
    walls = {one.model: one.wall_s for one in result.models}
    assert walls == pytest.approx({"a/one": 3, "b/two": 12}, abs=0.1)  # wall time, no sum


@virtual
async def test_six_models_with_validation_take_as_long_as_their_slowest_chain():
    writers = {f"w{n}/model": by_rules(service_s=12 + n) for n in range(6)}
    models = {**writers, "judge/one": by_rules(service_s=2), "check/one": by_rules(service_s=1)}
    job = job_of(*writers, validator="check/one")
    result = await carried_out(job, models, limits=fw.Limits(concurrency=50))
    assert result.wall_s == pytest.approx(17 + 2 + 1, abs=0.1)
    assert (result.status, sum(one.scored for one in result.models)) == ("success", 30)


@virtual
async def test_the_judge_has_a_limit_of_its_own():
    models = {
        "a/one": by_rules(service_s=1),
        "b/two": by_rules(service_s=1),
        "judge/one": by_rules(service_s=1),
    }
    result = await carried_out(job_of("a/one", "b/two"), models, limits=fw.Limits(concurrency=1))
    assert max(model.peak for model in models.values()) == 1
    # Ten judgements one after another from the first second on, both writers beside them.
    assert result.wall_s == pytest.approx(11, abs=0.2)


@virtual
async def test_progress_never_goes_back_and_follows_the_weights():
    events: list[Event] = []
    await carried_out(job_of(*THREE, compare=True), trio(), events)
    percents = [event.percent for event in events]
    assert percents == sorted(p for p in percents if p is not None)
    assert (percents[0], percents[-1]) == (5.0, 100.0)
    assert events[-1].kind == "complete"
    results = [event for event in events if event.kind == "result"]
    assert {event.subject for event in results} == set(THREE)
    assert results[-1].percent == 75.0
    assert all(len(event.data["hooks"]) == 5 for event in results)  # type: ignore[arg-type]
    for model in THREE:
        judged = [e for e in events if e.subject == model and "has judged" in e.message]
        assert len(judged) == 3
        written = [e for e in events if e.subject == model and "has written" in e.message]
        assert len(written) == 1


@virtual
async def test_one_models_share_is_written_at_40_and_judged_at_90_percent():
    events: list[Event] = []
    await carried_out(job_of("a/one"), trio(), events)
    by_message = {event.message: event.percent for event in events}
    assert by_message["a/one has written 5 hooks"] == 5 + 70 * 0.4
    assert by_message["judge/one has judged 5 of 5 hooks of a/one"] == 5 + 70 * 0.9


@virtual
async def test_a_validator_checks_every_judgement_and_lowers_confidence_alone():
    plainly = await carried_out(job_of("a/one"), trio())
    models = {**trio(), "check/one": by_rules(_failing_check)}
    checked = await carried_out(job_of("a/one", validator="check/one"), models)
    assert len(models["check/one"].requests) == 5
    before, after = plainly.models[0].hooks, checked.models[0].hooks
    assert [hook.score for hook in after] == [hook.score for hook in before]
    for one, other in zip(before, after, strict=True):
        assert one.judgement is not None
        assert other.judgement is not None
        assert other.judgement.confidence == pytest.approx(one.judgement.confidence * 0.8, abs=0.01)
        assert other.judgement.checks is not None
        assert not other.judgement.checks["apt"].passed


def _failing_check(request: fw.Request, answer: Any) -> Any:
    return {**answer, "apt": {"reason": "Any hook could get that praise.", "passed": False}}


@virtual
async def test_repeats_ask_again_on_purpose_and_give_a_spread():
    tally = {"asked": 0}

    def wavering(request: fw.Request, answer: Any) -> Any:
        tally["asked"] += 1
        score = 4 + 2 * (tally["asked"] % 2)
        return {name: {**part, "score": score} for name, part in answer.items()}

    models = {**trio(), "judge/one": by_rules(wavering)}
    result = await carried_out(job_of("a/one", repeats=2), models, limits=fw.Limits(concurrency=1))
    assert tally["asked"] == 10
    judgements = [hook.judgement for hook in result.models[0].hooks]
    assert all(one is not None and one.samples == 2 for one in judgements)
    assert any(one is not None and one.spread for one in judgements)


@virtual
async def test_best_hooks_are_compared_in_both_orders_and_a_biased_judge_gives_ties():
    def first_is_better(request: fw.Request, answer: Any) -> Any:
        if asks(request) == "compare":
            return {"reason": "It stands first.", "better": "first"}
        return answer

    models = {**trio(), "judge/one": by_rules(first_is_better)}
    result = await carried_out(job_of(*THREE, compare=True), models)
    assert len(result.comparisons) == 3
    assert all(one.winner is None and one.consistent is False for one in result.comparisons)
    assert [one.wins for one in result.ranking] == [0, 0, 0]
    honest = await carried_out(job_of(*THREE, compare=True), trio())
    assert all(one.consistent for one in honest.comparisons)


@virtual
async def test_focus_skills_change_the_scores():
    plainly = await carried_out(job_of("a/one"), trio())
    focused = await carried_out(job_of("a/one", focus_skills=["clarity"]), trio())
    assert focused.weights["clarity"] == 0.6
    assert plainly.models[0].score != focused.models[0].score


@virtual
async def test_a_judge_of_the_writers_family_is_flagged():
    models = {name: by_rules() for name in ("x/gpt-4o", "x/claude-3", "judge/gpt-4.1")}
    result = await carried_out(job_of("x/gpt-4o", "x/claude-3", judge="judge/gpt-4.1"), models)
    assert {one.model: one.same_family for one in result.models} == {
        "x/gpt-4o": True,
        "x/claude-3": False,
    }


@virtual
async def test_a_judge_may_be_a_contestant_too():
    models = {"a/one": by_rules()}
    result = await carried_out(job_of("a/one", judge="a/one"), models)
    assert result.models[0].scored == 5
    assert result.models[0].same_family
    assert len(models["a/one"].requests) == 6


@virtual
async def test_a_resumed_job_sends_nothing_that_was_served(tmp_path: Any):
    home = MemoryHome()
    models = {name: by_rules(service_s=1) for name in (*THREE, "judge/one")}
    task = asyncio.create_task(carried_out(job_of(*THREE), models, home=home))
    await asyncio.sleep(1.5)  # all have written, nothing is judged
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    result = await carried_out(job_of(*THREE), models, home=home)
    assert result.status == "success"
    assert [len(models[name].requests) for name in THREE] == [1, 1, 1]


@virtual
async def test_several_ideas_share_one_run_and_each_has_its_result():
    models = trio()
    jobs = [(f"idea-{n}", job_of("a/one", "b/two", post_idea=f"{IDEA} {n}")) for n in range(4)]
    found: list[HooksResult] = []
    events: list[Event] = []

    def open_run(name: str, **more: Any) -> Any:
        return open_test_run(models, name=name, **more)

    await hooks_of_many(jobs, on_result=found.append, on_event=events.append, open_run=open_run)
    assert sorted(one.id for one in found) == [f"idea-{n}" for n in range(4)]
    assert all(one.status == "success" and len(one.models) == 2 for one in found)
    assert len({one.run_id for one in found}) == 1
    assert any(event.message.startswith("[idea-3] ") for event in events)
    twice = [("same", job_of("a/one")), ("same", job_of("a/one", post_idea=IDEA + "!"))]
    with pytest.raises(fw.errors.ConfigError, match="two ideas have the id same"):
        await hooks_of_many(twice, on_result=found.append, open_run=open_run)


@virtual
async def test_an_observer_that_raises_ends_the_job_with_its_error():
    def broken(event: Event) -> None:
        raise ZeroDivisionError("the observer is broken")

    def open_run(name: str, **more: Any) -> Any:
        return open_test_run(trio(), name=name, **more)

    with pytest.raises(ZeroDivisionError):
        await execute(job_of(*THREE), open_run=open_run, on_event=broken)


@virtual
async def test_the_library_call_takes_the_fields_by_name_and_needs_no_key():
    result = await hooks(IDEA, industry="retail", content_type="story", journal=":memory:")
    assert (result.judge, result.winner) == ("builtin/rules", "builtin/rules")
    assert result.models[0].cost_usd == 0
    assert all(hook.in_bounds for hook in result.models[0].hooks)
    assert result.as_json()["models"][0]["hooks"][0]["judgement"]["model"] == "builtin/rules"


async def test_ideas_may_come_from_a_generator():
    found: list[HooksResult] = []
    jobs = ((f"idea-{n}", job_of("a/one", post_idea=f"{IDEA} {n}")) for n in range(3))

    def open_run(name: str, **more: Any) -> Any:
        return open_test_run(trio(), name=name, **more)

    await hooks_of_many(jobs, on_result=found.append, open_run=open_run)
    assert len(found) == 3
    wrong = (("x", job_of("a/one", judge="nobody/nothing")) for _ in range(1))
    with pytest.raises(fw.errors.ConfigError):
        await hooks_of_many(wrong, on_result=found.append, open_run=open_run)


async def test_a_judge_that_does_not_exist_is_refused_before_anybody_writes():
    models = trio()
    with pytest.raises(fw.errors.ConfigError):
        await carried_out(job_of("a/one", judge="nobody/nothing"), models)
    assert not models["a/one"].requests


async def test_a_plan_counts_every_call_and_sends_none():
    models = trio()
    job = job_of(*THREE, validator="a/one", compare=True)
    found = await plan(job, models=models)
    assert (found.calls, found.items) == (job.calls, 6)
    assert not any(model.requests for model in models.values())
