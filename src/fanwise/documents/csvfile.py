"""CSV: a header, then rows with as many fields, quoted line breaks included."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator

from fanwise.documents.row import Row, id_of
from fanwise.documents.sources import MAX_LINE_BYTES, Lines
from fanwise.errors import InputError

_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"')
_SEPARATOR_LINE = re.compile(r"^sep=(.)\r?$", re.IGNORECASE)  # written by spreadsheet programs


def csv_rows(lines: Lines, *, delimiter: str | None = None) -> Iterator[Row]:
    """The rows of a CSV stream; every value is text, blank lines are passed over.

    Args:
        lines: The stream.
        delimiter: The separator; by default the one that is most frequent in the header.

    Raises:
        InputError: A row has more or fewer fields than the header, a quote is never closed, or
            two columns have one name.
    """
    # The limit is the csv module's own and holds for the process; it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    feed = _Feed(lines)
    first = feed.peek()
    if first is None:
        return
    named = _SEPARATOR_LINE.match(first)
    if named:
        next(feed)
    header_line = feed.peek() or ""
    reader = csv.reader(
        feed,
        delimiter=named[1] if named else delimiter or _delimiter(header_line),
        strict=True,
    )
    columns: list[str] | None = None
    position = 0
    while True:
        start = feed.next_number()
        feed.record_bytes = 0
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _bad_record(feed, start, error) from error
        if not fields:
            continue
        if columns is None:
            columns = _columns(fields, feed, start)
            continue
        if len(fields) != len(columns):
            raise _wrong_count(feed, start, fields, columns)
        data = dict(zip(columns, fields, strict=True))
        given = id_of(data, where=f"{feed.name}, line {start}")
        yield Row(given, position, start, data)
        position += 1


class _Feed:
    """The stream's lines as text, with one line of look-ahead and a bound on one record."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._iterator = iter(lines)
        self._ahead: str | None = None
        self.name = lines.name
        self.record_bytes = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._ahead is not None:
            text, self._ahead = self._ahead, None
            return text
        line = next(self._iterator)
        self.record_bytes += len(line) + 1
        if self.record_bytes > MAX_LINE_BYTES:
            raise csv.Error("unexpected end of data")
        return self._lines.text(line) + "\n"

    def peek(self) -> str | None:
        """The next line that is not blank, without taking it."""
        while self._ahead is None or not self._ahead.strip():
            self._ahead = None
            text = next(self, None)
            if text is None:
                return None
            self._ahead = text
        return self._ahead

    def next_number(self) -> int:
        """The number of the line that comes next."""
        return self._lines.number + (1 if self._ahead is None else 0)


def _delimiter(header: str) -> str:
    counts = Counter(_QUOTED.sub("", header))
    return max(_DELIMITERS, key=lambda candidate: counts[candidate])


def _columns(fields: list[str], feed: _Feed, line: int) -> list[str]:
    names = [field.strip() or f"column_{number}" for number, field in enumerate(fields, start=1)]
    double = [name for name, count in Counter(names).items() if count > 1]
    if double:
        places = [str(number) for number, name in enumerate(names, start=1) if name == double[0]]
        raise InputError(
            f"the header names {double[0]!r} twice, as columns {' and '.join(places)}",
            source=feed.name,
            line=line,
            hint="rename one of them",
        )
    return names


def _wrong_count(feed: _Feed, line: int, fields: list[str], columns: list[str]) -> InputError:
    shown = "; ".join(field[:30] for field in fields[:3])
    if len(fields) > len(columns):
        remedy = "quote the field that holds the separator"
    else:
        remedy = "give every column a field, or quote the field that holds a line break"
    return InputError(
        f"{len(fields)} fields where the header has {len(columns)} (it begins with {shown!r})",
        source=feed.name,
        line=line,
        hint=remedy,
    )


def _bad_record(feed: _Feed, line: int, error: csv.Error) -> InputError:
    reason = str(error)
    if "unexpected end of data" in reason or "field larger" in reason:
        message = "a quoted field begins in this row and is never closed"
        remedy = 'close the quote; a quote inside a quoted field is written twice: ""'
    elif "new-line character" in reason:
        message = "a carriage return stands alone in the row"
        remedy = "convert the line ends, for example: tr '\\r' '\\n' < FILE > converted"
    else:
        message = f"not valid CSV: {reason}"
        remedy = 'put the whole field in quotes; a quote inside it is written twice: ""'
    return InputError(message, source=feed.name, line=line, hint=remedy)
