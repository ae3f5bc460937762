"""Opening what a user named, and reading it line by line in bounded memory."""

from __future__ import annotations

import difflib
import gzip
import io
import os
import sys
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from fanwise.errors import InputError

MAX_LINE_BYTES = 16 * 1024 * 1024
STDIN = "-"
STDIN_NAME = "standard input"

_CHUNK_BYTES = 256 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def existing(source: str | Path) -> Path:
    """The path of something that is there, file or directory.

    Raises:
        InputError: It is not there; the nearest names beside it are in the hint.
    """
    path = Path(source)
    if str(source) == "":
        raise InputError("the name of the input is empty", hint="name a file, or - for stdin")
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            "there is no such file", source=str(source), hint=_near_names(path)
        ) from error
    except (OSError, ValueError) as error:
        raise _unreadable(str(source), error) from error
    return path


def existing_file(source: str | Path) -> Path:
    """Like :func:`existing`, for what has to be a file."""
    path = existing(source)
    if path.is_dir():
        raise InputError("is a directory, not a file", source=str(source), hint=_contents(path))
    return path


@contextmanager
def opened(source: str | Path, *, stdin: BinaryIO | None = None) -> Generator[io.BufferedReader]:
    """A file or ``-`` as a buffered stream of bytes; gzip is unpacked on the way.

    Args:
        source: The file, or ``-``.
        stdin: What ``-`` stands for; the process's standard input by default.

    Raises:
        InputError: It cannot be opened or, while the block runs, not be read or unpacked.
    """
    name = display_name(source)
    try:
        if str(source) == STDIN:
            yield _unpacked(_buffered(stdin if stdin is not None else sys.stdin.buffer))
        else:
            with existing_file(source).open("rb") as file:
                yield _unpacked(file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"the gzip data is damaged or cut off: {error}",
            source=name,
            hint="fetch or pack the file again",
        ) from error
    except OSError as error:
        raise _unreadable(name, error) from error


def display_name(source: str | Path) -> str:
    """What a source is called in messages."""
    return STDIN_NAME if str(source) == STDIN else str(source)


class Lines:
    r"""The lines of a stream, without their ``\n``, and where the last one stood.

    Args:
        stream: The bytes; read only as far as lines are asked for, and never waited on for more
            than the next piece, so that a pipe's rows arrive as they are written.
        name: What the source is called in messages.

    Attributes:
        number: The last line's number, 1-based.
        offset: Its first byte's offset.
        cut: Whether the stream ended inside it, without a line end.
    """

    def __init__(self, stream: io.BufferedReader, *, name: str) -> None:
        self._stream = stream
        self.name = name
        self.number = 0
        self.offset = 0
        self.cut = False

    def __iter__(self) -> Iterator[bytes]:
        next_offset = self._skip_bom()
        pending: list[bytes] = []
        size = 0
        while chunk := self._stream.read1(_CHUNK_BYTES):
            pieces = chunk.split(b"\n")
            last = pieces.pop()
            if pieces:
                pending.append(pieces[0])
                pieces[0] = b"".join(pending)
                pending, size = [], 0
                for line in pieces:
                    self.number += 1
                    self.offset = next_offset
                    next_offset += len(line) + 1
                    yield line
            pending.append(last)
            size += len(last)
            if size > MAX_LINE_BYTES:
                self.number += 1
                raise InputError(
                    f"the line is longer than {MAX_LINE_BYTES // 1024 // 1024} MB",
                    source=self.name,
                    line=self.number,
                    offset=next_offset,
                    hint="one row stands on one line; is this one JSON document or a binary file?",
                )
        if size:
            self.number += 1
            self.offset = next_offset
            self.cut = True
            yield b"".join(pending)

    def error(self, message: str, *, hint: str, at: int | None = None) -> InputError:
        """An error about the last line; ``at`` is the place in it, in bytes."""
        offset = None if at is None else self.offset + at
        return InputError(message, source=self.name, line=self.number, offset=offset, hint=hint)

    def text(self, line: bytes) -> str:
        """The last line as text.

        Raises:
            InputError: It is not UTF-8, or holds a NUL byte.
        """
        if b"\0" in line:
            raise self.nul(line)
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise self.error(
                f"the byte 0x{line[error.start]:02x} is not valid UTF-8",
                at=error.start,
                hint=_iconv("WINDOWS-1252", self.name),
            ) from error

    def nul(self, line: bytes) -> InputError:
        """The error of a line that holds a NUL byte."""
        return self.error(
            "a NUL byte stands in the text",
            at=line.find(b"\0"),
            hint="the file is damaged, binary or UTF-16; " + _iconv("UTF-16", self.name),
        )

    def _skip_bom(self) -> int:
        head = self._stream.peek(3)[:3]
        if head == _UTF8_BOM:
            self._stream.read(3)
            return 3
        if head[:2] in _UTF16_BOMS:
            raise InputError(
                "the text is UTF-16, not UTF-8",
                source=self.name,
                line=1,
                offset=0,
                hint=_iconv("UTF-16", self.name),
            )
        return 0


def _iconv(encoding: str, name: str) -> str:
    file = "FILE" if name == STDIN_NAME else name
    return f"convert it, for example: iconv -f {encoding} -t UTF-8 {file} > converted"


def _buffered(stream: BinaryIO) -> io.BufferedReader:
    if isinstance(stream, io.BufferedReader):
        return cast("io.BufferedReader", stream)
    return _reader(stream)


def _reader(stream: object) -> io.BufferedReader:
    # Whatever has `readinto` will do, which is more than the type of the parameter says.
    raw: Any = stream
    return cast("io.BufferedReader", io.BufferedReader(raw))


def _unpacked(stream: io.BufferedReader) -> io.BufferedReader:
    if stream.peek(2)[:2] != _GZIP_MAGIC:
        return stream
    return _reader(gzip.GzipFile(fileobj=stream))


def _unreadable(name: str, error: Exception) -> InputError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InputError(
        f"cannot be read: {reason}", source=name, hint="check the name and its permissions"
    )


def _names(directory: Path) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entry.name for entry in islice(entries, 2000))
    except OSError:
        return []


def _near_names(path: Path) -> str:
    parent = path.parent
    if not parent.is_dir():
        return f"the directory {parent} does not exist either"
    names = _names(parent)
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
    near = near or [name for name in names if Path(name).stem == path.stem][:3]
    if near:
        return "did you mean " + " or ".join(str(parent / name) for name in near) + "?"
    return "check the name; relative names start at the current directory"


def _contents(path: Path) -> str:
    files = [name for name in _names(path) if not name.startswith(".")][:3]
    if not files:
        return "name a file; this directory is empty"
    return "name a file in it, such as " + " or ".join(str(path / name) for name in files)
