"""The scan: a mailbox in, shipments in the tables, a summary out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fanwise as fw
from fanwise.clock import SystemClock
from fanwise.pipelines.scan.job import RULES_MODEL, ScanJob
from fanwise.pipelines.scan.sources import ConversationSource
from fanwise.pipelines.scan.summary import ScanSummary
from fanwise.pipelines.scan.tables import metadata
from fanwise.pipelines.scan.work import Work
from fanwise.records import NOTHING, Json, Outcome

if TYPE_CHECKING:
    from fanwise.journal.home import Home

NAME = "scan"

OpenRun = Callable[..., AbstractAsyncContextManager["fw.Run"]]
OnOutcome = Callable[[Outcome], "Awaitable[None] | None"]


async def scan(
    source: str | Path | ConversationSource,
    *,
    model: str = RULES_MODEL,
    home: Home | None = None,
    open_run: OpenRun | None = None,
    force: bool = False,
    dry_run: bool = False,
    after: float | str | date | None = None,
    limit: int | None = None,
    parameters: Mapping[str, Json] = NOTHING,
    on_outcome: OnOutcome | None = None,
    **options: Any,
) -> ScanSummary:
    """Finds the shipments that a mailbox speaks of and keeps them in the tables.

    Takes the fields of :class:`ScanJob` and the arguments of :func:`execute` by their names;
    returns and raises what the latter does.
    """
    job = ScanJob(
        source=source,
        model=model,
        force=force,
        dry_run=dry_run,
        after=after,
        limit=limit,
        parameters=parameters,
    )
    return await execute(job, home=home, open_run=open_run, on_outcome=on_outcome, **options)


async def execute(
    job: ScanJob,
    *,
    home: Home | None = None,
    open_run: OpenRun | None = None,
    on_outcome: OnOutcome | None = None,
    **options: Any,
) -> ScanSummary:
    """Carries a scan out.

    Conversations scanned before are left out unless a message has come since. Of each other one a
    model is asked for its shipments, unless nothing in it can be a tracking number; what the answer
    holds against the mail is written, and in the same transaction the conversation is marked as
    scanned. One that fails goes to the dead letters and is tried again by the next scan.

    Args:
        job: What to scan, and how.
        home: Where the tables are; by default ``options["journal"]`` or ``./.fanwise``.
        open_run: Opens the run, called with its name; ``fw.open_run`` by default.
        on_outcome: Is given each conversation's outcome (its value a ``ScanItem``) once it is
            durable; may be asynchronous.
        **options: Further options of ``fw.open_run``, such as ``limits`` or ``resume``.

    Raises:
        InputError: The source cannot be read.
        ConfigError: A wrong model, key or option; nothing was spent.
        JournalUnavailable: Journal or tables cannot be written; what was durable stays so.

    Cancelling it closes calls in flight and keeps what is durable. However it ends, a row of
    ``scan_history`` says so (but for a dry run).
    """
    where = home if home is not None else fw.open_home(options.pop("journal", None))
    opened: OpenRun = fw.open_run if open_run is None else open_run
    settings: dict[str, Any] = dict(options)
    if open_run is None:
        settings["journal"] = where
    if job.dry_run:
        settings |= {"journal": ":memory:", "resume": "never"}
    async with AsyncExitStack() as stack:
        store: fw.Store | None = None
        if not job.dry_run or _has_tables(where):
            store = await stack.enter_async_context(fw.Store(where, NAME, metadata))
        work = Work(job, store=store, clock=options.get("clock") or SystemClock())
        return await work.carry_out(lambda: opened(NAME, **settings), on_outcome)


async def plan(
    source: str | Path | ConversationSource,
    *,
    model: str = RULES_MODEL,
    after: float | str | date | None = None,
    limit: int | None = None,
    parameters: Mapping[str, Json] = NOTHING,
    **options: Any,
) -> fw.types.Plan:
    """What a scan of the whole source would ask for, known conversations included.

    Takes fields of :class:`ScanJob` and the options of ``fw.open_run`` by their names. Returns
    calls, tokens, cost and time; sends and writes nothing.
    """
    job = ScanJob(
        source=source,
        model=model,
        force=True,
        dry_run=True,
        after=after,
        limit=limit,
        parameters=parameters,
    )
    work = Work(job, store=None, clock=SystemClock())
    return await fw.plan(work.conversation, work.wanted(), **options)


def _has_tables(home: Home) -> bool:
    """Whether there can be tables to compare with. A dry run makes none."""
    return "://" in home.location or (Path(home.location) / "store.db").exists()
