"""A run's report, read from its journal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fanwise.journal.memory_home import MemoryHome
from fanwise.progress.report import Report, build_report

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.journal.memory import Journal, JournalReader


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
    return build_report(
        reader.run,
        reader.counters(),
        sessions=reader.sessions(),
        calls=reader.calls(),
        items=reader.items(),
    )
