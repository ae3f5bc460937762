"""The way into an event loop from code that is not asynchronous."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import fanwise as fw
from fanwise.errors import UsageError

COLOUR = contextvars.ContextVar("colour", default="none")


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def test_a_script_gets_the_value_or_the_error_as_it_stands() -> None:
    async def fail() -> None:
        raise ValueError("no")

    assert fw.run_sync(double, 4) == 8
    assert fw.run_sync(double(5)) == 10
    with pytest.raises(ValueError, match="no"):
        fw.run_sync(fail)


def test_what_is_not_asynchronous_is_refused() -> None:
    with pytest.raises(UsageError, match="not asynchronous"):
        fw.run_sync(lambda: 7)  # type: ignore[arg-type, return-value]
    with pytest.raises(UsageError, match="arguments were given too"):
        fw.run_sync(double(1), 2)
    with pytest.raises(UsageError, match="main is a int"):
        fw.run_sync(7)  # type: ignore[arg-type]


async def leaves_a_task(ended: list[str]) -> str:
    async def linger() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(threading.current_thread().name)

    task = asyncio.get_running_loop().create_task(linger())
    await asyncio.sleep(0)
    assert not task.done()
    return COLOUR.get()


def test_no_task_outlives_it_and_context_variables_are_seen() -> None:
    ended: list[str] = []
    token = COLOUR.set("blue")
    try:
        assert fw.run_sync(leaves_a_task, ended) == "blue"
    finally:
        COLOUR.reset(token)
    assert ended == [threading.current_thread().name]


def test_under_a_running_loop_it_has_a_thread_and_a_loop_of_its_own() -> None:
    async def notebook() -> None:
        ended: list[str] = []
        here = asyncio.get_running_loop()
        COLOUR.set("green")

        async def elsewhere() -> bool:
            return asyncio.get_running_loop() is not here

        assert fw.run_sync(elsewhere)
        assert fw.run_sync(double, 3) == 6
        assert fw.run_sync(leaves_a_task, ended) == "green"
        assert ended == ["fanwise-run-sync"]
        with pytest.raises(LookupError):
            fw.run_sync(fails)
        assert not [t for t in threading.enumerate() if t.name == "fanwise-run-sync"]

    async def fails() -> None:
        raise LookupError

    asyncio.run(notebook())


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C as Python has it on a terminal, also where the suite was started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("notebook", [False, True])
@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_cancels_and_waits_and_a_second_one_stops(notebook: bool, presses: int) -> None:
    seen: list[str] = []

    def press() -> None:
        threading.Thread(
            target=signal.pthread_kill, args=(threading.main_thread().ident, signal.SIGINT)
        ).start()

    async def main() -> Any:
        press()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            seen.append("cancelled")
            if presses == 2:
                try:
                    press()
                    await asyncio.sleep(3600)
                finally:
                    seen.append("stopped")
            else:
                await asyncio.sleep(0.01)
                seen.append("in order")
            raise

    async def under_a_loop() -> None:
        fw.run_sync(main)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        if notebook:
            # A loop that leaves Ctrl-C alone, as a notebook's does.
            loop = asyncio.new_event_loop()
            try:
                loop.run_until_complete(under_a_loop())
            finally:
                loop.close()
        else:
            fw.run_sync(main)
    assert seen == ["cancelled", "in order" if presses == 1 else "stopped"]
    assert signal.getsignal(signal.SIGINT) is before
    assert not [t for t in threading.enumerate() if t.name == "fanwise-run-sync"]


def test_in_another_thread_signals_are_left_alone() -> None:
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.append(fw.run_sync(double, 8)))
    thread.start()
    thread.join()
    assert got == [16]
