"""The report as one standalone HTML file: no script, no request to anywhere, all text escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from fanwise.progress import charts
from fanwise.progress.report import Report
from fanwise.progress.words import (
    MACHINE_BOUND,
    budget,
    compact,
    duration,
    gained,
    money,
    number,
    percent,
    plain,
    run_ended,
)
from fanwise.records import Cause

CAUSE_WORDS: Mapping[Cause, str] = {
    "rate": "calls waited for the limit of requests a minute",
    "tokens": "calls waited for the limit of tokens a minute",
    "concurrency": "calls waited for one of the calls at once that are allowed",
    "retry wait": "calls waited before they were sent again",
    "budget": "calls waited for what those under way would leave of the budget",
    "paused": "the run was paused, and nothing was sent",
    "source": "there was room for more calls than the source brought items",
    "cpu": "this machine's processor was busy",
    "nothing": "all work was in flight",
}


def render_html(report: Report) -> str:
    """The report as an HTML document.

    It holds everything it shows: no script, font, image or style comes from elsewhere, and its own
    content security policy forbids all of them. Texts from models, files and providers are shown as
    text. Its size is bounded by the report's: about 1.5 MB with 2000 calls in the waterfall.
    """
    return template("report.html").render(
        report=report,
        counters=report.counters,
        ended=run_ended(report.run.status),
        comparison=charts.comparison(report.wall_s, report.sequential_s),
        causes=CAUSE_WORDS,
        machine_bound=MACHINE_BOUND,
        budget=budget(report.budgets),
        marks=charts.time_marks(report.wall_s),
        seams=[100.0 * seam / report.wall_s for seam in report.seams if report.wall_s > 0.0],
        curve=charts.curve(report),
        lanes=charts.waterfall(report),
        width=charts.WIDTH,
    )


def template(name: str) -> Template:
    """A page's template, which escapes all that it is given."""
    environment = Environment(
        loader=PackageLoader("fanwise.progress"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        compact=compact,
        duration=duration,
        money=money,
        number=number,
        gained=gained,
        percent=percent,
        plain=plain,
        moment=_moment,
    )
    return environment.get_template(name)


def _moment(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
