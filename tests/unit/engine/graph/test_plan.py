"""Graphs are refused before anything starts, and the message says what to mend."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest

import fanwise as fw
from fanwise.errors import ConfigError, PlanError, UsageError
from fanwise.testing.virtual import run_virtual


async def nothing() -> None:
    await asyncio.sleep(0)


def graph_of(**needs: list[str]) -> fw.Graph:
    """Steps that only wait for each other."""
    graph = fw.Graph()
    for name, after in needs.items():
        graph.add(nothing, name=name, needs=after)
    return graph


def test_a_cycle_is_spelled_out_along_the_flow_of_results() -> None:
    graph = graph_of(start=[], a=["c", "start"], b=["a"], c=["b"], after=["c"])
    with pytest.raises(PlanError, match=r"circle: a → b → c → a \("):
        graph.check()


def test_a_step_that_needs_itself_is_a_cycle() -> None:
    with pytest.raises(PlanError, match="circle: a → a"):
        graph_of(a=["a"]).check()


def test_nothing_is_started_where_a_graph_is_refused() -> None:
    started: list[str] = []
    graph = fw.Graph()

    @graph.step
    async def first() -> None:
        started.append("first")

    @graph.step
    async def second(first: None, thrid: None) -> None:
        started.append("second")

    @graph.step
    async def third() -> None:
        started.append("third")

    with pytest.raises(PlanError) as caught:
        run_virtual(graph.run())
    assert "parameter 'thrid' of step 'second'" in str(caught.value)
    assert "did you mean 'third'?" in str(caught.value)
    assert not started


def test_two_steps_of_one_name_are_refused_when_the_second_is_added() -> None:
    graph = graph_of(a=[])
    with pytest.raises(PlanError, match="two steps named 'a'"):
        graph.add(nothing, name="a")


def test_a_name_is_a_step_or_an_input_and_never_both() -> None:
    graph = graph_of(a=[])
    with pytest.raises(PlanError, match="'a' is both a step and an input"):
        graph.check(["a"])


def test_an_input_that_no_step_uses_is_taken_for_a_slip() -> None:
    graph = fw.Graph()

    @graph.step
    async def page(job_url: str = "nowhere") -> str:
        return job_url

    graph.check({"job_url": "x"})
    graph.check()
    with pytest.raises(PlanError, match=r"'job_ulr' is used by no step; did you mean 'job_url'"):
        graph.check({"job_ulr": "x"})


def test_every_unknown_name_is_named_at_once() -> None:
    graph = graph_of(a=["x"], b=["y"])
    with pytest.raises(PlanError) as caught:
        graph.check()
    assert "'a' comes after 'x'" in str(caught.value)
    assert "'b' comes after 'y'" in str(caught.value)


def test_ctx_is_reserved() -> None:
    graph = fw.Graph()
    with pytest.raises(ConfigError, match="reserved"):
        graph.add(nothing, name="ctx")
    with pytest.raises(PlanError, match="reserved"):
        graph.check({"ctx": 1})


def test_a_parameter_that_needs_names_must_exist() -> None:
    async def score(resume: str) -> int:
        return len(resume)

    with pytest.raises(ConfigError, match=r"'resum', which it does not have; did you mean 'resume"):
        fw.Graph().add(score, needs={"resum": "resume_a"})


def test_a_default_does_not_excuse_a_name_that_needs_states() -> None:
    async def score(resume: str = "") -> int:
        return len(resume)

    graph = fw.Graph()
    graph.add(score, needs={"resume": "resume_a"})
    with pytest.raises(PlanError, match="'resume_a'"):
        graph.check()


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda: None, "has no name"),
        (functools.partial(lambda: None), "has no name"),
        ("text", "has no name"),
    ],
)
def test_a_step_needs_a_name(function: Any, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        fw.Graph().add(function)


def test_what_cannot_be_given_results_by_name_is_refused() -> None:
    async def positional(a: int, /) -> int:
        return a

    async def generator(a: int) -> Any:
        yield a

    with pytest.raises(ConfigError, match="positional-only"):
        fw.Graph().add(positional)
    with pytest.raises(ConfigError, match="generator"):
        fw.Graph().add(generator)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no function but str"):
        fw.Graph().add("text", name="a")  # type: ignore[arg-type]


def test_impossible_deadlines_are_refused() -> None:
    with pytest.raises(ConfigError, match="timeout_s of step 'nothing' is 0"):
        fw.Graph().add(nothing, timeout_s=0)
    with pytest.raises(ConfigError, match="total_s is -1"):
        run_virtual(fw.Graph().run(total_s=-1))


def test_a_function_that_is_not_asynchronous_ends_the_graph() -> None:
    graph = graph_of(a=[])
    graph.add(lambda: 3, name="b", optional=True)  # type: ignore[arg-type, return-value]
    with pytest.raises(UsageError, match="'b' returned int instead of something to await"):
        run_virtual(graph.run())


def test_a_decorated_function_stays_what_it_was() -> None:
    graph = fw.Graph()

    @graph.step(timeout_s=3)
    async def double(number: int) -> int:
        return 2 * number

    assert run_virtual(double(4)) == 8
    assert graph.steps == ("double",)
    assert run_virtual(graph.run({"number": 5}))["double"] == 10
