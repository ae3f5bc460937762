"""What fails, fails alone, says why, and is asked for again by a retry."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import fanwise as fw
from fanwise.journal.memory_home import MemoryHome
from fanwise.pipelines import Event
from fanwise.pipelines.hooks import execute
from fanwise.testing import ScriptedModel, open_test_run
from support.hooks_models import asks, by_rules, carried_out, job_of, virtual

BROKEN = fw.errors.ServerError("no capacity", status=500)


def down(request: fw.Request, answer: Any) -> Any:
    return BROKEN


@virtual
async def test_one_model_down_holds_nobody_up_and_advances_progress():
    events: list[Event] = []
    models = {"a/one": by_rules(), "b/two": by_rules(down), "judge/one": by_rules()}
    result = await carried_out(job_of("a/one", "b/two"), models, events)
    assert (result.status, result.complete, result.winner) == ("partial", True, "a/one")
    (failed,) = result.failed
    assert (failed.model, failed.kind) == ("b/two", "server_error")
    assert "no capacity" in failed.message
    error = next(event for event in events if event.kind == "error")
    assert error.subject == "b/two"
    assert [e.percent for e in events if e.kind in {"error", "result"}][-1] == 75.0
    assert events[-1].percent == 100.0


@virtual
async def test_all_models_down_is_an_error_with_every_reason_and_no_winner():
    models = {"a/one": by_rules(down), "b/two": by_rules(down), "judge/one": by_rules()}
    events: list[Event] = []
    result = await carried_out(job_of("a/one", "b/two"), models, events)
    assert (result.status, result.winner, result.ranking) == ("error", None, [])
    assert [one.model for one in result.failed] == ["a/one", "b/two"]
    assert events[-1].kind == "complete"
    assert not models["judge/one"].requests


@virtual
async def test_with_the_judge_down_hooks_are_unscored_and_never_zero():
    models = {"a/one": by_rules(), "b/two": by_rules(), "judge/one": by_rules(down)}
    result = await carried_out(job_of("a/one", "b/two"), models)
    assert (result.status, result.winner, result.gap) == ("partial", None, None)
    for one in result.models:
        assert (len(one.hooks), one.scored, one.score) == (5, 0, None)
        assert all(hook.score is None for hook in one.hooks)
        assert all("no capacity" in str(hook.unscored) for hook in one.hooks)
        assert one.heuristic > 0
    assert '"score": 0' not in str(result.as_json()).replace("'", '"')


@virtual
async def test_one_judgement_that_fails_leaves_the_average_of_the_others():
    asked: list[int] = []

    def third_fails(request: fw.Request, answer: Any) -> Any:
        asked.append(1)
        return BROKEN if len(asked) == 3 else _all(answer, 6)

    models = {"a/one": by_rules(), "judge/one": by_rules(third_fails)}
    result = await carried_out(job_of("a/one"), models, limits=fw.Limits(concurrency=1))
    (model,) = result.models
    assert (model.scored, model.score, result.status) == (4, 6.0, "partial")
    assert model.hooks[-1].score is None
    assert len(model.troubles) == 1


def _all(answer: Any, score: int) -> Any:
    return {name: {**part, "score": score} for name, part in answer.items()}


@virtual
async def test_a_retry_asks_only_for_the_judgements_that_failed():
    home = MemoryHome()
    broken = {"now": True}

    def at_first_down(request: fw.Request, answer: Any) -> Any:
        hook = str(request.messages[-1].content)
        return BROKEN if broken["now"] and "change" in hook else answer

    models = {"a/one": by_rules(), "b/two": by_rules(), "judge/one": by_rules(at_first_down)}
    first = await carried_out(job_of("a/one", "b/two"), models, home=home)
    unscored = sum(5 - one.scored for one in first.models)
    assert unscored > 0
    broken["now"] = False
    before = len(models["judge/one"].requests)
    second = await carried_out(job_of("a/one", "b/two"), models, home=home, resume=first.run_id)
    assert (second.status, second.run_id) == ("success", first.run_id)
    assert [len(models[name].requests) for name in ("a/one", "b/two")] == [1, 1]
    assert 0 < len(models["judge/one"].requests) - before <= unscored


@virtual
async def test_an_unparseable_answer_is_asked_for_once_more_and_then_fails_the_model():
    nonsense = ScriptedModel("I would rather talk about something else entirely.")
    models = {"a/one": nonsense, "b/two": by_rules(), "judge/one": by_rules()}
    result = await carried_out(job_of("a/one", "b/two"), models)
    assert len(nonsense.requests) == 2
    assert [(one.model, one.kind) for one in result.failed] == [("a/one", "invalid_output")]
    assert result.winner == "b/two"


@virtual
async def test_hooks_in_plain_lines_count_without_a_second_request():
    lines = "\n".join(f"{n}. The {n}th plain line about new hires" for n in range(1, 6))
    model = ScriptedModel(f"Here you are:\n{lines}")
    result = await carried_out(job_of("a/one"), {"a/one": model, "judge/one": by_rules()})
    assert len(model.requests) == 1
    assert (result.status, result.models[0].salvaged, result.models[0].scored) == (
        "success",
        True,
        5,
    )


@virtual
async def test_a_model_that_declines_has_failed_with_its_words():
    declined = fw.Response(text="", refusal="I cannot help with that.")
    models = {"a/one": ScriptedModel(lambda *_: declined), "b/two": by_rules(),
              "judge/one": by_rules()}  # fmt: skip
    result = await carried_out(job_of("a/one", "b/two"), models)
    assert [(one.model, one.kind) for one in result.failed] == [("a/one", "refused")]


@virtual
async def test_a_judge_that_declines_or_answers_nonsense_leaves_hooks_unscored():
    for answer in (fw.Response(text="", refusal="No."), "7 out of 10", {"attention": 7}):
        models = {"a/one": by_rules(), "judge/one": ScriptedModel(lambda *_, a=answer: a)}
        result = await carried_out(job_of("a/one"), models)
        assert (result.status, result.models[0].scored) == ("partial", 0)


@virtual
async def test_a_slow_model_fails_at_its_deadline_and_the_others_do_not_wait_for_it():
    models = {
        "a/one": by_rules(service_s=1),
        "b/two": by_rules(service_s=1000),
        "judge/one": by_rules(service_s=1),
    }
    result = await carried_out(
        job_of("a/one", "b/two"), models, timeouts=fw.types.Timeouts(attempt_s=20)
    )
    assert [(one.model, one.kind) for one in result.failed] == [("b/two", "timeout")]
    assert result.wall_s == pytest.approx(20, abs=0.5)
    assert models["b/two"].cancelled == 1


@virtual
async def test_a_rate_limited_judge_is_waited_for():
    refused: list[int] = []

    def limited(request: fw.Request, answer: Any) -> Any:
        refused.append(1)
        if len(refused) <= 3:
            return fw.errors.RateLimited("slow down", status=429, retry_after_s=5)
        return answer

    judge = by_rules(limited)
    models = {"a/one": by_rules(), "judge/one": judge}
    result = await carried_out(job_of("a/one"), models, retry=fw.Retry())
    assert (result.status, result.models[0].scored) == ("success", 5)
    assert len(judge.requests) == 8
    assert result.wall_s >= 5


@virtual
async def test_a_validator_that_fails_leaves_the_score_and_says_so():
    models = {"a/one": by_rules(), "judge/one": by_rules(), "check/one": by_rules(down)}
    result = await carried_out(job_of("a/one", validator="check/one"), models)
    (model,) = result.models
    assert (model.scored, result.status) == (5, "partial")
    judgement = model.hooks[0].judgement
    assert judgement is not None
    assert judgement.checks is None
    assert "no capacity" in str(judgement.check_error)


@virtual
async def test_a_comparison_that_fails_is_no_tie():
    def no_comparing(request: fw.Request, answer: Any) -> Any:
        return BROKEN if asks(request) == "compare" else answer

    models = {"a/one": by_rules(), "b/two": by_rules(), "judge/one": by_rules(no_comparing)}
    result = await carried_out(job_of("a/one", "b/two", compare=True), models)
    (comparison,) = result.comparisons
    assert (comparison.winner, comparison.consistent, result.status) == (None, None, "partial")
    assert "no capacity" in str(comparison.error)


@virtual
async def test_a_budget_that_is_used_up_ends_the_job_and_keeps_what_is_paid_for():
    home = MemoryHome()
    models = {"a/one": by_rules(), "b/two": by_rules(), "judge/one": by_rules()}
    events: list[Event] = []
    with pytest.raises(fw.errors.BudgetExhausted):
        await carried_out(
            job_of("a/one", "b/two"), models, events, home=home, budget=fw.Budget(calls=4)
        )
    assert events[-1].message.startswith("Not complete: 0 of 2 models")
    assert events[-1].percent is not None
    assert events[-1].percent < 75
    sent = sum(len(model.requests) for model in models.values())
    assert sent <= 4
    job = job_of("a/one", "b/two")
    result = await carried_out(job, models, home=home, budget=fw.Budget(calls=40))
    assert result.status == "success"
    assert sum(len(model.requests) for model in models.values()) <= job.calls


@virtual
async def test_judgements_in_flight_when_the_budget_ends_are_kept_and_not_paid_for_again():
    home = MemoryHome()
    models = {"a/one": by_rules(service_s=1), "judge/one": by_rules(service_s=10)}
    with pytest.raises(fw.errors.BudgetExhausted):
        await carried_out(job_of("a/one"), models, home=home, budget=fw.Budget(calls=3))
    assert (len(models["judge/one"].requests), models["judge/one"].cancelled) == (2, 0)
    result = await carried_out(job_of("a/one"), models, home=home, budget=fw.Budget(calls=9))
    assert result.status == "success"
    assert len(models["judge/one"].requests) == 5


@virtual
async def test_judgements_in_flight_when_the_run_is_drained_are_kept_and_not_paid_for_again():
    home = MemoryHome()
    models = {"a/one": by_rules(service_s=1), "judge/one": by_rules(service_s=10)}
    limits = fw.Limits(concurrency=2)
    runs: list[fw.Run] = []

    @asynccontextmanager
    async def open_run(name: str, **more: Any) -> AsyncGenerator[fw.Run]:
        async with open_test_run(models, name=name, home=home, limits=limits, **more) as run:
            runs.append(run)
            yield run

    task = asyncio.create_task(execute(job_of("a/one"), open_run=open_run))
    await asyncio.sleep(5)
    runs[0].drain()
    result = await task
    assert (result.complete, result.winner, result.models) == (False, None, [])
    assert (len(models["judge/one"].requests), models["judge/one"].cancelled) == (2, 0)
    again = await execute(job_of("a/one"), open_run=open_run)
    assert (again.status, again.run_id) == ("success", result.run_id)
    assert [len(model.requests) for model in models.values()] == [1, 5]


@virtual
async def test_cancelling_leaves_no_task_and_closes_what_is_in_flight():
    models = {"a/one": by_rules(), "judge/one": by_rules(service_s=60)}
    task = asyncio.create_task(carried_out(job_of("a/one"), models))
    await asyncio.sleep(5)
    assert models["judge/one"].in_flight == 5
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (models["judge/one"].in_flight, models["judge/one"].cancelled) == (0, 5)
    assert asyncio.all_tasks() == {asyncio.current_task()}
