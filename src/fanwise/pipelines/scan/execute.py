"""The scan: a mailbox in, shipments in the tables, a summary out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fanwise as fw
from fanwise.clock import SystemClock
from fanwise.pipelines.scan.job import ScanJob
from fanwise.pipelines.scan.opening import source_of
from fanwise.pipelines.scan.sources import ConversationSource
from fanwise.pipelines.scan.summary import ScanSummary
from fanwise.pipelines.scan.tables import metadata
from fanwise.pipelines.scan.telling import Teller
from fanwise.pipelines.scan.work import Work
from fanwise.records import Outcome

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.pipelines import OnEvent

NAME = "scan"

OpenRun = Callable[..., AbstractAsyncContextManager["fw.Run"]]
OnOutcome = Callable[[Outcome], "Awaitable[None] | None"]


async def scan(
    source: str | Path | ConversationSource | None = None,
    *,
    home: Home | None = None,
    open_run: OpenRun | None = None,
    on_outcome: OnOutcome | None = None,
    on_event: OnEvent | None = None,
    **fields_and_options: Any,
) -> ScanSummary:
    """Finds the shipments that a mailbox speaks of and keeps them in the tables.

    Takes the fields of :class:`ScanJob` (``model``, ``force``, ``dry_run``, ``after``, ``limit``,
    ``front``, ``strategy`` …) and the arguments of :func:`execute` by their names; returns and
    raises what the latter does.
    """
    job, options = _parted(source, fields_and_options)
    return await execute(
        job, home=home, open_run=open_run, on_outcome=on_outcome, on_event=on_event, **options
    )


async def execute(
    job: ScanJob,
    *,
    home: Home | None = None,
    open_run: OpenRun | None = None,
    on_outcome: OnOutcome | None = None,
    on_event: OnEvent | None = None,
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
        on_event: Is told of each conversation's result or error once it is durable, and of the end;
            may be asynchronous.
        **options: Further options of ``fw.open_run``, such as ``limits``, ``resume``, or ``env``,
            which holds the mail server's token or password too.

    Raises:
        InputError: The source cannot be read.
        ConfigError: A wrong model, key, token or option; nothing was spent.
        CallError: A mail API refused to list further conversations; what was read is kept.
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
    settings |= _provider_limits(job, settings)
    source = source_of(job, env=options.get("env"))
    async with AsyncExitStack() as stack:
        store: fw.Store | None = None
        if not job.dry_run or _has_tables(where):
            store = await stack.enter_async_context(fw.Store(where, NAME, metadata))
        work = Work(
            job,
            source=source,
            store=store,
            clock=options.get("clock") or SystemClock(),
            teller=Teller(on_event),
        )
        return await work.carry_out(lambda: opened(NAME, **settings), on_outcome)


async def plan(
    source: str | Path | ConversationSource | None = None, **fields_and_options: Any
) -> fw.types.Plan:
    """What a scan of the whole source would ask for, known conversations included.

    Takes fields of :class:`ScanJob` and the options of ``fw.open_run`` by their names. Returns
    calls, tokens, cost and time; sends nothing to a model and writes nothing. A mail server or API
    is read as a scan would read it.
    """
    job, options = _parted(source, fields_and_options)
    return await plan_of(job, **options)


async def plan_of(job: ScanJob, **options: Any) -> fw.types.Plan:
    """What carrying out a job would ask for; see :func:`plan`."""
    settings = options | _provider_limits(job, options)
    whole = replace(
        job, force=True, dry_run=True, strategy="adaptive", batch_size=None, batch_delay_ms=None
    )
    source = source_of(whole, env=options.get("env"))
    work = Work(whole, source=source, store=None, clock=SystemClock())
    try:
        return await fw.plan(work.conversation, work.wanted(), **settings)
    finally:
        await work.aclose()


def _parted(source: Any, given: Mapping[str, Any]) -> tuple[ScanJob, dict[str, Any]]:
    """A job, and what is left for the run."""
    known = {one.name for one in fields(ScanJob)}
    job = ScanJob(source=source, **{name: given[name] for name in given if name in known})
    return job, {name: value for name, value in given.items() if name not in known}


def _provider_limits(job: ScanJob, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the run that the job's strategy and its provider's figures decide."""
    found: dict[str, Any] = {}
    before = settings.get("limits")
    limits = job.pacing.limited(before, rpm=job.rpm, tpm=job.tpm)
    if limits is not before:
        found["limits"] = limits
    if job.tpd is not None and settings.get("budget") is None:
        found["budget"] = fw.Budget(tokens=job.tpd)
    return found


def _has_tables(home: Home) -> bool:
    """Whether there can be tables to compare with. A dry run makes none."""
    return "://" in home.location or (Path(home.location) / "store.db").exists()
