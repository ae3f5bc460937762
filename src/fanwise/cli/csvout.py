"""Results as CSV for spreadsheets, which must not run what a model wrote."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TextIO, cast

from fanwise.cells import safe_cell
from fanwise.cli.display import to_json

_PLAIN = ("id", "model", "output", "error")
_FIGURES = ("input_tokens", "output_tokens", "cost_usd", "attempts", "latency_ms", "cached")
_safe = partial(safe_cell, to_json=to_json)


def write_csv(rows: Callable[[], Iterable[Mapping[str, Any]]], file: TextIO) -> int:
    """Writes result lines as CSV, one column for every key of an item and of an output object.

    Args:
        rows: Gives the result lines from their beginning; called twice, since the columns have to
            be known before the first row. A line that is no item's has all of it under ``flat``.
        file: Where to, opened with ``newline=""``.

    Returns:
        How many rows were written.
    """
    columns: dict[str, None] = dict.fromkeys(_PLAIN)
    found: dict[str, None] = {}
    for row in rows():
        if "flat" in row:
            return _write_flat(rows, csv.writer(file, lineterminator="\n"))
        for part in ("item", "output"):
            value = row.get(part)
            if isinstance(value, Mapping):
                keys = cast("Mapping[str, Any]", value)
                found.update(dict.fromkeys(f"{part}.{key}" for key in keys))
            elif part == "item" and value is not None:
                found["item"] = None
    names = [*columns, *found, *_FIGURES]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([_safe(name) for name in names])
    count = 0
    for row in rows():
        cells = _cells(row)
        writer.writerow([_safe(cells.get(name)) for name in names])
        count += 1
    return count


def _write_flat(rows: Callable[[], Iterable[Mapping[str, Any]]], writer: Any) -> int:
    count = 0
    for row in rows():
        if not count:
            writer.writerow(row["flat"])
        writer.writerow([_safe(cell) for cell in row["flat"].values()])
        count += 1
    return count


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {name: row.get(name) for name in ("id", "model", *_FIGURES)}
    cells.update(row.get("usage") or {})
    error = row.get("error")
    cells["error"] = f"{error['kind']}: {error['message']}" if error else None
    for part in ("item", "output"):
        value = row.get(part)
        if isinstance(value, Mapping):
            inner = cast("Mapping[str, Any]", value)
            cells.update({f"{part}.{key}": cell for key, cell in inner.items()})
        else:
            cells[part] = value
    return cells
