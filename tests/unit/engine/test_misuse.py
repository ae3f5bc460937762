"""Maps and runs that are used without having been entered, or entered in the wrong way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import fanwise as fw
from fanwise.errors import UsageError
from fanwise.testing import ScriptedModel, open_test_run, run_virtual


async def ask(item: Any) -> Any:
    return item


async def ask_in_run(ctx: fw.Context, item: Any) -> Any:
    return item


def blocking(item: Any) -> Any:
    return item


def blocking_in_run(ctx: fw.Context, item: Any) -> Any:
    return item


async def several(items: Any) -> Any:
    return items


async def several_in_run(ctx: fw.Context, items: Any) -> Any:
    return items


async def awaited(the_map: Any) -> None:
    await the_map


async def iterated(the_map: Any) -> None:
    async for _ in the_map:
        pass


async def asked_for_one(the_map: Any) -> None:
    await anext(the_map)


async def iterated_at_once(the_map: Any) -> None:
    list(the_map)


async def entered_at_once(the_map: Any) -> None:
    with the_map:
        pass


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (awaited, "not awaited"),
        (iterated, "not entered"),
        (asked_for_one, "not entered"),
        (iterated_at_once, "not with `for`"),
        (entered_at_once, "not with `with`"),
    ],
)
def test_a_map_says_how_it_is_entered(use: Callable[[Any], Awaitable[None]], said: str) -> None:
    begun: list[int] = []

    async def note(item: int) -> None:
        begun.append(item)

    async def main() -> None:
        for the_map in (fw.map(note, [1]), fw.batched(note, [1])):
            with pytest.raises(UsageError, match=said) as caught:
                await use(the_map)
            assert "async with" in caught.value.hint
            assert ".collect()" in caught.value.hint

    run_virtual(main())
    assert not begun


def test_a_run_says_how_it_is_entered() -> None:
    async def main() -> None:
        opening: Any = open_test_run(ScriptedModel())
        with pytest.raises(UsageError, match="not with `with`"), opening:
            pass
        with pytest.raises(UsageError, match="not awaited") as caught:
            await opening
        assert "async with fw.open_run" in caught.value.hint
        with pytest.raises(AttributeError, match=r"'map': the run has it, once it is entered"):
            opening.map(ask_in_run, [1])
        with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
            _ = opening.nothing
        async with opening as run:  # none of that has spoilt it
            assert [o.value for o in await run.map(ask_in_run, [1]).collect()] == [1]

    run_virtual(main())


@pytest.mark.parametrize("options", [{}, {"mode": "auto"}, {"guardrails": "given"}])
def test_functions_are_looked_at_alike_whatever_the_mode(options: dict[str, Any]) -> None:
    async def main() -> None:
        given = dict(options)
        if "guardrails" in given:
            given["guardrails"] = fw.Guardrails()
        with pytest.raises(UsageError, match="cannot be called as ask_in_run"):
            fw.map(ask_in_run, [1], **given)
        [outcome] = await fw.map(blocking, [1], **given).collect()
        assert "blocking is not asynchronous" in str(outcome.error)
        async with open_test_run(ScriptedModel()) as run:
            with pytest.raises(UsageError, match="cannot be called as ask"):
                run.map(ask, [1], **given)
            [outcome] = await run.map(blocking_in_run, [1], **given).collect()
            assert "blocking_in_run is not asynchronous" in str(outcome.error)

    run_virtual(main())


def test_what_asks_for_a_pack_is_looked_at_too() -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match="several_in_run"):
            fw.map(ask, [1], pack=fw.types.Pack(several_in_run))
        async with open_test_run(ScriptedModel()) as run:
            with pytest.raises(UsageError, match=r"cannot be called as several\(ctx, items\)"):
                run.map(ask_in_run, [1], pack=fw.types.Pack(several))

    run_virtual(main())
