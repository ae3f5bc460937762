"""Standard input that stops when the run does, even while nobody writes to it."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

_CHUNK_BYTES = 65536
_LONGEST_BYTES = 32 * 1024 * 1024


class StoppableInput(io.RawIOBase):
    """A pipe's whole lines, until its end or until :meth:`stop`.

    A thread that waits for a pipe cannot be interrupted, and a run that is drained would wait with
    it for a writer who may never write again. A line that has only begun when it is stopped is
    left out: half a line would be an error.

    Args:
        descriptor: What is read.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._wake_read, self._wake_write = os.pipe()
        self._whole = bytearray()
        self._begun = bytearray()
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Reads whole lines into the buffer; 0 at the end or once stopped."""
        while not self._whole and not self._ended:
            self._fill()
        taken = bytes(self._whole[: len(buffer)])
        del self._whole[: len(taken)]
        buffer[: len(taken)] = taken
        return len(taken)

    def _fill(self) -> None:
        ready, _, _ = select.select([self._descriptor, self._wake_read], [], [])
        if self._wake_read in ready:
            self._ended = True
            return
        data = os.read(self._descriptor, _CHUNK_BYTES)
        if not data:
            self._ended = True
            self._whole, self._begun = self._begun, bytearray()
            return
        self._begun += data
        endless = len(self._begun) > _LONGEST_BYTES  # whoever reads it has an error for that
        end = len(self._begun) if endless else self._begun.rfind(b"\n") + 1
        self._whole = self._begun[:end]
        del self._begun[:end]

    def stop(self) -> None:
        """Ends the reading, from any thread."""
        os.write(self._wake_write, b"x")

    def close(self) -> None:
        """Gives the descriptors of its own back; what was read stays open."""
        if not self.closed:
            os.close(self._wake_read)
            os.close(self._wake_write)
        super().close()


def open_stdin() -> tuple[BinaryIO, Callable[[], None]]:
    """Standard input, and how to end it."""
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError):
        return sys.stdin.buffer, lambda: None  # no file of the system, as in a test
    raw = StoppableInput(descriptor)
    return io.BufferedReader(raw, _CHUNK_BYTES), raw.stop
