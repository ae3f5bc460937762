"""Tracked operations as text, and as a table on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from fanwise.progress.words import duration, gained, number, plain

if TYPE_CHECKING:
    from fanwise.progress.tracked import OperationReport, PathStep, TrackReport

_LISTED = 20
_STEPS = 12
_HEADS = ("operation", "count", "total", "mean", "p50", "max", "failed", "cancelled")


def as_text(report: TrackReport) -> str:
    """The report as plain lines, for logs."""
    lines = [headline(report), *(f"  {name:<14} {value}" for name, value in figures(report))]
    rows = [_HEADS, *(row(operation) for operation in report.operations[:_LISTED])]
    if report.operations:
        widths = [max(len(cells[place]) for cells in rows) for place in range(len(_HEADS))]
        lines.append("")
        lines.extend(_aligned(cells, widths) for cells in rows)
    lines.extend(f"  {sentence}" for sentence in _notes(report))
    return "\n".join(lines)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = [
        cell.rjust(width) if place else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  " + "  ".join([first, *rest]).rstrip()


def headline(report: TrackReport) -> str:
    """One sentence on what was bought."""
    took = f"{plain(report.name, most=80)}: {duration(report.total_s)}"
    if report.speedup is None or not report.sequential_s:
        return f"{took}, nothing was done"
    return f"{took}; one after another {duration(report.sequential_s)}"


def figures(report: TrackReport) -> Sequence[tuple[str, str]]:
    """The figures beside the operations, named."""
    mean = "?" if report.mean_running is None else number(report.mean_running)
    speedup = "?" if report.speedup is None else f"{report.speedup:.2f} ×"
    return (
        ("speedup", speedup),
        ("saved", duration(report.savings_s)),
        ("efficiency", gained(report.efficiency)),
        ("critical path", duration(report.critical_path_s)),
        ("at once", f"{mean} on average, {report.peak} at most"),
    )


def row(operation: OperationReport) -> tuple[str, ...]:
    """An operation's cells, under the heads of the table."""
    return (
        plain(operation.name, most=60),
        number(operation.count),
        duration(operation.total_s),
        duration(operation.mean_s),
        duration(operation.p50_s),
        duration(operation.max_s),
        number(operation.failed) if operation.failed else "",
        number(operation.cancelled) if operation.cancelled else "",
    )


def path_words(steps: Sequence[PathStep]) -> str:
    """The critical path's top level in words: ``parse 2.0 s → score 15.0 s``."""
    top = [step for step in steps if not step.depth]
    shown = [f"{plain(s.name, most=40)} {duration(s.end_s - s.begin_s)}" for s in top[:_STEPS]]
    further = [f"{number(len(top) - _STEPS)} more"] if len(top) > _STEPS else []
    return " → ".join(shown + further)


def _notes(report: TrackReport) -> Sequence[str]:
    notes: list[str] = []
    further = len(report.operations) - _LISTED
    if further > 0:
        notes.append(f"and {number(further)} more operations")
    if report.critical_path:
        notes.append(f"critical path: {path_words(report.critical_path)}")
    with_errors = [o for o in report.operations if o.error]
    notes.extend(
        f"{plain(o.name, most=60)}: {plain(o.error, most=200)}" for o in with_errors[:_LISTED]
    )
    if report.unrecorded:
        count = number(report.unrecorded)
        notes.append(f"{count} operations beyond max_spans ran and are in none of these figures")
    return notes


def print_table(
    report: TrackReport, *, stream: TextIO | None = None, width: int | None = None
) -> None:
    """Draws the report with rich; see :meth:`TrackReport.show`."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from fanwise.progress.terminal import console_for

    console = console_for(stream or sys.stdout, width=width)
    console.print(Text(headline(report), style="bold"))
    grid = Table.grid(padding=(0, 2))
    for name, value in figures(report):
        grid.add_row(Text(name, style="dim"), Text(value))
    console.print(grid)
    if report.operations:
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        table.add_column(_HEADS[0], overflow="fold")
        for head in _HEADS[1:]:
            table.add_column(head, justify="right", no_wrap=True)
        for operation in report.operations[:_LISTED]:
            first, *rest, failed, cancelled = row(operation)
            table.add_row(first, *rest, Text(failed, style="red"), Text(cancelled, style="yellow"))
        console.print()
        console.print(table)
    for sentence in _notes(report):
        console.print(Text(sentence, style="dim"))
