"""Ten times a second: what waits for what, how late the loop runs, what to keep of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from fanwise.ending import end_all
from fanwise.engine.facts import facts_of
from fanwise.engine.gauge import Gauge
from fanwise.errors import JournalError
from fanwise.progress.monitor import CLEARED, RAISED
from fanwise.records import Cause

if TYPE_CHECKING:
    from fanwise.engine.attempts import Attempts
    from fanwise.engine.pools import Pools
    from fanwise.engine.spending import Spending
    from fanwise.engine.workers import Crew
    from fanwise.journal.memory import Journal
    from fanwise.progress.live import Progress

_PERIOD_S = 0.1
_CHECKPOINT_S = 2.0


class Sampler:
    """Feeds the account of a run's time, and checkpoints it in the journal.

    Args:
        progress: The account.
        pools: Who waits for a permit.
        attempts: Who waits out a backoff.
        spending: Who waits for what others leave of the budget.
        crews: The maps under way.
        journal: Where checkpoints go.
        notice: Is given an error that a checkpoint met.
        option: What sets the concurrency, where a command does: ``-j``.
    """

    def __init__(
        self,
        *,
        progress: Progress,
        pools: Pools,
        attempts: Attempts,
        spending: Spending,
        crews: Callable[[], Iterable[Crew]],
        journal: Journal,
        notice: Callable[[JournalError], None],
        option: str = "",
    ) -> None:
        self._progress = progress
        self._pools = pools
        self._attempts = attempts
        self._spending = spending
        self._crews = crews
        self._journal = journal
        self._notice = notice
        self._option = option
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Takes the first sample and goes on by itself."""
        self.sample(lag_s=0.0)
        self._task = asyncio.get_running_loop().create_task(self._run(), name="fanwise-sampler")

    async def stop(self) -> None:
        """Takes the last sample and checkpoints."""
        if self._task is not None:
            await end_all((self._task,))
        self.sample(lag_s=0.0)
        await self._alert(asyncio.get_running_loop().time())
        await self._checkpoint()

    def sample(self, *, lag_s: float) -> None:
        """Takes one sample."""
        waiting: Mapping[Cause, int] = self._pools.waiting_by_cause()
        backing_off = self._attempts.backing_off
        backing_off += self._attempts.held_back
        if backing_off:
            waiting = {**waiting, "retry wait": waiting.get("retry wait", 0) + backing_off}
        if self._spending.waiting:
            waiting = {**waiting, "budget": self._spending.waiting}
        self._progress.set_facts(facts_of(self._pools, option=self._option))
        self._progress.observe(
            waiting,
            source_waiting=any(crew.source_waiting for crew in self._crews()),
            in_flight=self._pools.in_flight,
            limit=self._pools.limit,
            lag_s=lag_s,
        )

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        gauge = Gauge()
        checkpoint_at = loop.time() + _CHECKPOINT_S
        while True:
            due = loop.time() + _PERIOD_S
            await asyncio.sleep(_PERIOD_S)
            now = loop.time()
            lag_s = max(0.0, now - due)
            self.sample(lag_s=lag_s)
            await self._alert(now)
            self._pools.bear(gauge.read(lag_s=lag_s))
            if now >= checkpoint_at:
                checkpoint_at = now + _CHECKPOINT_S
                await self._checkpoint()

    async def _alert(self, now: float) -> None:
        """Lets the monitor look, and makes durable what it raises or clears."""
        alerts = self._progress.monitor.observe(
            now,
            requests=self._pools.requests(),
            calls=self._progress.calls_ended,
            in_flight=self._pools.in_flight,
            limit=self._pools.limit,
        )
        for alert in alerts:
            said = {"figure": alert.figure, "reason": alert.reason, "share": alert.share}
            try:
                await self._journal.control(RAISED if alert.raised else CLEARED, said)
            except JournalError as error:
                self._notice(error)

    async def _checkpoint(self) -> None:
        account = self._progress.account()
        try:
            await self._journal.checkpoint(
                limited_by=account.limited_by,
                in_flight_s=account.in_flight_s,
                limit_s=account.limit_s,
            )
        except JournalError as error:
            self._notice(error)
