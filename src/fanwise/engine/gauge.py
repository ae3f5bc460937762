"""How busy this machine is, read from the system."""

from __future__ import annotations

import time
from pathlib import Path

from fanwise.limits.machine import Load

_SLOW_S = 1.0  # memory and descriptors move slowly, and cost more to read
_OPEN_FILES = Path("/proc/self/fd")
_MEMORY = Path("/proc/meminfo")


class Gauge:
    """Reads the processor's share at each look, memory and descriptors once a second.

    What a system does not tell counts as free.
    """

    __slots__ = ("_cpu_s", "_descriptors", "_last", "_memory", "_slow_at")

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._cpu_s = time.process_time()
        self._slow_at = 0.0
        self._memory = 0.0
        self._descriptors = 0.0

    def read(self, *, lag_s: float) -> Load:
        """The load since the last look.

        Args:
            lag_s: How late the event loop ran, in seconds.
        """
        now, cpu_s = time.monotonic(), time.process_time()
        cpu = (cpu_s - self._cpu_s) / max(1e-3, now - self._last)
        self._last, self._cpu_s = now, cpu_s
        if now >= self._slow_at:
            self._slow_at = now + _SLOW_S
            self._memory, self._descriptors = _memory(), _descriptors()
        return Load(lag_s=lag_s, cpu=cpu, memory=self._memory, descriptors=self._descriptors)


def _memory() -> float:
    """Share of the memory in use."""
    try:
        lines = _MEMORY.read_text(encoding="ascii").splitlines()
        sizes = {
            name: float(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)
        }
        return 1.0 - sizes["MemAvailable"] / sizes["MemTotal"]
    except (OSError, KeyError, ValueError, IndexError, ZeroDivisionError):
        return 0.0


def _descriptors() -> float:
    """Share of the allowed file descriptors that are open."""
    try:
        import resource

        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return sum(1 for _ in _OPEN_FILES.iterdir()) / allowed if allowed > 0 else 0.0
    except (OSError, ImportError):
        return 0.0
