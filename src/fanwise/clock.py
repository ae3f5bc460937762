"""The seams for time, chance and identity.

Waiting itself is done by the event loop (``asyncio.sleep``, ``loop.call_later``): a virtual-time
loop therefore governs waits and :class:`LoopClock` alike.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class Clock(Protocol):
    """Two readings of time: one to compute with, one to show."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back. For waits and durations."""
        ...

    def wall(self) -> float:
        """Seconds since the Unix epoch. For display and for dates sent by servers."""
        ...


class SystemClock:
    """The machine's own clock.

    ``wall`` is the epoch read once plus the monotonic time since, so that intervals written to a
    journal never run backwards when the machine's clock is set.
    """

    __slots__ = ("_offset_s",)

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()

    # The builtin itself: it is read some ten times a call.
    monotonic = staticmethod(time.monotonic)

    def wall(self) -> float:
        return time.monotonic() + self._offset_s


class LoopClock:
    """The running event loop's clock: real under a real loop, virtual under a virtual one.

    Args:
        epoch_s: What ``wall`` reads when the loop's time is zero, in seconds since 1970.
    """

    __slots__ = ("_epoch_s",)

    def __init__(self, *, epoch_s: float = 0.0) -> None:
        self._epoch_s = epoch_s

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return self._epoch_s + self.monotonic()


def new_run_id(name: str, *, wall_s: float, chance: random.Random) -> str:
    """A readable id that sorts by time: ``20261122-042145-scan-k3f9x2``.

    Args:
        name: The run's name; what is not a letter, digit or hyphen becomes a hyphen.
        wall_s: Seconds since the Unix epoch (shown in UTC).
        chance: Source of the suffix that keeps two runs of one second apart.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(wall_s))
    safe = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower()).strip("-")
    suffix = "".join(chance.choice(_ALPHABET) for _ in range(6))
    return f"{stamp}-{safe[:40] or 'run'}-{suffix}"
