"""What is given wrongly is refused where it is given, in words that say what to give instead."""

from __future__ import annotations

import asyncio
import math
import warnings
from typing import Any
from unittest.mock import AsyncMock

import pytest

import fanwise as fw
from fanwise.errors import ConfigError, StateError, UsageError
from fanwise.testing import ScriptedModel, open_test_run, run_virtual


async def ask(item: Any) -> Any:
    return item


async def ask_in_run(ctx: fw.Context, item: Any) -> Any:
    return item


def blocking(item: Any) -> Any:
    return item


async def several(item: Any) -> Any:
    yield item


def collected(function: Any, items: Any = (1,), **options: Any) -> Any:
    async def main() -> Any:
        return await fw.map(function, items, **options).collect()

    return run_virtual(main())


def in_run(function: Any, items: Any = (1,), **options: Any) -> Any:
    async def main() -> Any:
        async with open_test_run(ScriptedModel(), **options) as run:
            return await run.map(function, items).collect()

    return run_virtual(main())


@pytest.mark.parametrize("wrong", [None, "ask", 5, several])
def test_what_is_no_function_of_an_item_is_refused_before_anything_begins(wrong: Any) -> None:
    for use in (collected, in_run):
        with pytest.raises(UsageError):
            use(wrong)


def test_a_coroutine_in_place_of_its_function_is_closed_and_named() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UsageError, match="begun by calling") as caught:
            collected(ask(1))
    assert "ask instead of ask(item)" in str(caught.value)


def test_a_function_for_a_run_is_told_from_one_for_a_map() -> None:
    with pytest.raises(UsageError, match=r"ask_in_run\(item\)") as caught:
        collected(ask_in_run)
    assert "run.map gives it a context" in str(caught.value)
    with pytest.raises(UsageError, match=r"ask\(ctx, item\)"):
        in_run(ask)

    async def plan() -> None:
        await fw.plan(ask, [1])  # type: ignore[arg-type]

    with pytest.raises(UsageError, match=r"ask\(ctx, item\)"):
        run_virtual(plan())


def test_functions_whose_parameters_are_open_are_taken() -> None:
    mock = AsyncMock(return_value=7)
    [outcome] = collected(mock)
    assert outcome.value == 7
    assert run_virtual(fw.parallel([mock, mock])) == [7, 7]


def test_a_function_that_is_not_asynchronous_is_named() -> None:
    [outcome] = collected(blocking)
    assert isinstance(outcome.error, UsageError)
    assert str(outcome.error).startswith("blocking is not asynchronous: it returned a int")
    [outcome] = in_run(lambda ctx, item: blocking(item))
    assert isinstance(outcome.error, UsageError)


def test_a_type_error_of_the_functions_own_stays_as_it_is() -> None:
    async def wrong(item: Any) -> Any:
        return await blocking(item)

    [outcome] = collected(wrong)
    assert type(outcome.error) is TypeError


@pytest.mark.parametrize(
    "options",
    [
        {"limits": 10},
        {"limits": fw.Limits},
        {"retry": 3},
        {"timeout_s": None},
        {"timeout_s": "3"},
        {"timeout_s": True},
        {"timeout_s": math.nan},
    ],
)
def test_options_of_another_kind_are_refused_with_the_remedy(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        collected(ask, **options)
    assert caught.value.hint


@pytest.mark.parametrize("given", [ValueError, [ValueError], ("ValueError",), (5,)])
def test_retry_on_takes_a_tuple_of_classes_only(given: Any) -> None:
    with pytest.raises(ConfigError, match="retry_on"):
        fw.Retry(retry_on=given)


@pytest.mark.parametrize(
    "options",
    [
        {"limits": 5},
        {"retry": 5},
        {"timeouts": 5},
        {"total_s": math.nan},
        {"total_s": "3"},
        {"simulator": "fast"},
        {"ambiguous": "maybe"},
        {"models": ask},
        {"models": {"my/model": "ask"}},
        {"journal": 5},
        {"journal": ""},
    ],
)
def test_a_run_is_not_opened_with_what_it_cannot_use(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        fw.open_run("x", **options)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["", " ", None, 5])
def test_a_run_has_a_name(name: Any) -> None:
    with pytest.raises(ConfigError, match="run's name"):
        fw.open_run(name)


def test_a_run_is_entered_once() -> None:
    async def main() -> None:
        opened = open_test_run()
        async with opened:
            with pytest.raises(StateError, match="entered once"):
                await opened.__aenter__()

    run_virtual(main())


@pytest.mark.parametrize("messages", [5, None, fw.user("one"), ["one"], [{"role": "user"}]])
def test_messages_of_another_kind_are_named_and_nothing_is_sent(messages: Any) -> None:
    model = ScriptedModel()

    async def main() -> Any:
        async with open_test_run(model) as run:
            return await run.map(lambda ctx, _: ctx.call("test/model", messages), [1]).collect()

    [outcome] = run_virtual(main())
    assert isinstance(outcome.error, UsageError)
    assert "fw.user" in str(outcome.error)
    assert not model.requests


def test_a_side_effect_that_is_no_function_is_not_begun() -> None:
    async def both(ctx: fw.Context, item: int) -> Any:
        with pytest.raises(UsageError, match="not a function"):
            await ctx.once("mail", ask(item))  # type: ignore[arg-type]
        return await ctx.once("mail", lambda: ask(item))

    [outcome] = in_run(both)
    assert outcome.value == 1


def test_a_side_effect_is_carried_out_once_in_an_item_however_often_it_is_asked_for() -> None:
    done: list[int] = []

    async def effect() -> int:
        await asyncio.sleep(1)
        done.append(len(done))
        return len(done)

    async def twice(ctx: fw.Context, item: int) -> Any:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(ctx.once("mail", effect))
            await asyncio.sleep(0.5)
            with pytest.raises(StateError, match="under way already"):
                await ctx.once("mail", effect)
        return [first.result(), await ctx.once("mail", effect)]

    [outcome] = in_run(twice)
    assert outcome.value == [1, 1]
    assert done == [0]


def test_a_side_effect_that_failed_may_be_tried_again_in_its_item() -> None:
    tried: list[int] = []

    async def effect() -> int:
        tried.append(1)
        if len(tried) == 1:
            raise ConnectionError("no")
        return 7

    async def again(ctx: fw.Context, item: int) -> Any:
        with pytest.raises(ConnectionError):
            await ctx.once("mail", effect)
        return await ctx.once("mail", effect)

    [outcome] = in_run(again)
    assert outcome.value == 7


def test_ids_that_a_function_gives_are_text_or_whole_numbers() -> None:
    async def ids(item_id: Any) -> list[str]:
        async with open_test_run(ScriptedModel()) as run:
            outcomes = await run.map(ask_in_run, [7, 8], item_id=item_id).collect()
            return [outcome.item_id for outcome in outcomes]

    assert run_virtual(ids(lambda item: item)) == ["7", "8"]
    assert len(set(run_virtual(ids(lambda item: "")))) == 2  # left to the content
    with pytest.raises(ConfigError, match="gave a float"):
        run_virtual(ids(float))
    with pytest.raises(ConfigError, match="item_id is 'id'"):
        run_virtual(ids("id"))


@pytest.mark.filterwarnings("error")
def test_a_tracker_or_a_function_of_candidates_that_is_none_is_named() -> None:
    with pytest.raises(ConfigError, match="tracker is 't'"):
        run_virtual(fw.parallel([lambda: ask(1)], tracker="t"))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="the function is a coroutine"):
        run_virtual(fw.fallback(["a"], ask(1)))  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"max_pending": math.nan}, {"max_running": 1.5}])
def test_bounds_of_background_work_are_whole_numbers(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="whole number"):
        fw.Background(**options)


def test_a_graph_names_what_is_wrong_with_a_step_or_its_inputs() -> None:
    graph = fw.Graph()
    for options in ({"name": 5}, {"priority": "high"}, {"priority": math.nan}, {"retry": 3}):
        with pytest.raises(ConfigError):
            graph.add(ask, **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="by name"):
        run_virtual(graph.run([1]))  # type: ignore[arg-type]
