"""Ctrl-C and SIGTERM: the first one drains, the second stops, the third does not wait.

The library never touches signals; only this module does, and only while a command runs work.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 130


class Interrupts:
    """Counts the user's requests to stop, and passes each one on.

    Args:
        drain: The first request: no new work, what is in flight may end.
        stop: The second: nothing is waited for but commits.
        abandon: The third: the process ends at once; the journal is as safe as under ``kill -9``.
    """

    def __init__(
        self,
        *,
        drain: Callable[[], None],
        stop: Callable[[], None],
        abandon: Callable[[], None] = lambda: os._exit(INTERRUPTED),
    ) -> None:
        self._steps = (drain, stop, abandon)
        self.count = 0

    def __repr__(self) -> str:
        return f"<Interrupts: {self.count} so far>"

    def request(self) -> None:
        """One more request to stop."""
        step = self._steps[min(self.count, len(self._steps) - 1)]
        self.count += 1
        step()


@contextmanager
def obeying(interrupts: Interrupts) -> Generator[None]:
    """Sends SIGINT and SIGTERM to ``interrupts`` while the block runs; needs a running loop."""
    loop = asyncio.get_running_loop()
    before = [(number, signal.getsignal(number)) for number in _SIGNALS]
    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupts.request)
    try:
        yield
    finally:
        for number, handler in before:
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
