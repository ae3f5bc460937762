"""A run's report, read from its journal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fanwise.engine.pools import LEARNED
from fanwise.journal.memory_home import MemoryHome
from fanwise.limits.budget import Amount, Budget, Purse
from fanwise.progress.monitor import CLEARED, RAISED
from fanwise.progress.report import Report, build_report
from fanwise.records import BudgetUse, Event

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.journal.memory import Journal, JournalReader


_MOST_ALERTS = 1000


async def report_of(home: Home | MemoryHome, journal: Journal) -> Report:
    """The report of an open run as of its last durable commit; read in a thread."""
    run_id = journal.run.run_id
    if isinstance(home, MemoryHome):
        return read_report(home, run_id)
    return await asyncio.to_thread(read_report, home, run_id)


def read_report(home: Home | MemoryHome, run_id: str) -> Report:
    """The report of any run, live or ended.

    Args:
        home: Where the run's journal is.
        run_id: The run's id.

    Raises:
        JournalError: It cannot be read.
    """
    reader = home.reader(run_id)
    try:
        return report_from(reader)
    finally:
        reader.close()


def report_from(reader: JournalReader) -> Report:
    """The report of what a reader sees."""
    report = build_report(
        reader.run,
        reader.counters(),
        sessions=reader.sessions(),
        calls=reader.calls(),
        items=reader.items(),
    )
    controls = list(reader.controls())
    learned = [event.data for event in controls if event.kind == LEARNED][-1:]
    report = replace(report, learned=learned[0]) if learned else report
    report = replace(report, alerts=_alerts(controls))
    set_last = [event.data for event in controls if event.kind == "budget.set"][-1:]
    return replace(report, budgets=budget_use(set_last[0], report)) if set_last else report


def _alerts(controls: Sequence[Event]) -> Sequence[Mapping[str, Any]]:
    """The alerts of a run in their order, at most 1000."""
    words = {RAISED: "raised", CLEARED: "cleared"}
    found = [event for event in controls if event.kind in words]
    return [{"kind": words[e.kind], "at": e.at, **e.data} for e in found[:_MOST_ALERTS]]


def budget_use(stored: Mapping[str, Any], report: Report) -> Sequence[BudgetUse]:
    """How much of a run's last budget it has used."""
    counters = report.counters
    spent = Amount(
        usd=counters.cost_usd,
        tokens=counters.input_tokens + counters.output_tokens,
        calls=counters.sent_calls,
    )
    return Purse(budget=Budget(**stored), spent=spent).use(worked_s=report.wall_s)
