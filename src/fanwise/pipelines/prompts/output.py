"""The output file: a projection of the journal, one whole line an item.

Lines are added after their items' ends are durable, each in one write, so that whoever reads the
file at any moment sees whole lines only. Where a run is resumed, the file is made anew from the
journal and put in the old one's place in one step; lines that an earlier crash cut, or that a
retry made untrue, are gone then.

While it is open, a file is locked (``flock``): a second process that wrote or replaced it would
leave the first one's lines in a file that has no name any more.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from fanwise.errors import ConfigError, Conflict, JournalUnavailable
from fanwise.pipelines.prompts.lines import is_batch, output_line
from fanwise.records import ItemRecord

STDOUT = "-"
_BUFFER_BYTES = 1024 * 1024
_FIRST_LINE_BYTES = 1024 * 1024
_FIELDS = ({"id", "item", "model", "output", "error"}, {"id", "custom_id", "response", "error"})


class OutputFile:
    """Where a run's lines go.

    Failed Batch lines go to a file of their own beside it (``out.errors.jsonl`` for
    ``out.jsonl``), as OpenAI keeps them apart; on standard output all lines stand together.

    Args:
        path: The file; ``-`` or ``None`` for standard output.
        inputs: Files that must not be overwritten.
        stdout: What ``-`` writes to; the process's standard output by default.

    Raises:
        ConfigError: The file is an input, a directory, in no directory, or holds what no run of
            ours wrote.
    """

    def __init__(
        self,
        path: str | Path | None,
        *,
        inputs: Sequence[str | Path] = (),
        stdout: BinaryIO | None = None,
    ) -> None:
        self._stdout = stdout
        self.path = None if path is None or str(path) == STDOUT else Path(path)
        self.errors_path = None if self.path is None else _errors_path(self.path)
        self.lines = 0
        self.error_lines = 0
        self._files: dict[Path, int] = {}
        self._errors_are_ours = False  # whether the errors file holds this run's errors only
        for file in (self.path, self.errors_path):
            if file is not None:
                _check(file, inputs)

    def __repr__(self) -> str:
        place = self.path or "standard output"
        return f"<OutputFile {place}: {self.lines} lines, {self.error_lines} errors>"

    @property
    def replaceable(self) -> bool:
        """Whether it can be made anew: it is a file, and no pipe, terminal or device."""
        return self.path is not None and (self.path.is_file() or not self.path.exists())

    def start(self, records: Iterable[ItemRecord] = ()) -> None:
        """Begins the file with these items, in place of whatever it held.

        Raises:
            Conflict: Another process is writing it.
            JournalUnavailable: It cannot be written; what the journal holds is safe.
        """
        self.close()
        self.lines = self.error_lines = 0
        self._errors_are_ours = False
        if self.path is None:
            return
        if not self.replaceable:
            self._open(self.path)
            return
        if _is_being_written(self.path):
            raise _taken(self.path)
        _Projection(self).write(records)
        self._open(self.path)

    def add(self, record: ItemRecord) -> None:
        """Adds an item's line, in one write.

        Raises:
            JournalUnavailable: It cannot be written; the item is safe in the journal.
            BrokenPipeError: Whoever read standard output has gone.
        """
        data = _encoded(record)
        if self.path is None:
            out = self._stdout if self._stdout is not None else sys.stdout.buffer
            out.write(data)
            out.flush()
        else:
            if is_batch(record):
                self.drop_old_errors()
            self._append(self.place_of(record), data)
        self.count(record)

    def drop_old_errors(self) -> None:
        """Removes the errors file of an earlier run, once it is known that this one may have its
        own.
        """
        if not self._errors_are_ours and self.errors_path is not None and self.replaceable:
            self.errors_path.unlink(missing_ok=True)
        self._errors_are_ours = True

    def close(self) -> None:
        """Closes what is open. Nothing is buffered."""
        while self._files:
            _, descriptor = self._files.popitem()
            os.close(descriptor)

    def place_of(self, record: ItemRecord) -> Path:
        """The file that an item's line belongs into."""
        assert self.path is not None
        assert self.errors_path is not None
        apart = record.state != "succeeded" and is_batch(record) and self.replaceable
        return self.errors_path if apart else self.path

    def count(self, record: ItemRecord) -> None:
        """Counts a line that was written."""
        self.lines += 1
        self.error_lines += record.state != "succeeded"

    def _open(self, path: Path) -> int:
        descriptor = self._files.get(path)
        if descriptor is None:
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            except OSError as error:
                raise _unwritable(path, error) from error
            self._files[path] = descriptor
            if self.replaceable and _is_taken(descriptor):
                raise _taken(path)
        return descriptor

    def _append(self, path: Path, data: bytes) -> None:
        descriptor = self._open(path)
        written = 0
        try:
            written = os.write(descriptor, data)
            while written < len(data):
                written += os.write(descriptor, data[written:])
        except OSError as error:
            if written and self.replaceable:
                # The disk filled up in the middle of the line: no half a line is left behind.
                os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
            raise _unwritable(path, error) from error


class _Projection:
    """Writes a file anew beside the old one, then puts it in its place."""

    def __init__(self, output: OutputFile) -> None:
        self._output = output
        self._files: dict[Path, BinaryIO] = {}

    def write(self, records: Iterable[ItemRecord]) -> None:
        assert self._output.path is not None
        path = self._output.path
        has_batch_lines = False
        try:
            self._file(path)
            for record in records:
                path = self._output.place_of(record)
                self._file(path).write(_encoded(record))
                self._output.count(record)
                has_batch_lines = has_batch_lines or is_batch(record)
            if has_batch_lines:
                self._output.drop_old_errors()
            for path, file in self._files.items():
                file.flush()
                os.fsync(file.fileno())
                file.close()
                _beside(path).replace(path)
        except OSError as error:
            raise _unwritable(path, error) from error
        finally:
            for path, file in self._files.items():
                file.close()
                _beside(path).unlink(missing_ok=True)

    def _file(self, path: Path) -> BinaryIO:
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = _beside(path).open("wb", buffering=_BUFFER_BYTES)
        return file


def projected(
    records: Iterable[ItemRecord], *, keep: Callable[[str], bool], stale: list[str]
) -> Iterator[ItemRecord]:
    """The items that are still in the source; the first few ids of the others go to ``stale``."""
    for record in records:
        if keep(record.item_id):
            yield record
        elif len(stale) < 1000:
            stale.append(record.item_id)


def _encoded(record: ItemRecord) -> bytes:
    return orjson.dumps(output_line(record), option=orjson.OPT_APPEND_NEWLINE)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")  # one name: what a killed run left is replaced


def _errors_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}.errors{path.suffix or '.jsonl'}")


def _check(path: Path, inputs: Sequence[str | Path]) -> None:
    if not path.parent.is_dir():
        raise ConfigError(
            f"the output {path} is in a directory that does not exist",
            hint=f"make it: mkdir -p {path.parent}",
        )
    if not path.exists():
        return
    if path.is_dir():
        raise ConfigError(f"the output {path} is a directory", hint="name a file in it")
    for source in inputs:
        if Path(source).exists() and path.samefile(source):
            raise ConfigError(
                f"the output {path} is the input itself", hint="name another file with -o"
            )
    if path.is_file() and not _is_ours(path):
        raise ConfigError(
            f"the output {path} exists and holds something else than results",
            hint="name another file with -o, or remove it",
        )


def _is_ours(path: Path) -> bool:
    """Whether a file is empty or begins with a line as this module writes them."""
    try:
        with path.open("rb") as file:
            start = file.readline(_FIRST_LINE_BYTES)
    except OSError as error:
        raise ConfigError(
            f"the output {path} cannot be read: {error.strerror}", hint="check its permissions"
        ) from error
    if len(start) == _FIRST_LINE_BYTES:
        return start.startswith((b'{"id":"', b'{"custom_id":"'))
    try:
        first: Any = orjson.loads(start) if start.strip() else {}
    except orjson.JSONDecodeError:
        return False
    if not isinstance(first, dict):
        return False
    return not first or any(first.keys() >= fields for fields in _FIELDS)


def _is_being_written(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return _is_taken(descriptor)
    finally:
        os.close(descriptor)


def _is_taken(descriptor: int) -> bool:
    """Takes the file's lock, until the descriptor is closed; true where another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a filesystem without locks
    return False


def _taken(path: Path) -> Conflict:
    return Conflict(
        f"the output {path} is being written by another process",
        hint="`fanwise list` shows what is live: wait for its end, or name another file with -o",
    )


def _unwritable(path: Path, error: OSError) -> JournalUnavailable:
    return JournalUnavailable(
        f"the output {path} cannot be written: {error.strerror}",
        hint="what was paid for is safe in the journal: mend it, then `fanwise resume`, or write "
        "the results elsewhere with `fanwise export`",
    )
