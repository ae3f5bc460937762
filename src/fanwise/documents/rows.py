"""Rows of tables: JSON Lines, CSV, Parquet and standard input, streamed.

Memory does not grow with the file: a line is at most 16 MB, and a row is forgotten once it has
been handed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from fanwise.documents.csvfile import csv_rows
from fanwise.documents.jsonl import jsonl_rows
from fanwise.documents.row import Row
from fanwise.documents.sources import (
    STDIN,
    STDIN_NAME,
    Lines,
    display_name,
    existing_file,
    opened,
)
from fanwise.errors import ConfigError, InputError

Kind: TypeAlias = Literal["jsonl", "csv", "parquet"]

_ENDINGS: Mapping[str, Kind] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_PARQUET_MAGIC = b"PAR1"


def read_rows(
    source: str | Path,
    *,
    limit: int | None = None,
    kind: Kind | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[Row]:
    """The rows of a file, in its order.

    JSON Lines, CSV (``,`` ``;`` tab or ``|``, found out from the header) and Parquet (needs
    ``fanwise[parquet]``); the first two may be gzipped. What stands in a row is checked here; that
    ids differ is checked by :func:`fanwise.documents.identified`.

    Args:
        source: A file, or ``-`` for standard input.
        limit: Most rows to give, at least 1; ``None`` for all of them.
        kind: The format; by default found out from the name's ending, else from the first byte.
        stdin: What ``-`` stands for; the process's standard input by default.

    Raises:
        InputError: At the call, where the file is missing or a directory; while iterating, where
            its content cannot be read (encoding, half a line, wrong number of fields, a duplicate
            column, no rows at all). It names file, line, byte offset and remedy.
        ConfigError: ``limit`` is below 1.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"a limit of {limit} rows leaves nothing to do", hint="use 1 or more")
    if str(source) != STDIN:
        source = existing_file(source)
    rows = _rows(source, kind, stdin)
    return rows if limit is None else _first(rows, limit)


def _first(rows: Iterator[Row], limit: int) -> Iterator[Row]:
    try:
        yield from islice(rows, limit)
    finally:
        # The file is closed now and not when the collector comes round to the generator.
        close = getattr(rows, "close", None)
        if close is not None:
            close()


def _rows(source: str | Path, kind: Kind | None, stdin: BinaryIO | None) -> Iterator[Row]:
    name = display_name(source)
    with opened(source, stdin=stdin) as stream:
        head = stream.peek(64)[:64]
        found = _kind(source, kind, head)
        if found == "parquet":
            if name == STDIN_NAME:
                raise InputError(
                    "Parquet cannot be read from a pipe",
                    source=name,
                    hint="Parquet keeps its table of contents at its end: name the file",
                )
            from fanwise.documents.parquet import parquet_rows

            rows = parquet_rows(Path(source))
        elif found == "jsonl":
            rows = jsonl_rows(Lines(stream, name=name))
        else:
            delimiter = "\t" if _ending(source) == ".tsv" else None
            rows = csv_rows(Lines(stream, name=name), delimiter=delimiter)
        empty = True
        for row in rows:
            empty = False
            yield row
    if empty:
        raise InputError("holds no rows", source=name, hint="is it the right file?")


def _ending(source: str | Path) -> str:
    path = Path(source)
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()


def _kind(source: str | Path, kind: Kind | None, head: bytes) -> Kind:
    if kind is not None:
        return kind
    if head.startswith(_PARQUET_MAGIC):
        return "parquet"
    by_name = _ENDINGS.get(_ending(source))
    if by_name is not None:
        return by_name
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return "jsonl" if start[:1] in (b"{", b"[") else "csv"
