"""Standard output and error that put everything down, whatever takes it."""

from __future__ import annotations

import io
import os
import select
import sys
from typing import Any, TextIO, cast

_PIECE_BYTES = 1 << 20


class WholeWrites(io.RawIOBase):
    """A descriptor whose writes end when all is written.

    A write into a pipe may take only a part, and one to a descriptor that does not block may take
    nothing. Python's text layer loses the rest of the one where it is unbuffered
    (``PYTHONUNBUFFERED``), and ends in an error with the other; this waits for the reader.

    Args:
        descriptor: Where to write; it stays open.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __repr__(self) -> str:
        return f"<WholeWrites to {self._descriptor}>"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Any) -> int:
        """Writes all of it, waiting where the reader is slow.

        Raises:
            BrokenPipeError: Nobody reads it any more.
        """
        return put_whole(self._descriptor, data)


def put_whole(descriptor: int, data: Any) -> int:
    """Writes all of some bytes, waiting where there is no room yet; returns how many they are.

    Raises:
        OSError: They cannot be written; a part of them may be.
    """
    left = memoryview(data).cast("B")
    size = len(left)
    while left:
        try:
            left = left[os.write(descriptor, left[:_PIECE_BYTES]) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
    return size


def whole_output() -> None:
    """Puts :class:`WholeWrites` under standard output and standard error.

    What is no file of the system, or has been put in their place by somebody, stays as it is.
    """
    if sys.stdout is sys.__stdout__:
        sys.stdout = _over(sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _over(sys.stderr)


def _over(stream: TextIO | None) -> Any:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    same = cast("Any", stream)
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return same
    stream.flush()
    whole: Any = io.TextIOWrapper(
        io.BufferedWriter(WholeWrites(descriptor)),
        encoding=stream.encoding,
        errors=stream.errors,
        newline="\n",
        line_buffering=stream.line_buffering or stream.write_through,
    )
    return whole
