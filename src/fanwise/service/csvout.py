"""Items as CSV, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from fanwise.cells import safe_cell

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


def csv_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """A header and one line a row; text that a spreadsheet takes for a formula gets a quote."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    for row in rows:
        yield _taken(file)
        error = row["error"]
        told = {**row, "error": "" if error is None else f"{error['kind']}: {error['message']}"}
        writer.writerow([safe_cell(told[name], to_json=_json) for name in _COLUMNS])
    yield _taken(file)


def _taken(file: io.StringIO) -> bytes:
    text = file.getvalue()
    file.seek(0)
    file.truncate()
    return text.encode()


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
