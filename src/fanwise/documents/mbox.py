"""Messages as bytes: out of mbox files, one message at a time, and out of files of their own.

mbox (RFC 4155) separates messages by a line ``From sender date`` after an empty line. Writers
differ in what they do to such lines inside a message: mboxo writes ``>From ``, mboxrd adds a ``>``
to any number of them, some do nothing; a separator is therefore believed only with a date in it or
with a header line right below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAX_MESSAGE_BYTES = 25 * 1024 * 1024

_CHUNK_BYTES = 1024 * 1024
_LOOK_AHEAD_BYTES = 16 * 1024
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATED = re.compile(
    rb"From .*\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s+(?:"
    + _MONTH
    + rb"\s+\d{1,2}|\d{1,2}\s+"
    + _MONTH
    + rb")\b.*\d\d:\d\d"
)
_BARE = re.compile(rb"From \S+\s*\Z")
_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:|>?From ")
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMessage:
    """A message as it is stored.

    Args:
        path: The file it is in.
        offset: Where in the file it begins, its ``From`` line included.
        line: The line it begins on, 1-based.
        size: Its size in the file, in bytes.
        data: The message, at most 25 MB of it, mbox quoting undone.
        problem: What is wrong with it as a whole; empty where nothing is.
        alone: It has a file of its own.
    """

    path: Path
    offset: int
    line: int
    size: int
    data: bytes
    problem: str = ""
    alone: bool = False


def read_mbox(path: Path) -> Iterator[RawMessage]:
    """The messages of an mbox file in its order; memory holds one of them at a time."""
    with path.open("rb") as file:
        for stretch in _Splitter(file):
            if stretch.offset == 0 and not stretch.data.strip():
                continue
            yield _raw(path, stretch)


def read_stretch(path: Path, *, offset: int, size: int, line: int) -> RawMessage:
    """A message of an mbox file that was found there before."""
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(min(size, MAX_MESSAGE_BYTES))
    return _raw(path, _Stretch(offset=offset, line=line, size=size, data=data))


def read_whole(path: Path) -> RawMessage:
    """A message that has a file of its own; one that cannot be read says so in its problem."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_MESSAGE_BYTES)
            size = len(data) if len(data) < MAX_MESSAGE_BYTES else path.stat().st_size
    except OSError as error:
        reason = error.strerror or str(error)
        return lost(path, f"cannot be read: {reason}")
    problem = "the file is empty" if not data.strip() else _size_problem(size)
    return RawMessage(
        path=path, offset=0, line=1, size=size, data=data, problem=problem, alone=True
    )


def lost(path: Path, problem: str) -> RawMessage:
    """A message of which nothing can be read."""
    return RawMessage(path=path, offset=0, line=1, size=0, data=b"", problem=problem, alone=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """From one separator to the next."""

    offset: int
    line: int
    size: int
    data: bytes


def _raw(path: Path, stretch: _Stretch) -> RawMessage:
    data, problem = stretch.data, _size_problem(stretch.size)
    if data.startswith(b"From "):
        line_end = data.find(b"\n")
        data = b"" if line_end < 0 else data[line_end + 1 :]
    elif not problem:
        problem = "text before the first From line of the mbox"
    if b"\n>" in data or data.startswith(b">"):
        data = _QUOTED_FROM.sub(rb"\1", data)
    return RawMessage(
        path=path,
        offset=stretch.offset,
        line=stretch.line,
        size=stretch.size,
        data=data,
        problem=problem,
    )


def _size_problem(size: int) -> str:
    if size <= MAX_MESSAGE_BYTES:
        return ""
    return f"the message has {size / 1024 / 1024:.1f} MB; only its first 25 MB were read"


class _Splitter:
    """Finds the separators in a stream and gives what lies between them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._buffer = bytearray()
        self._scan = 0
        self._ended = False
        self._start = 0
        self._line = 1
        self._kept = b""  # the beginning of a message too large for the buffer
        self._dropped_bytes = 0
        self._dropped_lines = 0

    def __iter__(self) -> Iterator[_Stretch]:
        self._fill()
        while True:
            at = self._buffer.find(b"\nFrom ", self._scan)
            if at < 0:
                self._scan = max(self._scan, len(self._buffer) - 6)
                if self._ended:
                    break
                self._shrink()
                self._fill()
                continue
            line_end = self._buffer.find(b"\n", at + 1)
            next_end = self._buffer.find(b"\n", line_end + 1) if line_end >= 0 else -1
            known = next_end >= 0 or self._ended or len(self._buffer) - at > _LOOK_AHEAD_BYTES
            if not known:
                self._scan = at
                self._fill()
            elif self._separates(at, line_end):
                yield self._take(at + 1)
            else:
                self._scan = at + 1
        if self._buffer or self._kept:
            yield self._take(len(self._buffer))

    def _fill(self) -> None:
        chunk = self._file.read(_CHUNK_BYTES)
        self._ended = not chunk
        self._buffer += chunk

    def _separates(self, at: int, line_end: int) -> bool:
        stop = line_end if line_end >= 0 else len(self._buffer)
        line = bytes(self._buffer[at + 1 : min(stop, at + 1000)])
        below = bytes(self._buffer[stop + 1 : stop + 200])
        has_field = _FIELD.match(below) is not None
        dated = _DATED.match(line) is not None
        before = bytes(self._buffer[max(0, at - 2) : at])
        if before.endswith(b"\n") or before == b"\n\r":
            return dated or (has_field and _BARE.match(line) is not None)
        return dated and has_field

    def _shrink(self) -> None:
        """Lets go of a message's middle once its beginning fills what is kept of a message."""
        if len(self._buffer) <= MAX_MESSAGE_BYTES and not self._kept:
            return
        if not self._kept:
            self._kept = bytes(self._buffer[:MAX_MESSAGE_BYTES])
        drop = max(0, self._scan - 4)
        self._dropped_bytes += drop
        self._dropped_lines += self._buffer.count(b"\n", 0, drop)
        del self._buffer[:drop]
        self._scan -= drop

    def _take(self, end: int) -> _Stretch:
        stretch = _Stretch(
            offset=self._start,
            line=self._line,
            size=self._dropped_bytes + end,
            data=self._kept or bytes(self._buffer[:end]),
        )
        self._line += self._dropped_lines + self._buffer.count(b"\n", 0, end)
        self._start += stretch.size
        del self._buffer[:end]
        self._scan = 0
        self._kept = b""
        self._dropped_bytes = self._dropped_lines = 0
        return stretch
