"""The guard of a resumed run."""

from __future__ import annotations

import asyncio

import pytest

from fanwise.engine.recognition import Recognition, Unrecognised
from fanwise.errors import StateError
from fanwise.testing.virtual import run_virtual


def ids(count: int) -> list[str]:
    return [f"item-{number}" for number in range(count)]


async def verdicts(waiting: list[asyncio.Task[None]]) -> list[BaseException | None]:
    return await asyncio.gather(*waiting, return_exceptions=True)


def test_a_new_run_holds_nothing_back() -> None:
    run_virtual(Recognition().strange("a"))


def test_the_same_work_is_let_through_once_nine_in_ten_are_known() -> None:
    async def main() -> None:
        guard = Recognition(finished=ids(100))
        waiting = asyncio.create_task(guard.strange("new"))
        for name in ids(90):
            await asyncio.sleep(0)
            assert not waiting.done()
            guard.known(name)
        await waiting

    run_virtual(main())


def test_finished_items_need_not_be_the_first_of_the_source() -> None:
    async def main() -> None:
        finished = [f"item-{n}" for n in (*range(15), *range(45, 52))]
        guard = Recognition(finished=finished)
        waiting = [asyncio.create_task(guard.strange(f"item-{n}")) for n in range(15, 45)]
        await asyncio.sleep(0)
        guard.met(ids(60))
        for name in finished:
            guard.known(name)
        assert await verdicts(waiting) == [None] * 30

    run_virtual(main())


def test_changed_work_is_stopped_before_anything_is_sent() -> None:
    async def main() -> None:
        guard = Recognition(finished=ids(100))
        results = await verdicts([asyncio.create_task(guard.strange(name)) for name in ids(100)])
        assert all(isinstance(error, Unrecognised) for error in results)
        assert "accept-changes" in str(results[0])

    run_virtual(main())


@pytest.mark.parametrize(("changed", "stops"), [(10, False), (11, True)])
def test_nine_in_ten_known_are_enough(changed: int, stops: bool) -> None:
    async def main() -> list[BaseException | None]:
        guard = Recognition(finished=ids(100))
        waiting = [asyncio.create_task(guard.strange(name)) for name in ids(changed)]
        await asyncio.sleep(0)
        for name in ids(100)[changed:]:
            guard.known(name)
        return await verdicts(waiting)

    results = run_virtual(main())
    assert all(isinstance(error, Unrecognised) for error in results) is stops


def test_items_that_are_all_others_are_stopped_when_patience_ends() -> None:
    async def main() -> None:
        guard = Recognition(finished=ids(100), patience=70)
        waiting = [asyncio.create_task(guard.strange(f"other-{n}")) for n in range(70)]
        await asyncio.sleep(0)
        assert guard.open
        with pytest.raises(Unrecognised, match="0 were recognised"):
            await guard.strange("other-70")
        assert all(isinstance(error, Unrecognised) for error in await verdicts(waiting))

    run_virtual(main())


def test_a_source_without_the_watched_items_is_judged_at_its_end() -> None:
    async def main() -> None:
        guard = Recognition(finished=ids(10))
        waiting = asyncio.create_task(guard.strange("new"))
        guard.met(["item-0", "item-1", "new"])
        guard.known("item-0")
        await asyncio.sleep(0)
        assert not waiting.done()
        guard.source_ended()
        with pytest.raises(Unrecognised, match="1 were recognised"):
            await waiting

    run_virtual(main())


def test_a_watched_item_that_ends_otherwise_is_strange() -> None:
    async def main() -> None:
        guard = Recognition(finished=ids(2))
        waiting = asyncio.create_task(guard.strange("new"))
        guard.met([*ids(2), "new"])
        guard.known("item-0")
        guard.ended("item-1")
        with pytest.raises(Unrecognised):
            await waiting

    run_virtual(main())


def test_accepted_changes_go_out_at_once() -> None:
    run_virtual(Recognition(finished=ids(100), accept_changes=True).strange("item-3"))


def test_a_drained_run_holds_nobody_back_any_more() -> None:
    async def main() -> None:
        guard = Recognition(finished=["a", "b"])
        held = asyncio.ensure_future(guard.strange("unknown"))
        await asyncio.sleep(1)
        error = StateError("drained")
        guard.refuse_all(error)
        for waiting in (held, guard.strange("later")):
            with pytest.raises(StateError, match="drained"):
                await waiting

    run_virtual(main())
