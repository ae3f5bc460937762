"""The file that ``-o`` names, where a command writes one line for each part of its result."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fanwise.cli.standard import put_whole
from fanwise.errors import ConfigError, JournalUnavailable

_READ_BYTES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class LineKind:
    """What a command's lines are, and how a file of them is known again.

    Args:
        holds: What the lines are, such as ``grades``.
        read: What the command reads, such as ``table``.
        begins: How the first line begins.
        names: What stands in the first line besides.
    """

    holds: str
    read: str
    begins: bytes
    names: bytes = b""


class LineFile:
    """Whole lines at any moment, made anew from the journal by each session.

    Args:
        path: The file.
        kind: What it holds. Another file of the kind is written over, anything else is not.
        source: What the command reads, which must not be overwritten.

    Raises:
        ConfigError: It is what the command reads, a directory, in no directory, or something
            else's.
    """

    def __init__(self, path: str, *, kind: LineKind, source: str | Path | None) -> None:
        self._path = Path(path)
        self._kind = kind
        self._descriptor: int | None = None
        self._check(source)

    def _check(self, source: str | Path | None) -> None:
        path = self._path
        if not path.parent.is_dir():
            raise ConfigError(
                f"the output {path} is in a directory that does not exist",
                hint=f"make it: mkdir -p {path.parent}",
            )
        if path.is_dir():
            raise ConfigError(f"the output {path} is a directory", hint="name a file in it")
        if not path.exists():
            return
        if source is not None and Path(source).exists() and path.samefile(source):
            raise ConfigError(
                f"the output {path} is the {self._kind.read} itself",
                hint="name another file with -o",
            )
        with path.open("rb") as file:
            found = file.read(_READ_BYTES)
        if found and not (found.startswith(self._kind.begins) and self._kind.names in found):
            raise ConfigError(
                f"the output {path} exists and holds something else than {self._kind.holds}",
                hint="name another file with -o, or remove it",
            )

    def start(self) -> None:
        """Makes the file empty: a resumed run tells of everything again.

        Raises:
            JournalUnavailable: It cannot be written.
        """
        self._open(os.O_CREAT | os.O_TRUNC)

    def start_with(self, lines: Iterable[str]) -> None:
        """Puts these lines in place of the file's, in one step; more are added to them.

        Raises:
            JournalUnavailable: It cannot be written; what the journal holds is safe.
        """
        self.finish(lines)
        self._open(0)

    def add(self, lines: bytes) -> None:
        """Adds whole lines in one write.

        Raises:
            JournalUnavailable: They cannot be written; they are safe in the journal.
        """
        assert self._descriptor is not None
        try:
            put_whole(self._descriptor, lines)
        except OSError as error:
            raise self._unwritable(error) from error

    def finish(self, lines: Iterable[str]) -> None:
        """Puts these lines in place of the file's, in one step, and closes it.

        Raises:
            JournalUnavailable: It cannot be written; what the journal holds is safe.
        """
        self.close()
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        try:
            with beside.open("w", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in lines)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            beside.unlink(missing_ok=True)

    def close(self) -> None:
        """Closes the file; nothing is buffered."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _open(self, flags: int) -> None:
        self.close()
        try:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | flags, 0o666)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> JournalUnavailable:
        return JournalUnavailable(
            f"the output {self._path} cannot be written: {error.strerror}",
            hint=f"the {self._kind.holds} are safe in the journal: mend it, then `fanwise resume`",
        )
