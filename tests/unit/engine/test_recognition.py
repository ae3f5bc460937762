"""The guard of a resumed run."""

from __future__ import annotations

import asyncio

import pytest

from fanwise.engine.recognition import Recognition, Unrecognised
from fanwise.testing.virtual import run_virtual


def test_a_new_run_holds_nothing_back() -> None:
    run_virtual(Recognition(finished=0).strange(0))


def test_the_same_work_is_let_through() -> None:
    async def main() -> None:
        guard = Recognition(finished=200)
        waiting = asyncio.create_task(guard.strange(150))
        for position in range(100):
            assert not waiting.done()
            guard.known(position)
            await asyncio.sleep(0)
        await waiting

    run_virtual(main())


def test_changed_work_is_stopped_before_anything_is_sent() -> None:
    async def main() -> None:
        guard = Recognition(finished=1000)
        results = await asyncio.gather(
            *(guard.strange(position) for position in range(100)), return_exceptions=True
        )
        assert all(isinstance(error, Unrecognised) for error in results)
        assert "accept-changes" in str(results[0])

    run_virtual(main())


@pytest.mark.parametrize(("changed", "stops"), [(10, False), (11, True)])
def test_nine_in_ten_known_are_enough(changed: int, stops: bool) -> None:
    async def main() -> list[BaseException | None]:
        guard = Recognition(finished=100)
        waiting = [asyncio.create_task(guard.strange(position)) for position in range(changed)]
        await asyncio.sleep(0)
        for position in range(changed, 100):
            guard.known(position)
        return await asyncio.gather(*waiting, return_exceptions=True)

    results = run_virtual(main())
    assert all(isinstance(error, Unrecognised) for error in results) is stops


def test_a_source_shorter_than_the_sample_is_judged_at_its_end() -> None:
    async def main() -> None:
        guard = Recognition(finished=50)
        waiting = asyncio.create_task(guard.strange(3))
        for position in (0, 1, 2):
            guard.known(position)
        await asyncio.sleep(0)
        assert not waiting.done()
        guard.source_ended(4)
        with pytest.raises(Unrecognised, match="knows 3"):
            await waiting

    run_virtual(main())


def test_accepted_changes_go_out_at_once() -> None:
    run_virtual(Recognition(finished=1000, accept_changes=True).strange(0))
