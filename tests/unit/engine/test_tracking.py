"""The tracker: it measures what runs, and changes nothing of it."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

import fanwise as fw
from fanwise.errors import ConfigError, StateError, UsageError
from fanwise.testing.virtual import run_virtual


async def work(took_s: float, value: Any = None) -> Any:
    await asyncio.sleep(took_s)
    return value


async def fail(took_s: float) -> None:
    await asyncio.sleep(took_s)
    raise ValueError("no such resume")


def test_functions_awaitables_and_blocks_are_measured() -> None:
    async def main() -> None:
        async with fw.track("tailoring") as t:
            assert await t("function", work, 2, value="a") == "a"
            assert await t("coroutine", work(3, "b")) == "b"
            assert await t.track("task", asyncio.create_task(work(4, "c"))) == "c"
            assert await t("plain", len, "four") == 4
            with t.span("block"):
                await asyncio.sleep(5)
        report = t.report
        took = {operation.name: operation.total_s for operation in report.operations}
        assert took == {"function": 2, "coroutine": 3, "task": 4, "plain": 0, "block": 5}
        assert (report.total_s, report.sequential_s, report.critical_path_s) == (14, 14, 14)

    run_virtual(main())


def test_parallel_operations_are_measured_by_their_names() -> None:
    async def main() -> None:
        async with fw.track("x") as t:
            await fw.parallel({"a": lambda: work(2), "b": lambda: work(3)}, tracker=t)
        assert {o.name: o.total_s for o in t.report.operations} == {"a": 2, "b": 3}
        assert (t.report.total_s, t.report.sequential_s, t.report.peak) == (3, 5, 2)

    run_virtual(main())


def test_operations_nest_across_tasks() -> None:
    async def main() -> None:
        async with fw.track("nested") as t:

            async def outer() -> None:
                await asyncio.gather(t("a", work, 3), t("b", work, 5))

            await t("outer", outer)
            await t("after", work, 1)
        by_name = {span.name: span for span in t.report.spans}
        assert by_name["a"].parent == by_name["b"].parent == by_name["outer"].number
        assert by_name["after"].parent is None
        assert t.report.sequential_s == 9
        assert t.report.total_s == 6

    run_virtual(main())


def test_two_trackers_do_not_adopt_each_others_spans() -> None:
    async def main() -> None:
        async with fw.track("one") as one, fw.track("two") as two:
            with one.span("a"), two.span("b"), one.span("c"):
                await asyncio.sleep(1)
        assert [(s.name, s.parent) for s in one.report.spans] == [("a", None), ("c", 0)]
        assert [(s.name, s.parent) for s in two.report.spans] == [("b", None)]

    run_virtual(main())


def test_errors_pass_through_and_are_recorded() -> None:
    async def main() -> None:
        async with fw.track("x") as t:
            with pytest.raises(ValueError, match="no such resume") as caught:
                await t("score", fail, 2)
            assert not getattr(caught.value, "__notes__", [])
        (operation,) = t.report.operations
        assert (operation.failed, operation.error) == (1, "ValueError: no such resume")
        assert t.report.sequential_s == 0

    run_virtual(main())


def test_cancellation_gets_through_and_is_recorded() -> None:
    async def main() -> None:
        async with fw.track("x") as t:
            task = asyncio.create_task(t("slow", work, 60))
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        (span,) = t.report.spans
        assert (span.state, span.took_s, span.error) == ("cancelled", 1, "")

    run_virtual(main())


def test_what_still_runs_is_said_to_be_running() -> None:
    async def main() -> None:
        async with fw.track("x") as t:
            task = asyncio.create_task(t("slow", work, 60))
            await asyncio.sleep(2)
            assert [(s.state, s.took_s) for s in t.report.spans] == [("running", 2)]
        await task
        assert [(s.state, s.end_s) for s in t.report.spans] == [("running", 2)]
        assert t.report.total_s == 2

    run_virtual(main())


def test_nothing_is_measured_outside_the_block_and_no_coroutine_is_left_unawaited() -> None:
    async def main() -> None:
        t = fw.track("x")
        with pytest.raises(StateError, match="not entered yet"):
            await t("early", work(1))
        async with t:
            with pytest.raises(UsageError, match="neither a function nor awaitable"):
                await t("odd", 3)  # type: ignore[call-overload]
            with pytest.raises(UsageError, match="called already"):
                await t("odd", work(1), 2)  # type: ignore[call-overload]
        with pytest.raises(StateError, match="left already"):
            await t("late", work(1))
        with pytest.raises(StateError, match="entered once"):
            await t.__aenter__()
        assert not t.report.spans

    run_virtual(main())
    gc.collect()


def test_a_bound_on_spans_is_kept_and_told() -> None:
    async def main() -> None:
        async with fw.track("x", max_spans=3) as t:
            for _ in range(5):
                await t("a", work, 1)
        assert len(t.report.spans) == 3
        assert t.report.unrecorded == 2
        assert "2 operations beyond max_spans" in str(t.report)

    run_virtual(main())
    with pytest.raises(ConfigError, match="max_spans is 0"):
        fw.track("x", max_spans=0)


def test_synchronous_code_and_threads_are_measured_too() -> None:
    now = iter(range(100))
    with fw.track("sync", now=lambda: float(next(now))) as t:
        with t.span("parse"):
            pass
        thread = threading.Thread(target=lambda: t.span("other").__enter__())
        thread.start()
        thread.join()
    assert [(s.name, s.begin_s, s.end_s) for s in t.report.spans] == [
        ("parse", 1, 2),
        ("other", 3, 4),
    ]


def test_what_is_tracked_says_so_when_printed() -> None:
    async def main() -> None:
        t = fw.track("x")
        assert "not entered" in repr(t)
        async with t:
            assert "open" in repr(t)
        assert "left, 0 operations" in repr(t)

    run_virtual(main())
