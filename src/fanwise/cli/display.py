"""Plain output: sentences on stderr, data on stdout, tables that survive a pipe."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson

from fanwise.cli.failures import printable

_WIDE = 10_000


def say(sentence: str, *, quiet: bool = False) -> None:
    """One line for people, on stderr."""
    if not quiet:
        sys.stderr.write(printable(sentence) + "\n")
        sys.stderr.flush()


def put(text: str) -> None:
    """One line of data for people, on stdout."""
    sys.stdout.write(printable(text) + "\n")


def put_json(value: object) -> None:
    """One JSON value on one line, on stdout."""
    sys.stdout.write(to_json(value) + "\n")
    sys.stdout.flush()


def to_json(value: object) -> str:
    """JSON of records and of plain values; money becomes a number."""
    options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(value, default=_plain, option=options).decode()


def _plain(value: object) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: getattr(value, field.name)
            for field in dataclasses.fields(value)
            if field.repr
        }
    if isinstance(value, Sequence):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    raise TypeError(type(value).__name__)


def put_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()
) -> None:
    """A table on stdout: coloured headings on a terminal, plain aligned text elsewhere.

    Args:
        columns: Headings.
        rows: Cells; one a column.
        right: Headings of the columns that are aligned to the right.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        last = column == columns[-1]
        table.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=not last,
            overflow="ellipsis" if not last else "fold",
        )
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    terminal = sys.stdout.isatty()
    width = None if terminal else _WIDE
    console = Console(file=sys.stdout, width=width, highlight=False, soft_wrap=False)
    with console.capture() as captured:
        console.print(table)
    text = captured.get()
    if not terminal:
        text = "".join(line.rstrip() + "\n" for line in text.splitlines())
    sys.stdout.write(text)


def put_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Names and values on stdout, aligned; those without a value are left out."""
    known = [(name, value) for name, value in facts if value]
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        put(f"{name:{width}}  {value}")


def ago(instant: float, *, now: float | None = None) -> str:
    """How long ago an instant was, coarsely: ``12 s``, ``3 min``, ``5 h``, ``2 d``."""
    seconds = max(0.0, (time.time() if now is None else now) - instant)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def at(instant: float) -> str:
    """An instant in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(instant))


def plural(count: int, noun: str) -> str:
    """``1 item``, ``2 items``, ``1,234 items``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def animated() -> bool:
    """Whether progress may move: stderr is a terminal, and nobody asked for plain text."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
