"""The scan: a mailbox in, shipments in the tables, a summary out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fanwise as fw
from fanwise.clock import Clock, SystemClock
from fanwise.errors import ConfigError
from fanwise.pipelines.scan import reading
from fanwise.pipelines.scan.records import Reading
from fanwise.pipelines.scan.sources import ConversationSource, Listed, as_source
from fanwise.pipelines.scan.summary import ScanSummary, Tally
from fanwise.pipelines.scan.tables import (
    Changes,
    Visit,
    bury,
    compare,
    metadata,
    record,
    scan_history,
    scanned,
)
from fanwise.records import NOTHING, Json, Outcome

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fanwise.journal.home import Home

NAME = "scan"
RULES_MODEL = "builtin/rules"

OpenRun = Callable[..., AbstractAsyncContextManager["fw.Run"]]

_LAST_WORDS_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanItem:
    """What one conversation came to: the value of an item's outcome.

    Args:
        conversation: Its id.
        subject: Its subject, at most 120 characters, for people.
        reading: Supplier, shipments, and what was dropped.
        changes: What it did to the table, or would do.
    """

    conversation: str
    subject: str
    reading: Reading
    changes: Changes


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
    on_outcome: Callable[[Outcome], Awaitable[None] | None] | None = None,
    **options: Any,
) -> ScanSummary:
    """Finds the shipments that a mailbox speaks of and keeps them in the tables.

    Conversations that were scanned before are left out unless a message has come since. Of each
    other one the messages are read, and a model is asked for its shipments, unless nothing in it
    can be a tracking number. What the model answers is held against the mail; what stands is
    written, and in the same transaction the conversation is marked as scanned. A conversation that
    fails is not: it goes to the dead letters and is tried again by the next scan.

    Args:
        source: An mbox, maildir or ``.eml`` file, a directory of such, or a source of one's own.
        model: Whom to ask, as ``provider/model``; the pipeline's own rules by default.
        home: Where the tables are (and the journal, unless ``open_run`` says otherwise); by
            default ``options["journal"]`` or ``./.fanwise``.
        open_run: Opens the run, called with its name; ``fw.open_run`` by default.
        force: Scan what was scanned before too.
        dry_run: Write nothing, neither tables nor journal. What a paid model answers is then paid
            for again by the scan that follows.
        after: Only conversations with a message since then: epoch seconds, a date, or its ISO
            form.
        limit: At most so many conversations.
        parameters: Sampling parameters by the provider's own names.
        on_outcome: Is given each conversation's outcome once it is durable; may be asynchronous.
            Its value is a :class:`ScanItem`.
        **options: Further options of ``fw.open_run``, such as ``limits`` or ``resume``.

    Returns:
        The summary. A resumed scan counts what earlier sessions did as its own.

    Raises:
        InputError: The source cannot be read.
        ConfigError: A wrong model, key or option; nothing was spent.
        JournalUnavailable: Journal or tables cannot be written; what was durable stays so.

    Cancelling it closes calls in flight and keeps what is durable. However it ends, a row of
    ``scan_history`` says so (but for a dry run).
    """
    since = _instant(after)
    if limit is not None and limit < 1:
        raise ConfigError(f"limit is {limit}", hint="give 1 or more, or leave it out")
    where = home if home is not None else fw.open_home(options.pop("journal", None))
    opened: OpenRun = fw.open_run if open_run is None else open_run
    settings: dict[str, Any] = dict(options)
    if open_run is None:
        settings["journal"] = where
    if dry_run:
        settings |= {"journal": ":memory:", "resume": "never"}
    async with AsyncExitStack() as stack:
        store: fw.Store | None = None
        if not dry_run or _has_tables(where):
            store = await stack.enter_async_context(fw.Store(where, NAME, metadata))
        work = _Scan(
            as_source(source),
            store=store,
            model=model,
            force=force,
            dry_run=dry_run,
            since=since,
            limit=limit,
            parameters=parameters,
            clock=options.get("clock") or SystemClock(),
        )
        return await work.carry_out(lambda: opened(NAME, **settings), on_outcome)


async def plan(
    source: str | Path | ConversationSource,
    *,
    model: str = RULES_MODEL,
    after: float | str | date | None = None,
    limit: int | None = None,
    parameters: Mapping[str, Json] = NOTHING,
) -> fw.Plan:
    """What a scan of the whole source would ask for, known conversations included.

    Args:
        source: As for :func:`scan`.
        model: As there.
        after: As there.
        limit: As there.
        parameters: As there.

    Returns:
        Calls, tokens and cost. Sends and writes nothing.
    """
    work = _Scan(
        as_source(source),
        store=None,
        model=model,
        force=True,
        dry_run=True,
        since=_instant(after),
        limit=limit,
        parameters=parameters,
        clock=SystemClock(),
    )
    return await fw.plan(work.conversation, work.wanted())


def _has_tables(home: Home) -> bool:
    """Whether there can be tables to compare with. A dry run makes none."""
    return "://" in home.location or (Path(home.location) / "store.db").exists()


def _instant(after: float | str | date | None) -> float | None:
    if after is None or isinstance(after, (int, float)):
        return after
    try:
        day = datetime.fromisoformat(after if isinstance(after, str) else after.isoformat())
    except ValueError as error:
        raise ConfigError(
            f"{after!r} is no date", hint="write it as 2026-02-01 or 2026-02-01T08:00"
        ) from error
    return (day if day.tzinfo else day.replace(tzinfo=UTC)).timestamp()


class _Scan:
    """One scan under way."""

    def __init__(
        self,
        source: ConversationSource,
        *,
        store: fw.Store | None,
        model: str,
        force: bool,
        dry_run: bool,
        since: float | None,
        limit: int | None,
        parameters: Mapping[str, Json],
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._source = source
        self._store = store
        self._model = model
        self._force = force
        self._dry_run = dry_run
        self._since = since
        self._limit = limit
        self._parameters = parameters
        self._tally = Tally()
        self._run_id = ""

    async def carry_out(
        self,
        open_run: Callable[[], AbstractAsyncContextManager[fw.Run]],
        on_outcome: Callable[[Outcome], Awaitable[None] | None] | None,
    ) -> ScanSummary:
        clock = self._clock
        started_at, begun = clock.wall(), clock.monotonic()
        complete = False
        error: BaseException | None = None
        try:
            async with open_run() as run:
                self._run_id = self._tally.run_id = run.run_id
                run.check_model(self._model)
                await self._through(run, on_outcome)
                complete = run.finished
        except BaseException as raised:
            error = raised
            raise
        finally:
            summary = self._tally.summary(
                duration_s=clock.monotonic() - begun,
                complete=complete,
                dry_run=self._dry_run,
                aborted=error is not None,
            )
            await self._write_history(summary, started_at=started_at, error=error)
        return summary

    async def _through(
        self, run: fw.Run, on_outcome: Callable[[Outcome], Awaitable[None] | None] | None
    ) -> None:
        mapped = run.map(self.conversation, self.wanted(), item_id=_item_id, describe=_description)
        async with mapped as outcomes:
            async for outcome in outcomes:
                await self._take(outcome)
                if on_outcome is not None:
                    told = on_outcome(outcome)
                    if told is not None:
                        await told

    async def wanted(self) -> AsyncIterator[Listed]:
        """The conversations to read: those that are new, or that a message has come to.

        What this very run has scanned is not left out, so that a resumed run sees the work it
        began.
        """
        taken = 0
        async for page in self._source.pages():
            known: Mapping[str, tuple[str, str]] = {}
            if self._store is not None and not self._force:
                ids = [listed.id for listed in page]
                known = await self._store.read(lambda connection, ids=ids: scanned(connection, ids))
            for listed in page:
                self._tally.total += 1
                old = self._since is not None and (listed.latest_at or 0.0) < self._since
                latest, by = known.get(listed.id, ("", ""))
                if latest == listed.latest_id and by != self._run_id:
                    self._tally.already_scanned += 1
                elif not old:
                    taken += 1
                    yield listed
                if taken == self._limit:
                    return

    async def conversation(self, ctx: fw.Context, listed: Listed) -> ScanItem:
        """One item: read a conversation and write what it holds."""
        conversation = await self._source.fetch(listed)
        found = await reading.read(
            ctx, conversation, model=self._model, parameters=self._parameters
        )
        return ScanItem(
            conversation=listed.id,
            subject=conversation.subject[:120],
            reading=found,
            changes=await self._keep(listed, found),
        )

    async def _keep(self, listed: Listed, found: Reading) -> Changes:
        store = self._store
        if self._dry_run:
            if store is None:
                return Changes(added=len(found.shipments))
            return await store.read(
                lambda connection: compare(connection, found.shipments, run_id=self._run_id)
            )
        assert store is not None
        visit = Visit(
            conversation=listed.id,
            latest_message=listed.latest_id,
            latest_at=listed.latest_at,
            messages=listed.messages,
            run_id=self._run_id,
            at=self._clock.wall(),
        )
        return await store.write(lambda connection: record(connection, visit, found))

    async def _take(self, outcome: Outcome) -> None:
        """Counts an outcome; a failure goes to the dead letters first."""
        if outcome.ok:
            item: ScanItem = outcome.value
            self._tally.took(item.changes, shipments=len(item.reading.shipments))
            return
        listed: Listed = outcome.item
        reason = _reason(outcome.error)
        if self._store is not None and not self._dry_run:
            run_id, at = self._run_id, self._clock.wall()

            def write(connection: Connection) -> None:
                bury(connection, listed.id, reason=reason, run_id=run_id, at=at)

            await self._store.write(write)
        self._tally.fails(listed.id, reason)

    async def _write_history(
        self,
        summary: ScanSummary,
        *,
        started_at: float,
        error: BaseException | None,
    ) -> None:
        if self._store is None or self._dry_run:
            return
        row: dict[str, Any] = {
            name: value
            for name, value in summary.as_json().items()
            if name in scan_history.c and name != "id"
        }
        row |= {
            "source": self._source.name,
            "started_at": started_at,
            "ended_at": self._clock.wall(),
            "error": _reason(error) if error is not None else None,
        }
        writing = self._store.write(
            lambda connection: connection.execute(scan_history.insert(), row)
        )
        try:
            # A scan that is being cancelled still says so, but does not wait for a stuck disk.
            async with asyncio.timeout(_LAST_WORDS_S if error is not None else None):
                await writing
        except (fw.errors.JournalError, TimeoutError):
            if error is None:
                raise


def _item_id(listed: Listed) -> str:
    """A newer message makes another item of the same conversation."""
    return f"{listed.id}:{listed.latest_id}"


def _description(listed: Listed) -> Json:
    return {"conversation": listed.id, "messages": listed.messages}


def _reason(error: BaseException | None) -> str:
    """Why, in one line and without a word of the mail."""
    if isinstance(error, fw.errors.FanwiseError):
        return f"{error.code}: {error.message}"[:500]
    return type(error).__name__
