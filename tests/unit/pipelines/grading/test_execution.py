"""A table of answers from end to end: who is asked, what failures are, what is measured."""

import asyncio
import json
from typing import Any

import pytest

import fanwise as fw
from fanwise.clock import LoopClock
from fanwise.journal.memory_home import MemoryHome
from fanwise.pipelines import Event
from fanwise.pipelines.fences import read_back
from fanwise.pipelines.grading import PIPELINE, Columns, GradingJob, grade, plan
from fanwise.testing import ScriptedModel, prompt_of, run_virtual

MODEL = "test/model"
FAST = fw.Retry(max_attempts=1)


def words(*answers: str) -> list[dict[str, Any]]:
    return [
        {"id": f"r{n}", "question": "Why?", "expected": "since it rains", "answer": answer}
        for n, answer in enumerate(answers)
    ]


def judgement(score: float = 1.0, **more: Any) -> dict[str, Any]:
    verdict = "correct" if score >= 0.7 else "incorrect"
    return {
        "missing": [],
        "verdict": verdict,
        "score": score,
        "feedback": "so it is",
        "suggested_rating": 4,
        "instructs_grader": False,
        **more,
    }


def by_answer(*, wrong: str = "sun", down: str = "", packs: bool = True):
    """A model that finds answers with a word wrong, and fails at others."""

    def answered(request: fw.Request, before: int) -> Any:
        data = read_back(request)
        shown = data.get("answers")
        if shown is None:
            shown, alone = [data], True
        else:
            alone = False
            if not packs:
                raise fw.errors.ServerError("no packs today")
        if down and any(down in one["answer"] for one in shown):
            raise fw.errors.ServerError("down")
        made = [judgement(0.0 if wrong in one["answer"] else 1.0) for one in shown]
        if alone:
            return made[0]
        return {"grades": [{"id": one["id"], **got} for one, got in zip(shown, made, strict=True)]}

    return ScriptedModel(answered, service_s=1.0)


def graded(rows: list[dict[str, Any]], model: Any, **more: Any):
    options = {
        "journal": MemoryHome(clock=LoopClock()),
        "clock": LoopClock(),
        "models": {MODEL: model},
        "retry": FAST,
        **more,
    }
    return run_virtual(grade(rows, model=MODEL, **options))


def test_numbers_choices_and_blanks_ask_no_model():
    model = by_answer()
    rows = [
        {"question": "6 * 7?", "expected": "42", "answer": "forty-two"},
        {"question": "6 * 7?", "expected": "42", "answer": "41"},
        {"question": "Which?", "expected": "B", "options": "x|y", "answer": "y"},
        {"question": "Why?", "expected": "rain", "answer": ""},
        {"question": "Why?", "expected": "rain", "answer": "Rain."},
    ]
    result = graded(rows, model)
    assert [one.grade.is_correct for one in result.results] == [True, False, True, False, True]
    assert model.requests == []
    assert result.metrics.graded_by_rule == 5
    assert result.metrics.average_task_duration_ms is None


def test_results_come_in_the_order_of_the_rows_whatever_ends_first():
    model = ScriptedModel(
        lambda request, before: judgement(),
        service_s=lambda request: 9.0 if "slow" in prompt_of(request) else 1.0,
    )
    result = graded([*words("slow one", "a", "b"), *NUMBERS], model)
    assert [one.index for one in result.results] == [0, 1, 2, 3]
    assert [one.id for one in result.results][:3] == ["r0", "r1", "r2"]


NUMBERS = [{"id": "n", "question": "1 + 1?", "expected": "2", "answer": "2"}]


@pytest.mark.parametrize(
    ("count", "mode", "requests"), [(1, "sequential", 1), (2, "batch", 1), (3, "parallel", 3)]
)
def test_auto_counts_the_answers_that_need_a_model(count, mode, requests):
    model = by_answer()
    result = graded([*NUMBERS, *words(*"abc"[:count])], model)
    assert result.metrics.processing_mode_used == mode
    assert len(model.requests) == requests
    assert result.metrics.answers_by_mode == {mode: count}


def test_a_technical_failure_is_ungraded_and_never_wrong():
    result = graded(words("rain", "broken", "sun"), by_answer(down="broken"))
    grades = [one.grade for one in result.results]
    assert [one.status for one in grades] == ["graded", "ungraded", "graded"]
    lost = grades[1]
    assert (lost.is_correct, lost.score, lost.suggested_rating) == (None, None, None)
    assert lost.error == "server_error"
    assert (result.correct, result.incorrect, result.metrics.ungraded) == (1, 1, 1)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (fw.errors.ServerError("down"), "server_error"),
        (fw.errors.Refused("I would rather not"), "refused"),
        ("no JSON at all", "invalid_output"),
        ({"verdict": "correct"}, "invalid_output"),
        (judgement(0.1, verdict="correct"), "invalid_output"),
        (judgement(0.0, verdict="cannot_judge"), "invalid_output"),
    ],
)
def test_whatever_fails_leaves_everything_ungraded(answer, code):
    model = ScriptedModel(lambda request, before: answer)
    result = graded(words("a", "b", "c"), model, total_s=600)
    assert {one.grade.status for one in result.results} == {"ungraded"}
    assert {one.grade.error for one in result.results} == {code}


def test_an_answer_that_meets_a_rate_limit_is_graded_later():
    def limited(request: fw.Request, before: int) -> Any:
        if before == 0:
            raise fw.errors.RateLimited("too fast", retry_after_s=5)
        return judgement()

    result = graded(words("a", "b", "c"), ScriptedModel(limited), total_s=600)
    assert [one.grade.is_correct for one in result.results] == [True, True, True]
    assert result.metrics.ungraded == 0


def test_a_model_that_is_too_slow_leaves_an_answer_ungraded():
    model = ScriptedModel(lambda request, before: judgement(), service_s=500)
    result = graded(words("a"), model, timeouts=fw.types.Timeouts(attempt_s=30, first_byte_s=30))
    assert result.results[0].grade.error == "timeout"


def test_packs_that_are_down_fall_back_to_one_after_another_and_say_so():
    model = by_answer(packs=False)
    result = graded(words("a", "b", "c"), model, processing_mode="batch")
    assert result.metrics.processing_mode_used == "sequential_fallback"
    assert "failed" in result.metrics.fallback_reason
    assert all(one.grade.is_correct for one in result.results)


def test_only_what_failed_is_run_again():
    calls: list[str] = []

    def flaky(request: fw.Request, before: int) -> Any:
        data = read_back(request)
        if "answers" in data:
            calls.append("pack of " + ",".join(one["answer"] for one in data["answers"]))
            return {"grades": [{"id": one["id"], **judgement()} for one in data["answers"]]}
        calls.append(data["answer"])
        if data["answer"] != "fine":
            raise fw.errors.ServerError("down")
        return judgement()

    result = graded(words("fine", "b", "c", "d"), ScriptedModel(flaky), processing_mode="parallel")
    assert calls[-1] == "pack of b,c,d"
    assert result.metrics.processing_mode_used == "batch_fallback"
    assert dict(result.metrics.answers_by_mode) == {"parallel": 1, "batch_fallback": 3}


def test_missing_surplus_and_doubled_ids_of_a_pack_are_sorted_out():
    def sloppy(request: fw.Request, before: int) -> Any:
        data = read_back(request)
        if "answers" not in data:
            return judgement()
        ids = [one["id"] for one in data["answers"]]
        doubled = [{"id": ids[1], **judgement(score)} for score in (0.0, 1.0)]
        return {"grades": [{"id": ids[0], **judgement(0.0)}, *doubled, {"id": "x", **judgement()}]}

    model = ScriptedModel(sloppy)
    result = graded(words("a", "b", "c"), model, processing_mode="batch")
    assert [one.grade.is_correct for one in result.results] == [False, True, True]


def test_times_are_measured_for_each_task_and_never_divided():
    model = ScriptedModel(
        lambda request, before: judgement(),
        service_s=lambda request: 10.0 if "slow" in prompt_of(request) else 1.0,
    )
    metrics = graded(words("slow", "a", "b"), model).metrics
    assert metrics.average_task_duration_ms == pytest.approx(4000, rel=0.01)
    assert metrics.summed_task_time_ms == pytest.approx(12000, rel=0.01)
    assert metrics.total_processing_time_ms == pytest.approx(10000, rel=0.01)
    assert metrics.parallel_tasks_spawned == 3
    assert metrics.improvement == pytest.approx(1.2, rel=0.01)


def test_max_concurrent_tasks_bounds_what_is_in_flight():
    model = by_answer()
    result = graded(words(*"abcdefgh"), model, max_concurrent_tasks=2)
    assert model.peak == 2
    assert result.metrics.parallel_tasks_spawned == 2


def test_equal_answers_are_asked_once_and_near_misses_again():
    model = by_answer()
    result = graded(words("It snows", "it  snows.", "IT SNOWS!", "it snowed", "C", "C++"), model)
    assert len(model.requests) == 4
    assert [one.grade.remembered for one in result.results].count(True) == 2
    assert result.metrics.remembered == 2


def test_grades_are_remembered_over_runs_unless_that_is_not_wanted(tmp_path):
    model = by_answer()
    options = {"journal": tmp_path, "models": {MODEL: model}}

    async def main() -> None:
        for reuse in (True, True, False):
            result = await grade(words("a", "b", "sun"), model=MODEL, reuse=reuse, **options)
            assert [one.grade.is_correct for one in result.results] == [True, True, False]

    asyncio.run(_fast(main, model))
    assert len(model.requests) == 6


async def _fast(main: Any, model: Any) -> None:
    model._service_s = 0.0
    await main()


def test_agreement_with_labels_counts_graded_rows_and_the_label_stays_unseen():
    rows = [
        {**row, "human": human}
        for row, human in zip(words("a", "sun", "b", "lost"), (1, 0, "false", "yes"), strict=True)
    ]
    model = by_answer(down="lost")
    result = graded(rows, model, columns=Columns(label="human"))
    assert (result.labelled, result.agreeing) == (3, 2)
    assert result.by_kind == {"short_answer": (3, 2)}
    assert all("human" not in prompt_of(request) for request in model.requests)


def test_nested_columns_are_named_with_a_point():
    rows = [{"q": "1 + 1?", "truth": "2", "a": {"text": "A: 2", "right": True}}]
    columns = Columns(question="q", expected="truth", answer="a.text", label="a.right")
    assert graded(rows, by_answer(), columns=columns).agreement == 1.0


def test_a_row_that_is_wrong_fails_alone_and_a_missing_column_fails_all():
    rows = [*words("a"), {"question": "Which?", "options": "x|y", "expected": "z", "answer": "x"}]
    result = graded(rows, by_answer())
    assert "row 2: expected names none of the options" in result.results[1].grade.feedback
    with pytest.raises(fw.errors.ConfigError, match="no column 'question', 'answer'"):
        graded([{"text": "?", "expected": "1"}], by_answer())


def test_events_tell_of_each_grade_and_progress_never_goes_back():
    events: list[Event] = []
    graded([*NUMBERS, *words("a", "broken", "c")], by_answer(down="broken"), on_event=events.append)
    assert sorted(event.kind for event in events) == [
        "complete",
        "error",
        "result",
        "result",
        "result",
    ]
    percents = [event.percent or 0 for event in events]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    json.dumps([dict(event.data) for event in events])


def test_a_plan_counts_calls_and_sends_nothing():
    model = by_answer()
    job = GradingJob(answers=[*NUMBERS, *words("a", "b", "")], model=MODEL)
    planned = asyncio.run(plan(job, models={MODEL: model}))
    assert planned.calls == 2
    assert model.requests == []


def test_a_job_survives_json():
    job = GradingJob(answers=words("a"), model=MODEL, processing_mode="batch", pack_size=5)
    assert GradingJob.from_json(json.loads(json.dumps(job.as_json()))) == job


def test_every_wrong_field_of_a_job_has_one_reason():
    with pytest.raises(fw.errors.InvalidFields) as caught:
        GradingJob.from_json(
            {
                "answers": [3],
                "model": "",
                "processing_mode": "fast",
                "max_concurrent_tasks": 0,
                "pack_size": 1,
                "limit": "all",
                "reuse": "yes",
                "columns": {"color": "x", "label": 5},
                "verbosity": 3,
            }
        )
    assert set(caught.value.fields) == {
        "answers.0",
        "model",
        "processing_mode",
        "max_concurrent_tasks",
        "pack_size",
        "limit",
        "reuse",
        "columns.color",
        "columns.label",
        "verbosity",
    }


@pytest.mark.parametrize("number", [0, 11, -1, True, 2.5, "5"])
def test_an_impossible_number_of_tasks_is_refused(number):
    with pytest.raises(fw.errors.InvalidFields, match="from 1 to 10"):
        GradingJob(answers=words("a"), max_concurrent_tasks=number)


def test_the_pipeline_tells_of_itself():
    assert PIPELINE.name == "grade"
    assert PIPELINE.job_type is GradingJob
    assert set(PIPELINE.answers) == {"grading_grade", "grading_pack"}


def test_easy_questions_go_first_by_their_rate_of_success() -> None:
    rows = [
        {**row, "success_rate": rate}
        for row, rate in zip(words(*"abcd"), (0.1, "", "0.9", 0.6), strict=True)
    ]
    model = by_answer()

    async def main() -> None:
        job = GradingJob(
            answers=rows, model=MODEL, processing_mode="sequential", easiest_first=True
        )
        assert GradingJob.from_json(job.as_json()) == job
        await grade(
            rows,
            model=MODEL,
            processing_mode="sequential",
            easiest_first=True,
            journal=":memory:",
            models={MODEL: model},
        )

    run_virtual(main())
    assert [read_back(one)["answer"] for one in model.requests] == ["c", "d", "b", "a"]


def test_without_a_rate_there_is_no_order_of_ease() -> None:
    async def main() -> None:
        with pytest.raises(fw.errors.ConfigError, match="no column 'success_rate'"):
            await grade(words("a"), model=MODEL, easiest_first=True, journal=":memory:")

    run_virtual(main())
