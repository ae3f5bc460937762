"""The scan's work: which conversations are read, what is written, and what is counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import fanwise as fw
from fanwise.clock import Clock
from fanwise.pipelines.scan import reading
from fanwise.pipelines.scan.job import ScanJob
from fanwise.pipelines.scan.records import Reading
from fanwise.pipelines.scan.sources import ConversationSource, Listed
from fanwise.pipelines.scan.strategies import Turns
from fanwise.pipelines.scan.summary import ScanSummary, Tally
from fanwise.pipelines.scan.tables import (
    Changes,
    Visit,
    bury,
    compare,
    record,
    scan_history,
    scanned,
)
from fanwise.pipelines.scan.telling import Teller
from fanwise.records import Json, Outcome

if TYPE_CHECKING:
    from sqlalchemy import Connection

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


class Work:
    """One scan under way.

    Args:
        job: What to scan, and how.
        source: What the job names; closed at the end.
        store: The tables; ``None`` for a dry run where there are none.
        clock: Time.
        teller: Tells of what has happened.
    """

    def __init__(
        self,
        job: ScanJob,
        *,
        source: ConversationSource,
        store: fw.Store | None,
        clock: Clock,
        teller: Teller | None = None,
    ) -> None:
        self._job = job
        self._store = store
        self._clock = clock
        self._source = source
        self._teller = teller or Teller(None)
        self._since = job.since
        pacing = job.pacing
        self._turns = Turns(pacing) if pacing.in_turn else None
        self._gate = asyncio.Semaphore(pacing.size) if job.strategy == "semaphore" else None
        self._tally = Tally()
        self._run_id = ""

    async def carry_out(
        self,
        open_run: Callable[[], AbstractAsyncContextManager[fw.Run]],
        on_outcome: Callable[[Outcome], Awaitable[None] | None] | None,
    ) -> ScanSummary:
        """Opens the run, scans to the end of the source or of the run, and writes the history."""
        clock = self._clock
        started_at, begun = clock.wall(), clock.monotonic()
        complete = False
        error: BaseException | None = None
        try:
            async with open_run() as run:
                self._run_id = self._tally.run_id = run.run_id
                run.check_model(self._job.model)
                await self._through(run, on_outcome)
                complete = run.finished
        except BaseException as raised:
            error = raised
            raise
        finally:
            summary = self._tally.summary(
                duration_s=clock.monotonic() - begun,
                complete=complete,
                dry_run=self._job.dry_run,
                aborted=error is not None,
                model=self._job.model,
                strategy=self._job.strategy,
                warnings=self._job.pacing.warnings(rpm=self._job.rpm),
                mail_api=self._mail_api(),
            )
            try:
                await self._write_history(summary, started_at=started_at, error=error)
            finally:
                await self.aclose()
        await self._teller.tell("complete", _in_words(summary), data=summary.as_json())
        return summary

    async def aclose(self) -> None:
        """Closes the source."""
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()

    async def _through(
        self, run: fw.Run, on_outcome: Callable[[Outcome], Awaitable[None] | None] | None
    ) -> None:
        mapped = run.map(self.conversation, self.wanted(), item_id=_item_id, describe=_description)
        async with mapped as outcomes:
            async for outcome in outcomes:
                await self._take(outcome)
                await self._tell(outcome)
                if self._turns is not None:
                    self._turns.ended()
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
            if self._store is not None and not self._job.force:
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
                    if self._turns is not None:
                        await self._turns.wait()
                    yield listed
                if taken == self._job.limit:
                    return

    async def conversation(self, ctx: fw.Context, listed: Listed) -> ScanItem:
        """One item: read a conversation and write what it holds."""
        async with AsyncExitStack() as stack:
            if self._gate is not None:
                await stack.enter_async_context(self._gate)
            return await self._conversation(ctx, listed)

    async def _conversation(self, ctx: fw.Context, listed: Listed) -> ScanItem:
        conversation = await self._source.fetch(listed)
        found = await reading.read(
            ctx, conversation, model=self._job.model, parameters=self._job.parameters
        )
        return ScanItem(
            conversation=listed.id,
            subject=conversation.subject[:120],
            reading=found,
            changes=await self._keep(listed, found),
        )

    async def _keep(self, listed: Listed, found: Reading) -> Changes:
        store = self._store
        if self._job.dry_run:
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
        if self._store is not None and not self._job.dry_run:
            run_id, at = self._run_id, self._clock.wall()

            def write(connection: Connection) -> None:
                bury(connection, listed.id, reason=reason, run_id=run_id, at=at)

            await self._store.write(write)
        self._tally.fails(listed.id, reason)

    async def _tell(self, outcome: Outcome) -> None:
        tally = self._tally
        total: int | None = getattr(self._source, "total", None)
        if total is not None and self._job.limit is not None:
            total = min(total, tally.already_scanned + self._job.limit)
        self._teller.reach(tally.already_scanned + tally.processed + tally.failed, total)
        listed: Listed = outcome.item
        if not outcome.ok:
            reason = _reason(outcome.error)
            data: dict[str, Any] = {"conversation": listed.id, "message": reason}
            await self._teller.tell(
                "error", f"{listed.id} failed: {reason}", subject=listed.id, data=data
            )
            return
        item: ScanItem = outcome.value
        found = item.reading.shipments
        data = {
            "conversation": item.conversation,
            "subject": item.subject,
            "supplier": item.reading.supplier,
            "shipments": [asdict(shipment) for shipment in found],
            "model": self._job.model,
        }
        numbers = ", ".join(shipment.tracking_number for shipment in found)
        await self._teller.tell(
            "result", numbers or "no tracking number", subject=listed.id, data=data
        )

    def _mail_api(self) -> Mapping[str, float]:
        statistics = getattr(self._source, "statistics", None)
        return {} if statistics is None else statistics()

    async def _write_history(
        self,
        summary: ScanSummary,
        *,
        started_at: float,
        error: BaseException | None,
    ) -> None:
        if self._store is None or self._job.dry_run:
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


def _in_words(summary: ScanSummary) -> str:
    return (
        f"{summary.processed} of {summary.total} conversations read, {summary.added} shipments "
        f"added, {summary.updated} updated, {summary.failed} failed"
    )


def _reason(error: BaseException | None) -> str:
    """Why, in one line and without a word of the mail."""
    if isinstance(error, fw.errors.FanwiseError):
        return f"{error.code}: {error.message}"[:500]
    return type(error).__name__
