"""Steps start when their own inputs are there, and failures take only what needs them."""

from __future__ import annotations

import asyncio

import pytest

import fanwise as fw
from fanwise.errors import AttemptTimeout, StepSkipped
from support.graphs import failing, run, timed


def the_76_s_graph() -> fw.Graph:
    graph = fw.Graph("tailoring")
    timed(graph, "validation", 2)
    timed(graph, "ats_score", 15, "validation")
    timed(graph, "job_analysis", 15, "validation")
    timed(graph, "targets", 1, "ats_score", "job_analysis")
    timed(graph, "tailor", 30, "targets")
    timed(graph, "rescore", 10, "tailor")
    timed(graph, "save", 2, "tailor")
    timed(graph, "log", 1, "tailor")
    return graph


def test_the_graph_of_76_s_takes_as_long_as_its_critical_path() -> None:
    report = run(the_76_s_graph()).report
    assert report.sequential_s == 76
    assert report.wall_s == report.critical_path_s == 58
    assert [step.name for step in report.critical_path][1:] == [
        "ats_score",
        "targets",
        "tailor",
        "rescore",
    ]
    assert report.speedup == pytest.approx(76 / 58)
    assert report.savings_s == 18
    assert report.efficiency == pytest.approx(18 / 76)


def test_a_step_starts_when_its_own_inputs_are_there_and_not_with_a_wave() -> None:
    graph = fw.Graph()
    timed(graph, "short", 1)
    timed(graph, "long", 10)
    timed(graph, "after_short", 1, "short")
    assert run(graph)["after_short"] == 2


def test_results_are_passed_by_name_and_needs_renames() -> None:
    graph = fw.Graph()

    @graph.step
    async def resume(path: str) -> str:
        return f"text of {path}"

    @graph.step(needs={"first": "resume", "second": "path"})
    async def both(first: str, second: str, third: int = 3) -> tuple[str, str, int]:
        return first, second, third

    @graph.step(needs={"x": "resume"})
    async def anything(**given: str) -> dict[str, str]:
        return given

    result = run(graph, inputs={"path": "a.pdf"})
    assert result["both"] == ("text of a.pdf", "a.pdf", 3)
    assert result["anything"] == {"x": "text of a.pdf"}
    assert result.outcomes["both"].item == {"first": "text of a.pdf", "second": "a.pdf"}
    assert list(result) == ["resume", "both", "anything"]


def test_a_failure_takes_only_those_with_it_that_need_it() -> None:
    graph = fw.Graph()
    failing(graph, "bad", 1)
    timed(graph, "child", 1, "bad")
    timed(graph, "grandchild", 1, "child")
    timed(graph, "good", 5)
    timed(graph, "after_good", 5, "good")
    result = run(graph)
    assert result.report.wall_s == 10
    assert result.skipped == {"child": "bad", "grandchild": "bad"}
    assert not result.ok
    assert result["after_good"] == 10
    with pytest.raises(ValueError, match="bad broke"):
        result["bad"]
    with pytest.raises(StepSkipped, match=r"'grandchild' was not started: 'bad', which 'child'"):
        result["grandchild"]
    assert result.outcomes["child"].error.__cause__ is result.outcomes["bad"].error  # type: ignore[union-attr]
    with pytest.raises(KeyError, match="did you mean 'child'"):
        result["chidl"]


def test_a_step_is_skipped_the_moment_one_of_its_inputs_has_failed() -> None:
    graph = fw.Graph()
    failing(graph, "bad", 1)
    timed(graph, "slow", 50)
    timed(graph, "needs_both", 1, "bad", "slow", optional=True)
    timed(graph, "goes_on", 1, "needs_both")
    assert run(graph)["goes_on"] == 2


def test_of_an_optional_step_that_fails_its_dependants_are_given_none() -> None:
    graph = fw.Graph()
    failing(graph, "bad", 1, optional=True)
    failing(graph, "worse", 1)
    timed(graph, "absent", 1, "worse", optional=True)

    @graph.step
    async def takes(bad: object, absent: object) -> tuple[object, object]:
        return bad, absent

    result = run(graph)
    assert result["takes"] == (None, None)
    assert result["bad"] is None
    assert isinstance(result.outcomes["bad"].error, ValueError)
    assert result.error is result.outcomes["worse"].error


def test_a_default_stands_in_for_a_step_that_failed() -> None:
    graph = fw.Graph()
    failing(graph, "hints", 1)

    @graph.step
    async def letter(hints: tuple[str, ...] = ("none",)) -> tuple[str, ...]:
        return hints

    result = run(graph)
    assert result["letter"] == ("none",)
    assert not result.ok


def test_a_timeout_cancels_the_work_and_not_the_graph() -> None:
    cancelled: list[float] = []
    graph = fw.Graph()

    @graph.step(timeout_s=3)
    async def slow() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            cancelled.append(asyncio.get_running_loop().time())
            raise

    timed(graph, "other", 7)
    timed(graph, "also_slow", 50)
    result = run(graph, timeout_s=10)
    assert cancelled == [3]
    assert isinstance(result.outcomes["slow"].error, AttemptTimeout)
    assert "in step 'slow' of graph" in result.outcomes["slow"].error.__notes__
    assert isinstance(result.outcomes["also_slow"].error, AttemptTimeout)
    assert result["other"] == 7


def test_a_step_is_tried_again_as_its_own_retry_says() -> None:
    events: list[str] = []
    graph = fw.Graph()

    @graph.step(retry=fw.Retry(max_attempts=3, retry_on=(ValueError,)))
    async def flaky(ctx: fw.types.StepContext) -> int:
        if ctx.attempt < 3:
            raise ValueError("not yet")
        return ctx.attempt

    result = run(graph, on_event=lambda event: events.append(event.kind))
    assert result["flaky"] == result.outcomes["flaky"].attempts == 3
    assert events == ["started", "retried", "retried", "ok"]


def test_the_run_s_retry_holds_for_steps_that_name_none() -> None:
    tries: list[str] = []
    graph = fw.Graph()

    @graph.step
    async def flaky() -> None:
        tries.append("flaky")
        raise ValueError

    @graph.step(retry=fw.Retry(max_attempts=1))
    async def once() -> None:
        tries.append("once")
        raise ValueError

    run(graph, retry=fw.Retry(max_attempts=4, retry_on=(ValueError,)))
    assert sorted(tries) == ["flaky"] * 4 + ["once"]


def test_priorities_decide_where_not_everything_ready_may_start() -> None:
    order: list[str] = []
    graph = fw.Graph()
    timed(graph, "first", 1)
    for name, priority in (("low", -1), ("middle", 0), ("high", 5)):
        timed(graph, name, 1, priority=priority)
    timed(graph, "urgent", 1, "first", priority=9)
    timed(graph, "pushy", 1, priority=20)

    def note(event: fw.types.StepEvent) -> None:
        if event.kind == "started":
            order.append(event.step)

    result = run(graph, limits=fw.Limits(concurrency=1), on_event=note)
    assert order == ["pushy", "high", "first", "urgent", "middle", "low"]
    assert result.report.wall_s == 6
    assert result.report.queued_s == 0 + 1 + 2 + 0 + 4 + 5


def test_among_equals_the_longest_chain_goes_first() -> None:
    graph = fw.Graph()
    timed(graph, "alone", 3)
    timed(graph, "head", 1)
    timed(graph, "middle", 1, "head")
    timed(graph, "tail", 1, "middle")
    result = run(graph, limits=fw.Limits(concurrency=1))
    assert result["head"] == 1
    assert (result["alone"], result["tail"]) == (5, 6)


def test_priorities_decide_under_a_rate_too() -> None:
    order: list[str] = []
    graph = fw.Graph()
    for number in range(6):
        timed(graph, f"s{number}", 0.1, priority=number)

    def note(event: fw.types.StepEvent) -> None:
        if event.kind == "started":
            order.append(event.step)

    limits = fw.Limits(concurrency=50, rpm=60, burst_s=0)
    result = run(graph, limits=limits, on_event=note)
    assert order == ["s5", "s4", "s3", "s2", "s1", "s0"]
    assert result.report.wall_s == pytest.approx(5.1)


def test_a_chain_of_thousands_is_no_deeper_than_a_short_one() -> None:
    graph = fw.Graph()
    timed(graph, "s0", 1)
    for number in range(1, 1500):
        timed(graph, f"s{number}", 1, f"s{number - 1}")
    failing(graph, "bad", 1)
    timed(graph, "d0", 1, "bad")
    for number in range(1, 1500):
        timed(graph, f"d{number}", 1, f"d{number - 1}")
    result = run(graph)
    assert result["s1499"] == 1500
    assert len(result.skipped) == 1500
    lines = result.text().splitlines()
    assert len(lines) == 3003
    assert max(len(line) for line in lines[1:-1]) < 250


def test_a_result_is_returned_in_time_however_long_the_steps_take() -> None:
    graph = fw.Graph()
    timed(graph, "short", 1)
    timed(graph, "long", 100, "short")
    timed(graph, "never", 1, "long")
    result = run(graph, total_s=10)
    assert result.report.wall_s == 10
    assert result["short"] == 1
    assert isinstance(result.outcomes["long"].error, AttemptTimeout)
    assert result.skipped == {"never": "total_s"}
