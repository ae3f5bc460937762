"""What a type checker knows of values that come back; `basedpyright` reads this file too."""

# pyright: reportUnnecessaryTypeIgnoreComment=true, reportPrivateUsage=false

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, assert_type

import fanwise as fw
from fanwise.testing import ScriptedModel, open_test_run, run_virtual
from fanwise.types import Map, Pack


async def length(text: str) -> int:
    return len(text)


async def asked(ctx: fw.Context, text: str) -> float:
    return float(len(str(await ctx.call("test/model", text))))


async def lengths(items: dict[str, str]) -> dict[str, int]:
    return {name: len(text) for name, text in items.items()}


async def texts() -> AsyncIterator[str]:
    yield "one"
    yield "three"


def test_a_map_knows_what_its_function_returns() -> None:
    async def main() -> None:
        mapped = fw.map(length, ["one", "three"])
        assert_type(mapped, Map[int])
        async with mapped as outcomes:
            async for outcome in outcomes:
                assert_type(outcome, fw.Outcome[int])
                assert_type(outcome.value, int)
        assert_type(await fw.map(length, texts()).collect(), Sequence[fw.Outcome[int]])
        assert_type(fw.map(length, ["a"], mode="auto", pack=Pack(lengths)), Map[int])
        assert_type(fw.batched(length, ("one", "three"), size=2), Map[int])

    run_virtual(main())


def test_a_map_of_a_run_knows_it_too() -> None:
    async def main() -> None:
        async with open_test_run(ScriptedModel()) as run:
            assert_type(run, fw.Run)
            mapped = run.map(asked, ["one", "three"])
            assert_type(mapped, Map[float])
            assert_type([outcome.value async for outcome in await entered(mapped)], list[float])

    async def entered(mapped: Map[float]) -> AsyncIterator[fw.Outcome[float]]:
        outcomes = await mapped.collect()

        async def each() -> AsyncIterator[fw.Outcome[float]]:
            for outcome in outcomes:
                yield outcome

        return each()

    run_virtual(main())


def test_what_fits_nothing_is_seen_before_it_runs() -> None:
    _: list[Map[Any]] = [
        fw.map(length, [1, 2]),  # pyright: ignore[reportArgumentType]
        fw.batched(length, [1, 2]),  # pyright: ignore[reportArgumentType]
    ]

    async def wrong() -> None:
        await fw.map(length, ["one"])  # pyright: ignore[reportGeneralTypeIssues]
        list(fw.map(length, ["one"]))  # pyright: ignore[reportArgumentType]
        with fw.open_run("no"):  # pyright: ignore[reportGeneralTypeIssues]
            pass
        fw.open_run("no").drain()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

    assert callable(wrong)


def test_operations_keep_their_types() -> None:
    async def one() -> int:
        return 1

    async def two() -> str:
        return "2"

    async def main() -> None:
        assert_type(await fw.parallel((one, two)), tuple[int, str])
        assert_type(await fw.parallel({"a": one, "b": one}), dict[str, int])
        assert_type(await fw.parallel([one, one], timeout_s=3), list[int])
        assert_type(await fw.settle({"a": one}), dict[str, fw.Outcome[int]])
        assert_type(await fw.settle([two], limits=fw.Limits(concurrency=1)), list[fw.Outcome[str]])
        assert_type(await fw.race([two, two]), str)

    run_virtual(main())
