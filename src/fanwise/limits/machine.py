"""This machine is a limit too: how many requests at once it can still look after."""

from __future__ import annotations

import math
from dataclasses import dataclass

_BUSY_LAG_S = 0.25
_BUSY_CPU = 0.95
_BUSY_CPU_LAG_S = 0.05
_FULL = 0.92  # of memory, and of file descriptors
_DROWNING_LAG_S = 1.0
_BRIM = 0.97
_CUT = 0.9
_RECOVERY = 1.1
_FREE = 2.0  # times what is in flight: then nothing is held back any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How busy this machine is.

    Args:
        lag_s: How late the event loop runs, in seconds.
        cpu: Share of one processor that this process uses.
        memory: Share of the machine's memory in use.
        descriptors: Share of the file descriptors allowed to this process that are open.
    """

    lag_s: float = 0.0
    cpu: float = 0.0
    memory: float = 0.0
    descriptors: float = 0.0

    @property
    def busy(self) -> bool:
        """Whether more at once would only wait here."""
        return (
            self.lag_s > _BUSY_LAG_S
            or (self.cpu > _BUSY_CPU and self.lag_s > _BUSY_CPU_LAG_S)
            or max(self.memory, self.descriptors) > _FULL
        )

    @property
    def drowning(self) -> bool:
        """Whether what there is at once is too much already."""
        return self.lag_s > _DROWNING_LAG_S or max(self.memory, self.descriptors) > _BRIM


def at_once(load: Load, *, cap: float, in_flight: int) -> float:
    """The most requests in flight that this machine should have, looked at ten times a second.

    Args:
        load: How busy it is.
        cap: What this said before; ``math.inf`` at first.
        in_flight: Requests in flight now.

    Returns:
        ``math.inf`` while the machine is no limit. A busy one starts nothing beyond what is in
        flight, one that drowns goes back by a tenth at each look, and one that has air again comes
        back by a tenth.
    """
    if load.drowning:
        return max(1.0, _CUT * min(cap, in_flight))
    if load.busy:
        return max(1.0, min(cap, float(in_flight)))
    grown = cap * _RECOVERY + 1.0
    return grown if grown < _FREE * in_flight else math.inf
