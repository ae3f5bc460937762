"""A run on a real journal that is cancelled while it is opened or closed leaves nothing behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import fanwise as fw
from fanwise.engine.opening import OpenRun
from fanwise.journal.sql import SqlJournal
from fanwise.testing import ScriptedModel


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Path]:
    before = set(threading.enumerate())
    yield tmp_path
    left = [thread for thread in threading.enumerate() if thread not in before]
    assert [thread.name for thread in left if not thread.name.startswith("asyncio")] == []


def alone() -> bool:
    return asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("presses", [1, 2])
async def test_a_run_that_is_cancelled_while_it_is_opened_can_be_opened_again(
    presses: int, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()
    original = OpenRun._journal

    def slow(self, home):
        found = original(self, home)
        begun.set()
        go.wait(10)
        return found

    def opening():
        return fw.open_run("x", journal=journal, models={"test/model": ScriptedModel()})

    async def open_it() -> None:
        async with opening():
            raise AssertionError("it was cancelled before")

    monkeypatch.setattr(OpenRun, "_journal", slow)
    task = asyncio.create_task(open_it())
    await asyncio.to_thread(begun.wait, 10)
    for _ in range(presses):
        task.cancel()
        await asyncio.sleep(0)
    go.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert alone()
    monkeypatch.setattr(OpenRun, "_journal", original)
    async with opening() as run:
        assert [known.run_id for known in fw.open_home(journal).runs()] == [run.run_id]


async def test_a_run_that_is_cancelled_while_it_is_closed_is_closed(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing = asyncio.Event()
    original = SqlJournal._close

    async def slow(self, status):
        closing.set()
        await asyncio.sleep(0.02)
        await original(self, status)

    def opening(**options):
        return fw.open_run("x", journal=journal, models={"test/model": ScriptedModel()}, **options)

    async def open_it() -> None:
        async with opening(run_id="r"):
            pass

    monkeypatch.setattr(SqlJournal, "_close", slow)
    task = asyncio.create_task(open_it())
    await closing.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert alone()
    async with opening(resume="r") as run:
        assert run.run_id == "r"
