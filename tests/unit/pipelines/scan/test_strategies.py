"""Ways of letting conversations out, with what each of them bounds."""

import asyncio

import pytest

import fanwise as fw
from fanwise.pipelines.scan.strategies import ALL_AT_ONCE, Pacing, Turns
from fanwise.testing.virtual import run_virtual


def test_the_limits_decide_unless_a_strategy_is_named() -> None:
    limits = fw.Limits(rpm=60)
    assert Pacing().limited(limits, rpm=None, tpm=None) is limits
    assert Pacing().limited(None, rpm=None, tpm=None) is None


@pytest.mark.parametrize(
    ("strategy", "at_once"),
    [("fixed", 10), ("larger", 20), ("semaphore", 20), ("parallel-batches", ALL_AT_ONCE)],
)
def test_a_strategy_says_how_many_go_at_once_and_never_how_many_a_minute(
    strategy: str, at_once: int
) -> None:
    limits = Pacing(strategy=strategy).limited(None, rpm=500, tpm=200_000)
    assert limits == fw.Limits(concurrency=at_once, rpm=500, tpm=200_000)


def test_only_parallel_batches_come_with_a_warning_that_names_the_risk() -> None:
    for strategy in ("adaptive", "fixed", "larger", "semaphore"):
        assert not Pacing(strategy=strategy).warnings(rpm=None)
    (warning,) = Pacing(strategy="parallel-batches").warnings(rpm=None)
    assert "429" in warning
    assert "memory" in warning


def gone_at(pacing: Pacing, *, items: int, takes_s: float) -> list[float]:
    """When each of some conversations goes, where each takes so long."""

    async def work() -> list[float]:
        turns = Turns(pacing)
        clock = asyncio.get_running_loop()
        at: list[float] = []
        async with asyncio.TaskGroup() as group:

            async def one() -> None:
                await asyncio.sleep(takes_s)
                turns.ended()

            for _ in range(items):
                await turns.wait()
                at.append(round(clock.time(), 3))
                group.create_task(one())
        return at

    return run_virtual(work())


def test_a_batch_waits_for_the_last_one_and_for_the_pause() -> None:
    pacing = Pacing(strategy="fixed", batch_size=2, batch_delay_ms=500)
    assert gone_at(pacing, items=5, takes_s=3.0) == [0.0, 0.0, 3.5, 3.5, 7.0]


def test_no_pause_is_made_where_none_is_wanted() -> None:
    pacing = Pacing(strategy="larger", batch_size=2, batch_delay_ms=0)
    assert gone_at(pacing, items=4, takes_s=3.0) == [0.0, 0.0, 3.0, 3.0]
