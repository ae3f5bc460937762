"""What becomes of background work: counted, logged, and journalled where a run is open."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from fanwise.engine.core import core_of
from fanwise.engine.effects import perform
from fanwise.errors import JournalError
from fanwise.records import CallIntent, CallKey, CallRecord, Outcome

if TYPE_CHECKING:
    from fanwise.engine.run import Run

_log = logging.getLogger("fanwise.background")
_KEPT_FAILURES = 100
_NAMED = 10  # names that a message lists


@dataclass(slots=True, kw_only=True)
class Job:
    """A piece of background work on its way."""

    name: str
    call: Callable[[], Awaitable[Any]]
    number: int
    accepted_at: float
    begun_at: float = math.nan
    record: CallRecord | None = None
    intended: bool = False


class Tally:
    """Counts work by how it ended, and keeps the last failures.

    Args:
        on_error: Is told of each failure.
    """

    def __init__(self, on_error: Callable[[str, Exception], None] | None) -> None:
        self._on_error = on_error
        self.failures: deque[Outcome] = deque(maxlen=_KEPT_FAILURES)
        self.abandoned: list[str] = []
        self.accepted = self.refused = self.succeeded = self.failed = 0

    def fail(self, job: Job, error: BaseException) -> None:
        """A piece of work has failed."""
        self.failed += 1
        now = asyncio.get_running_loop().time()
        begun_at = now if math.isnan(job.begun_at) else job.begun_at
        self.failures.append(
            Outcome(
                item_id=job.name,
                ok=False,
                error=error,
                attempts=1,
                queued_s=begun_at - job.accepted_at,
                service_s=now - begun_at,
                position=job.number,
            )
        )
        _log.warning("background work %r failed", job.name, exc_info=error)
        if self._on_error is not None and isinstance(error, Exception):
            try:
                self._on_error(job.name, error)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException:  # noqa: BLE001 - a hook cannot break what it is told of
                _log.exception("on_error failed for background work %r", job.name)

    def log_abandoned(self) -> None:
        """Says what was lost."""
        names = self.abandoned
        shown = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
        _log.warning("%d pieces of background work were abandoned: %s", len(names), shown)


class Account:
    """Keeps account of background work in a run's journal; without a run it only carries it out.

    Args:
        run: The run, where there is one.
        chance: Source of the tag that keeps sessions of one run apart.
    """

    def __init__(self, run: Run | None, chance: random.Random) -> None:
        self._run = None if run is None else core_of(run)
        self._tag = f"{chance.getrandbits(64):016x}"
        self._number = 0

    @property
    def closed(self) -> bool:
        """Whether the run takes no further work."""
        return self._run is not None and self._run.draining

    def open(self, job: Job) -> None:
        """Gives a piece of work its identity in the journal."""
        if self._run is None:
            return
        self._number += 1
        job.record = CallRecord(
            key=CallKey("background", f"{self._tag}:{self._number}:{job.name}", 0),
            state="served",
            model="",
            label=job.name,
            started_at=self._run.clock.wall(),
        )

    async def intend(self, job: Job) -> None:
        """Returns when the intent is durable."""
        record = job.record
        if self._run is None or record is None or job.intended:
            return
        await self._run.journal.intend(
            CallIntent(key=record.key, model="", label=record.label, started_at=record.started_at)
        )
        job.intended = True

    async def carry_out(self, job: Job) -> None:
        """Runs a piece of work between its durable intent and its durable end."""
        job.begun_at = asyncio.get_running_loop().time()
        if self._run is None or job.record is None:
            await job.call()
            return
        await self.intend(job)
        await perform(self._run, job.record, partial(_without_value, job.call))

    async def never_begun(self, job: Job) -> None:
        """A piece of work that was intended will not be done."""
        if self._run is None or job.record is None:
            return
        ended = replace(job.record, state="cancelled", ended_at=self._run.clock.wall())
        await self._run.journal.settle(ended)

    async def abandon(self, lost: Sequence[Job], names: Sequence[str], *, quiet: bool) -> None:
        """Notes what was given up when the block was left.

        Raises:
            JournalError: It could not be noted, and ``quiet`` is not set.
        """
        if self._run is None:
            return
        try:
            for job in lost:
                if job.intended:
                    await self.never_begun(job)
            await self._run.journal.control("background.abandoned", {"names": list(names)})
        except JournalError:
            if not quiet:
                raise


async def _without_value(call: Callable[[], Awaitable[Any]]) -> None:
    """Nobody takes the value, and it need not have a JSON form."""
    await call()
