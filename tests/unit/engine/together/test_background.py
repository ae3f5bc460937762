"""Work that nobody waits for: bounded, drained, and never unseen."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any

import pytest

import fanwise as fw
from fanwise.clock import LoopClock
from fanwise.errors import ConfigError, OperationCancelled, QueueFull, StateError, UsageError
from fanwise.journal.memory_home import MemoryHome
from fanwise.testing.virtual import run_virtual


def now() -> float:
    return asyncio.get_running_loop().time()


def alone() -> bool:
    task = asyncio.current_task()
    return asyncio.all_tasks() == {task} and task is not None and task.cancelling() == 0


class Work:
    """Notes when each piece of it began and ended."""

    def __init__(self) -> None:
        self.begun: list[tuple[Any, float]] = []
        self.ended: list[tuple[Any, float]] = []

    async def __call__(self, name: Any, *, takes_s: float = 1.0) -> None:
        self.begun.append((name, now()))
        await asyncio.sleep(takes_s)
        self.ended.append((name, now()))


async def fail(error: BaseException) -> None:
    await asyncio.sleep(1)
    raise error


def test_start_returns_at_once_and_leaving_waits_for_the_work() -> None:
    async def main() -> None:
        work = Work()
        async with fw.Background(max_running=2) as background:
            for number in range(5):
                background.start(work, number, takes_s=2)
            assert now() == 0
            await asyncio.sleep(1)
            assert background.statistics().running == 2
            assert background.statistics().pending == 3
            assert "2 running, 3 pending" in repr(background)
        assert work.ended == [(0, 2), (1, 2), (2, 4), (3, 4), (4, 6)]
        assert background.statistics().succeeded == background.statistics().accepted == 5
        assert not background.abandoned
        assert alone()

    run_virtual(main())


def test_a_full_queue_refuses_or_is_waited_for_in_turn() -> None:
    async def main() -> None:
        work = Work()
        async with fw.Background(max_running=1, max_pending=2) as background:
            for number in range(3):
                background.start(work, number)
            with pytest.raises(QueueFull, match=r"2 pieces .*put"):
                background.start(work, 99)
            waiting = [asyncio.create_task(background.put(work, n)) for n in (3, 4, 5)]
            await asyncio.sleep(0.5)
            waiting[1].cancel()
            await asyncio.sleep(0.6)
            assert [task.done() for task in waiting] == [True, True, False]
            with pytest.raises(QueueFull):
                background.start(work, 98)
            await asyncio.gather(*waiting, return_exceptions=True)
        assert [name for name, _ in work.ended] == [0, 1, 2, 3, 5]
        assert background.statistics().refused == 2
        assert alone()

    run_virtual(main())


def test_a_place_given_to_somebody_who_was_cancelled_goes_to_the_next() -> None:
    async def main() -> None:
        work = Work()
        loop = asyncio.get_running_loop()
        async with fw.Background(max_running=1, max_pending=1) as background:

            async def end() -> None:
                await asyncio.sleep(1)
                # One turn to give the place away, and the next owner is cancelled before it wakes.
                loop.call_soon(loop.call_soon, first.cancel)

            background.start(end)
            background.start(work, "pending")
            first = asyncio.create_task(background.put(work, "first"))
            second = asyncio.create_task(background.put(work, "second"))
            await second
            assert first.cancelled()
            assert now() == 1
        assert [name for name, _ in work.ended] == ["pending", "second"]

    run_virtual(main())


def test_failures_are_kept_told_and_logged_by_name(caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[str, str]] = []

    def on_error(name: str, error: Exception) -> None:
        told.append((name, str(error)))
        raise RuntimeError("of the hook itself")

    async def cancels_itself() -> None:
        raise asyncio.CancelledError

    async def main() -> None:
        async with fw.Background(on_error=on_error) as background:
            background.start(fail, ValueError("no disk"), name="write-log")
            background.start(cancels_itself)
            background.start(lambda: 7)  # type: ignore[arg-type, return-value]
        first, second, third = sorted(background.failures, key=lambda one: one.item_id)
        assert first.item_id == "<lambda>"
        assert isinstance(first.error, UsageError)
        assert isinstance(second.error, OperationCancelled)
        assert (third.item_id, third.service_s, third.queued_s) == ("write-log", 1, 0)
        assert background.statistics().failed == 3
        assert ("write-log", "no disk") in told

    with caplog.at_level(logging.WARNING, logger="fanwise.background"):
        run_virtual(main())
    assert "background work 'write-log' failed" in caplog.text
    assert "on_error failed" in caplog.text


def test_only_so_many_failures_are_kept_and_all_are_counted() -> None:
    async def main() -> None:
        async with fw.Background(max_running=1000) as background:
            for number in range(250):
                background.start(fail, ValueError(number), name=str(number))
        assert len(background.failures) == 100
        assert background.statistics().failed == 250

    run_virtual(main())


def test_what_is_not_done_in_time_is_cancelled_and_named(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        work = Work()
        async with fw.Background(max_running=2, drain_s=5) as background:
            background.start(work, "short", takes_s=1, name=None)
            for name in ("long", "longer"):
                background.start(work, name, takes_s=60)
            background.start(work, "never begun", takes_s=60)
        assert now() == 5
        assert [name for name, _ in work.ended] == ["short"]
        assert background.abandoned == ("Work", "Work", "Work")
        assert background.statistics().abandoned == 3
        assert alone()

    with caplog.at_level(logging.WARNING, logger="fanwise.background"):
        run_virtual(main())
    assert "3 pieces of background work were abandoned: Work, Work, Work" in caplog.text


def test_an_error_in_the_block_loses_nothing_that_was_accepted() -> None:
    async def main() -> None:
        work = Work()
        with pytest.raises(ValueError, match="of the block"):
            async with fw.Background() as background:
                background.start(work, 1, takes_s=20)
                raise ValueError("of the block")
        assert work.ended == [(1, 20)]
        assert alone()

    run_virtual(main())


def test_cancellation_gets_through_after_a_short_drain() -> None:
    work = Work()

    async def block() -> None:
        async with fw.Background() as background:
            background.start(work, "short", takes_s=2.5)
            background.start(work, "long", takes_s=50)
            await asyncio.sleep(100)

    async def main() -> None:
        task = asyncio.create_task(block())
        await asyncio.sleep(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert now() == 3
        assert work.ended == [("short", 2.5)]
        assert alone()

    run_virtual(main())


def test_cancellation_during_a_drain_ends_it_at_once() -> None:
    async def block() -> None:
        async with fw.Background(drain_s=math.inf) as background:
            background.start(Work(), 1, takes_s=1000)

    async def main() -> None:
        task = asyncio.create_task(block())
        await asyncio.sleep(7)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert now() == 7
        assert alone()

    run_virtual(main())


def test_misuse_is_refused() -> None:
    async def main() -> None:
        for options in ({"max_pending": 0}, {"max_running": 0}, {"drain_s": -1}):
            with pytest.raises(ConfigError):
                fw.Background(**options)
        background = fw.Background()
        with pytest.raises(StateError, match="not entered"):
            background.start(Work(), 1)
        async with background:
            with pytest.raises(UsageError, match="is a coroutine, not a function"):
                background.start(Work()(1))  # type: ignore[arg-type]
            background.start(Work(), 1)
            late = asyncio.create_task(put_late(background))
        await late
        with pytest.raises(StateError):
            background.start(Work(), 1)
        with pytest.raises(StateError, match="entered once"):
            async with background:
                pass

    async def put_late(background: fw.Background) -> None:
        await asyncio.sleep(0.5)
        with pytest.raises(StateError, match="being left"):
            await background.put(Work(), 2)

    run_virtual(main())


def test_those_who_wait_for_room_are_told_when_the_block_is_left() -> None:
    async def main() -> None:
        work = Work()
        async with fw.Background(max_running=1, max_pending=1) as background:
            background.start(work, 1)
            background.start(work, 2)
            waiting = asyncio.create_task(background.put(work, 3))
            await asyncio.sleep(0.1)
        with pytest.raises(StateError, match="being left"):
            await waiting
        assert [name for name, _ in work.ended] == [1, 2]

    run_virtual(main())


# with a run


def calls_of(home: MemoryHome) -> dict[str, str]:
    return {call.label: call.state for call in home.reader("r").calls()}


def open_run(home: MemoryHome, **options: Any) -> Any:
    return fw.open_run("r", journal=home, clock=LoopClock(), **options)


def test_an_intent_is_durable_when_put_returns_and_the_end_follows() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock(), commit_delay_s=lambda: 0.25)
        async with open_run(home, run_id="r") as run:
            async with fw.Background(run=run) as background:
                await background.put(Work(), 1, takes_s=10, name="mail")
                assert calls_of(home) == {"mail": "sending"}
                background.start(fail, ValueError("no"), name="log")
                await asyncio.sleep(3)
                assert calls_of(home) == {"mail": "sending", "log": "failed"}
            assert calls_of(home) == {"mail": "served", "log": "failed"}
        (failed,) = home.reader("r").calls(state="failed")
        assert failed.error is not None
        assert failed.error.message == "ValueError: no"

    run_virtual(main())


def test_what_a_crash_interrupted_is_seen_in_the_next_session() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock(), commit_delay_s=lambda: 0.01)
        async with (
            open_run(home, run_id="r") as run,
            fw.Background(run=run, max_running=1) as background,
        ):
            await background.put(Work(), 1, takes_s=1, name="done")
            await background.put(Work(), 2, takes_s=10, name="under way")
            await background.put(Work(), 2, takes_s=10, name="not begun")
            await asyncio.sleep(2)
            after = run._core.journal.crash()
            found = {call.label: call.state for call in after.reader().calls()}
        assert found == {"done": "served", "under way": "ambiguous", "not begun": "ambiguous"}

    run_virtual(main())


def test_what_was_abandoned_is_settled_in_the_journal() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock(), commit_delay_s=lambda: 0.25)
        async with (
            open_run(home, run_id="r") as run,
            fw.Background(run=run, max_running=1, drain_s=3) as background,
        ):
            await background.put(Work(), 1, takes_s=90, name="under way")
            await background.put(Work(), 2, name="not begun")
            background.start(Work(), 3, name="never intended")
        assert calls_of(home) == {"under way": "ambiguous", "not begun": "cancelled"}
        events = [event for event in home.reader("r").events() if "background" in event.kind]
        assert [event.data["names"] for event in events] == [
            ["not begun", "never intended", "under way"]
        ]
        assert alone()

    run_virtual(main())


def test_a_put_that_is_cancelled_while_it_writes_its_intent_leaves_no_open_call() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock(), commit_delay_s=lambda: 0.25)
        work = Work()
        async with open_run(home, run_id="r") as run, fw.Background(run=run) as background:
            task = asyncio.create_task(background.put(work, 1, name="mail"))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert calls_of(home) == {"mail": "cancelled"}
        assert not work.begun

    run_virtual(main())


def test_equal_names_are_different_work() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock())
        async with open_run(home, run_id="r") as run, fw.Background(run=run) as background:
            for _ in range(3):
                await background.put(Work(), 1, name="mail")
        assert len(list(home.reader("r").calls(state="served"))) == 3

    run_virtual(main())
