"""Where grades go: one line of JSON each, or a line for people on a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fanwise.cli.standard import put_whole
from fanwise.errors import ConfigError, JournalUnavailable


def for_people(line: Mapping[str, Any]) -> str:
    """A grade in one line: verdict, score, whose answer, feedback."""
    if line["status"] != "graded":
        return f"{'ungraded':<9}      {line['id']}  {line['feedback']}"
    verdict = "correct" if line["is_correct"] else "wrong"
    return f"{verdict:<9} {line['score']:4.2f} {line['id']}  {line['feedback']}"


class GradeFile:
    """The file that ``-o`` names: whole lines as grades land, in the order of the table at the end.

    Args:
        path: The file.
        source: The table, which must not be overwritten.

    Raises:
        ConfigError: It is the table, a directory, in no directory, or something else's.
    """

    def __init__(self, path: str, *, source: str | None) -> None:
        self._path = Path(path)
        self._descriptor: int | None = None
        self._check(source)

    def _check(self, source: str | None) -> None:
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
                f"the output {path} is the table itself", hint="name another file with -o"
            )
        with path.open("rb") as file:
            begins = file.read(512)
        if begins and not (begins.startswith(b'{"id":') and b'"status":' in begins):
            raise ConfigError(
                f"the output {path} exists and holds something else than grades",
                hint="name another file with -o, or remove it",
            )

    def start(self) -> None:
        """Makes the file empty; a resumed run tells of everything again.

        Raises:
            JournalUnavailable: It cannot be written.
        """
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
            self._descriptor = os.open(self._path, flags, 0o666)
        except OSError as error:
            raise self._unwritable(error) from error

    def add(self, line: bytes) -> None:
        """Adds a whole line in one write.

        Raises:
            JournalUnavailable: It cannot be written; the grade is safe in the journal.
        """
        assert self._descriptor is not None
        try:
            put_whole(self._descriptor, line)
        except OSError as error:
            raise self._unwritable(error) from error

    def finish(self, lines: Iterable[str]) -> None:
        """Puts these lines in place of the file's, in one step."""
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

    def _unwritable(self, error: OSError) -> JournalUnavailable:
        return JournalUnavailable(
            f"the output {self._path} cannot be written: {error.strerror}",
            hint="the grades are safe in the journal: mend it, then `fanwise resume`",
        )
