"""Reports: made once for all who ask, and not too often while a run goes on."""

from __future__ import annotations

import asyncio

from fanwise.clock import LoopClock
from fanwise.service.reports import Reports
from fanwise.testing.virtual import run_virtual


class Runs:
    """Runs whose report takes a second."""

    def __init__(self):
        self.version = 1.0
        self.live = False
        self.made = 0

    async def make(self, run_id):
        await asyncio.sleep(1.0)
        self.made += 1
        return f"{run_id} {self.made}"

    async def look(self, _):
        return self.version, self.live

    def reports(self):
        return Reports(self.make, look=self.look, clock=LoopClock())


def test_all_who_ask_at_once_get_one_report():
    async def scenario():
        runs = Runs()
        reports = runs.reports()
        found = await asyncio.gather(*(reports.of("a") for _ in range(20)))
        assert set(found) == {"a 1"}

    run_virtual(scenario())


def test_a_report_of_what_has_ended_is_made_anew_once_something_was_written():
    async def scenario():
        runs = Runs()
        reports = runs.reports()
        assert await reports.of("a") == "a 1"
        await asyncio.sleep(1000)
        assert await reports.of("a") == "a 1"
        runs.version = 2.0
        assert await reports.of("a") == "a 2"

    run_virtual(scenario())


def test_of_a_run_under_way_looking_on_takes_a_tenth_of_a_processor_at_most():
    async def scenario():
        runs = Runs()
        runs.live = True
        reports = runs.reports()
        for _ in range(100):
            runs.version += 1
            await reports.of("a")
            await asyncio.sleep(1.0)
        assert 8 <= runs.made <= 11
        runs.live = False
        await reports.of("a")
        assert runs.made > 9

    run_virtual(scenario())


def test_only_the_newest_reports_are_kept():
    async def scenario():
        runs = Runs()
        reports = runs.reports()
        for number in range(9):
            await reports.of(f"r{number}")
        await reports.of("r8")
        assert runs.made == 9
        await reports.of("r0")
        assert runs.made == 10

    run_virtual(scenario())
