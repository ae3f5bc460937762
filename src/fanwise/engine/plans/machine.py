"""What this machine adds to every call: its processor's time, and the wait for durable writes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_REFERENCE_S: Final = 0.0075  # what the loop below takes on the machine of the other figures
_CALL_S: Final = 0.0007
_SIMULATED_S: Final = 0.0007
_COMMIT_S: Final = 0.002
_WRITES: Final = 5
_START_S: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a call costs here.

    Args:
        call_s: Processor time of one attempt; nothing else is done meanwhile.
        commit_s: Until something written is durable.
        start_s: Until a run has begun.
    """

    call_s: float = 0.0
    commit_s: float = 0.0
    start_s: float = 0.0


def measured(directory: Path | None, *, simulated: bool) -> Machine:
    """Measures this machine, for some hundredths of a second.

    Args:
        directory: Where the journal will be: how long a write there takes to be durable. It is
            not made. ``None`` for a journal that is not durable.
        simulated: Whether the provider is simulated in this process too.
    """
    slowness = _slowness()
    call_s = _CALL_S + (_SIMULATED_S if simulated else 0.0)
    return Machine(
        call_s=call_s * slowness,
        commit_s=0.0 if directory is None else _commit_s(directory),
        start_s=_START_S * slowness,
    )


def _slowness() -> float:
    """How much slower than the reference this processor is, whatever else it does."""
    best = min(_timed(_work) for _ in range(3))
    return best / _REFERENCE_S


def _work() -> None:
    found: dict[str, int] = {}
    for n in range(10_000):
        text = f"call {n}"
        found[text] = len(text) + hashlib.blake2b(text.encode(), digest_size=8).digest()[0]


def _timed(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _commit_s(directory: Path) -> float:
    """Seconds until a small write is durable, where the journal will be."""
    place = next((path for path in (directory, *directory.parents) if path.is_dir()), None)
    if place is None:
        return _COMMIT_S
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            taken: list[float] = []
            for _ in range(_WRITES):
                begun = time.perf_counter()
                file.write(b"x" * 4096)
                file.flush()
                os.fsync(file.fileno())
                taken.append(time.perf_counter() - begun)
    except OSError:
        return _COMMIT_S
    return sorted(taken)[_WRITES // 2]


class Desk:
    """This machine at work in virtual time: one thing after another.

    Args:
        machine: How long each takes.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._loop = asyncio.get_running_loop()
        self._free_at = 0.0

    def sent_at(self, *, durable: bool) -> float:
        """When a request leaves that is handed in now, after its intent is durable if need be."""
        machine = self._machine
        now = self._loop.time()
        ready_at = now + machine.commit_s if durable else now
        self._free_at = max(ready_at, self._free_at) + machine.call_s
        return self._free_at

    async def commits(self, count: int) -> None:
        """Waits for so many writes, one after another."""
        wait_s = self._machine.commit_s * count
        if wait_s <= 0.0:
            return
        future: asyncio.Future[None] = self._loop.create_future()
        self._loop.call_later(wait_s, _wake, future)
        await future


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
