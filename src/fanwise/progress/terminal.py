"""A run on a terminal: the live panel and the final report, drawn with rich.

Import it only where something is drawn: rich is not cheap to import.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TextIO

from rich.box import ROUNDED, SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fanwise.progress.lines import cost, done_of, share_of
from fanwise.progress.live import Snapshot
from fanwise.progress.report import Report
from fanwise.progress.tallies import AmbiguousCall, ErrorGroup, HedgeReport, ModelReport
from fanwise.progress.words import (
    MACHINE_BOUND,
    budget,
    compact,
    duration,
    gained,
    learned_limit,
    money,
    number,
    percent,
    plain,
    run_ended,
    time_left,
)
from fanwise.records import Cause, Counters

_LISTED = 5
_BAR = 30
CAUSE_STYLES: dict[Cause, str] = {
    "rate": "yellow",
    "tokens": "magenta",
    "concurrency": "cyan",
    "retry wait": "red",
    "budget": "bright_yellow",
    "paused": "bright_black",
    "source": "blue",
    "cpu": "bright_red",
    "nothing": "green",
}


def console_for(stream: TextIO, *, width: int | None = None) -> Console:
    """A console on a stream; without colour off a terminal and under ``NO_COLOR``.

    Args:
        stream: Where it writes.
        width: Columns; the terminal's own, or 100 off a terminal, if omitted.
    """
    if width is None and not stream.isatty():
        width = 100
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


# The live panel.


def live_panel(snapshot: Snapshot, *, name: str) -> RenderableType:
    """A run at one instant, in a panel for 60 columns or more.

    Args:
        snapshot: The run.
        name: What stands on the panel.
    """
    body: list[RenderableType] = [_bar(snapshot), _figures(snapshot)]
    if len(snapshot.models) > 1:
        body.append(_open_models(snapshot))
    if snapshot.budgets:
        body.append(Text.assemble(("Budget      ", "dim"), budget(snapshot.budgets)))
    style = CAUSE_STYLES[snapshot.limited_by]
    body.append(Text.assemble(("Limited by  ", "dim"), (plain(snapshot.what_limits), style)))
    body += [Text.assemble(("Alert       ", "dim"), (one, "red")) for one in snapshot.alerts]
    title = Text(plain(name, most=60), style="bold")
    return Panel(Group(*body), title=title, title_align="left", box=ROUNDED, border_style="dim")


def _bar(snapshot: Snapshot) -> RenderableType:
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_column(ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    total = None if snapshot.share is None else 1.0
    bar = ProgressBar(
        total=total,
        completed=snapshot.share or 0.0,
        pulse=total is None,
        animation_time=snapshot.elapsed_s,
        complete_style="cyan",
        finished_style="green",
    )
    grid.add_row(bar, Text(done_of(snapshot), style="bold"), Text(share_of(snapshot)))
    return grid


def _figures(snapshot: Snapshot) -> RenderableType:
    limit = snapshot.concurrency_limit
    about = "~" if snapshot.concurrency_learned else ""
    of = "" if limit == math.inf else f" of {about}{number(limit)}"
    failed = Text(number(snapshot.items_failed), style="red" if snapshot.items_failed else "")
    cells: list[tuple[str, str | Text]] = [
        ("succeeded", number(snapshot.items_succeeded)),
        ("failed", failed),
        ("items/s", number(snapshot.items_per_s)),
        ("in flight", f"{number(snapshot.in_flight)}{of}"),
        ("waiting", number(snapshot.waiting)),
        ("tokens/s", number(snapshot.tokens_per_s)),
        ("refused", number(snapshot.refusals)),
        ("retries", number(snapshot.retries)),
        ("cost", cost(snapshot)),
        ("cached", number(snapshot.items_cached)),
        ("elapsed", duration(snapshot.elapsed_s)),
        ("left", time_left(snapshot.eta_low_s, snapshot.eta_high_s)),
    ]
    return _grid(cells, across=3)


def _grid(cells: Sequence[tuple[str, str | Text]], *, across: int) -> Table:
    grid = Table.grid(padding=(0, 1))
    for place in range(across):
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(min_width=0 if place == across - 1 else 13, no_wrap=True)
    for place in range(0, len(cells), across):
        row: list[str | Text] = []
        for label, value in cells[place : place + across]:
            row.extend((label, value))
        grid.add_row(*row)
    return grid


def _open_models(snapshot: Snapshot) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    for _ in range(4):
        grid.add_column(no_wrap=True)
    for model in snapshot.models[:_LISTED]:
        failed = f"{number(model.failed)} failed" if model.failed else ""
        grid.add_row(
            plain(model.model, most=36),
            Text(f"{number(model.open)} open", style="dim"),
            Text(f"{number(model.served + model.cached)} done", style="dim"),
            Text(failed, style="red"),
        )
    further = len(snapshot.models) - _LISTED
    if further > 0:
        grid.add_row(Text(f"and {further} more", style="dim"))
    return grid


# The final report.


def report_view(report: Report, *, width: int = 80) -> RenderableType:
    """A run's report for 80 columns or more.

    Args:
        report: The report.
        width: Columns there are; from 100 on the table of models has more columns.
    """
    return Group(*_sections(report, wide=width >= 100))


def _sections(report: Report, *, wide: bool) -> Iterator[RenderableType]:
    yield _headline(report)
    yield _comparison(report)
    yield Text()
    yield _gain(report)
    if report.budgets:
        yield Text(f"\nBudget: {budget(report.budgets)}")
    yield _heading("What limited it")
    yield _limits(report)
    yield from _learned(report)
    if report.machine_bound:
        yield Text(MACHINE_BOUND, style="yellow")
    if report.models:
        yield _heading("Models")
        yield _models(report.models, wide=wide)
    if report.errors:
        yield _heading("Errors")
        yield from _errors(report.errors)
    if report.alerts:
        yield _heading("Alerts")
        for alert in report.alerts[:_LISTED]:
            yield Text(f"{alert['kind']}: {alert['reason']}")
        if len(report.alerts) > _LISTED:
            yield Text(f"and {len(report.alerts) - _LISTED} more", style="dim")
    if report.hedges is not None:
        yield _heading("Hedges")
        yield Text(_hedged(report.hedges))
    if report.ambiguous_count:
        yield _heading("Possibly paid twice")
        yield from _ambiguous(report)


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _headline(report: Report) -> Text:
    counters = report.counters
    failed = f", {number(counters.failed)} failed" if counters.failed else ", none failed"
    cached = f", {number(counters.cached)} cached" if counters.cached else ""
    style = "green" if report.run.status == "finished" and not counters.failed else "yellow"
    return Text.assemble(
        (f"{run_ended(report.run.status)} {duration(report.wall_s)}", f"bold {style}"),
        f": {number(counters.succeeded)} of {number(report.items_total)} items succeeded",
        (failed, "red" if counters.failed else ""),
        cached,
    )


def _nothing_served(counters: Counters) -> str:
    if counters.attempts:
        return "Nothing was served"
    known = counters.succeeded and not counters.failed
    return "Nothing was sent" + (": every answer was known already" if known else "")


def _comparison(report: Report) -> Text:
    if report.speedup is None or not report.sequential_s:
        return Text(_nothing_served(report.counters), style="dim")
    took = duration(report.sequential_s)
    return Text.assemble(
        f"One call after another: {took}, ",
        (f"{number(report.speedup)} × as long", "bold"),
    )


def _gain(report: Report) -> RenderableType:
    counters = report.counters
    speedup = "?" if report.speedup is None else f"{number(report.speedup)} ×"
    known = money(counters.cost_usd) if counters.cost_usd else ""
    spent = f"{known} + ?" if report.cost_usd is None and known else money(report.cost_usd)
    cells: list[tuple[str, str | Text]] = [
        ("service time", duration(report.sequential_s)),
        ("calls", number(counters.calls)),
        ("speedup", Text(speedup, style="bold")),
        ("attempts", number(counters.attempts)),
        ("saved", duration(report.savings_s)),
        ("refused", number(report.refusals)),
        ("efficiency", gained(report.efficiency)),
        ("retries", number(report.retries)),
        ("utilisation", percent(report.utilisation)),
        ("tokens in", number(counters.input_tokens)),
        ("critical path", duration(report.critical_path_s)),
        ("tokens out", number(counters.output_tokens)),
        ("sessions", _sessions(report)),
        ("cost", spent),
    ]
    return _grid(cells, across=2)


def _sessions(report: Report) -> str:
    count = len(report.sessions)
    return f"{count}, {number(report.kills)} cut short" if report.kills else str(count)


def _limits(report: Report) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    for cause, share in report.limited_by.items():
        filled = max(1, round(share * _BAR))
        # Length alone must tell the share: there may be no colour.
        bar = Text.assemble(("█" * filled, CAUSE_STYLES[cause]), ("·" * (_BAR - filled), "dim"))
        grid.add_row(cause, bar, percent(share))
    return grid


def _learned(report: Report) -> Iterator[RenderableType]:
    for pool, found in report.learned.items():
        rpm, stated = found.get("rpm"), found.get("stated", {}).get("requests")
        known = learned_limit(rpm, found.get("concurrency"))
        if known and not (rpm and stated and stated <= rpm):  # what was stated bound sooner
            yield Text(f"Learned of {plain(pool, most=60)}: {known}", style="dim")


def _models(models: Sequence[ModelReport], *, wide: bool) -> RenderableType:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("model", overflow="fold")
    further = ("refused", "retries") if wide else ()
    for name in ("calls", "p50", "p95", "p99", "tokens in/out", *further, "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    for model in models:
        tokens = f"{compact(model.input_tokens)}/{compact(model.output_tokens)}"
        counts = (number(model.refusals), number(model.retries)) if wide else ()
        table.add_row(
            plain(model.model, most=80),
            number(model.calls),
            duration(model.p50_s),
            duration(model.p95_s),
            duration(model.p99_s),
            tokens,
            *counts,
            money(model.cost_usd),
        )
    return table


def _hedged(hedges: HedgeReport) -> str:
    said = f"{number(hedges.sent)} sent as their calls stalled, {number(hedges.won)} answered first"
    if not hedges.lost:
        return said
    return (
        f"{said}; {number(hedges.lost)} sends were cancelled, perhaps paid, "
        f"and are counted with {money(hedges.lost_usd)}"
    )


def _errors(groups: Sequence[ErrorGroup]) -> Iterator[RenderableType]:
    for group in groups[:_LISTED]:
        yield Text.assemble(
            (f"{number(group.count)} × {plain(group.kind, most=40)}  ", "red"),
            plain(group.message, most=200),
        )
        ids = ", ".join(plain(item_id, most=30) for item_id in group.item_ids[:3])
        more = ", …" if group.count > 3 else ""
        yield Text(f"    {ids}{more}", style="dim")
        if group.hint:
            yield Text(f"    {plain(group.hint, most=200)}", style="dim italic")
    if len(groups) > _LISTED:
        yield Text(f"and {len(groups) - _LISTED} more kinds", style="dim")


def _ambiguous(report: Report) -> Iterator[RenderableType]:
    count = number(report.ambiguous_count)
    yield Text(f"{count} calls were in flight when the run was cut short:")
    for call in report.ambiguous[:_LISTED]:
        yield Text(f"    {_ambiguous_line(call)}", style="dim")
    if report.ambiguous_count > _LISTED:
        yield Text("    the JSON summary and the HTML report list them all", style="dim")


def _ambiguous_line(call: AmbiguousCall) -> str:
    sent = "not sent again" if not call.resends else f"sent again {number(call.resends)} ×"
    return f"{plain(call.item_id, most=60)}, {plain(call.model, most=60)}, {sent}, {call.state}"


def print_report(report: Report, *, stream: TextIO, width: int | None = None) -> None:
    """Writes the report to a stream.

    Args:
        report: The report.
        stream: Where to.
        width: Columns; see :func:`console_for`.
    """
    console = console_for(stream, width=width)
    console.print(report_view(report, width=console.width))
