"""Items as CSV, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

_COLUMNS = (
    "id",
    "state",
    "model",
    "value",
    "error",
    "attempts",
    "cached",
    "cost_usd",
    "service_s",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """A header and one line a row; text that a spreadsheet takes for a formula gets a quote."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    for row in rows:
        yield _taken(file)
        error = row["error"]
        told = {**row, "error": "" if error is None else f"{error['kind']}: {error['message']}"}
        writer.writerow([_cell(told[name]) for name in _COLUMNS])
    yield _taken(file)


def _taken(file: io.StringIO) -> bytes:
    text = file.getvalue()
    file.seek(0)
    file.truncate()
    return text.encode()


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, (int, float)):
        return value
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return f"'{text}" if text.startswith(_FORMULA) else text
