"""Performance reports, made once for all who ask: of a large run, one takes seconds."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanwise.clock import Clock
    from fanwise.progress.report import Report

_KEPT = 8
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A report with when it was asked for and how long it took, in seconds."""

    report: Report
    version: float
    live: bool
    at: float
    took_s: float

    def good(self, version: float, now: float) -> bool:
        """Whether it will do: nothing was written since, or so little time has passed that making
        it anew would take a large part of the machine.
        """
        if self.version == version and not self.live:
            return True
        return self.live and now - self.at < _PATIENCE * self.took_s


class Reports:
    """Reports by run, the newest eight of them kept.

    Of a run under way a report may be as old as ten times what it took to make: looking on takes at
    most a tenth of a processor.

    Args:
        make: Makes a run's report.
        look: Says of a run when it was last written to, and whether somebody works on it.
        clock: Time.
    """

    def __init__(
        self,
        make: Callable[[str], Awaitable[Report]],
        *,
        look: Callable[[str], Awaitable[tuple[float, bool]]],
        clock: Clock,
    ) -> None:
        self._make = make
        self._look = look
        self._clock = clock
        self._made: OrderedDict[str, _Made] = OrderedDict()
        self._making: dict[str, asyncio.Lock] = {}

    async def of(self, run_id: str) -> Report:
        """A run's report.

        Raises:
            NotFound: There is no such run.
        """
        version, live = await self._look(run_id)
        lock = self._making.setdefault(run_id, asyncio.Lock())
        try:
            async with lock:
                known = self._made.get(run_id)
                if known is not None and known.good(version, self._clock.monotonic()):
                    return known.report
                return await self._anew(run_id, version=version, live=live)
        finally:
            if not lock.locked():
                self._making.pop(run_id, None)

    async def _anew(self, run_id: str, *, version: float, live: bool) -> Report:
        begun = self._clock.monotonic()
        report = await self._make(run_id)
        now = self._clock.monotonic()
        self._made[run_id] = _Made(
            report=report, version=version, live=live, at=now, took_s=now - begun
        )
        self._made.move_to_end(run_id)
        while len(self._made) > _KEPT:
            self._made.popitem(last=False)
        return report
