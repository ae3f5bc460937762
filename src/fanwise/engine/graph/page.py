"""A graph as one standalone HTML page: the drawing, the waterfall, and both as a table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fanwise.engine.graph.drawing import Drawing, parts_in_words, took_s
from fanwise.engine.graph.svg import boxes_and_arrows, document, waterfall
from fanwise.progress.words import duration, percent, plain

_STYLE = """\
:root { color-scheme: light dark; --page: #f6f6f3; --card: #fff; --line: #e3e3de; --text: #1b1e23;
  --quiet: #626973; --bad: #c23636; }
@media (prefers-color-scheme: dark) { :root { --page: #101215; --card: #181b1f; --line: #2b3036;
  --text: #e7e9ec; --quiet: #98a0ab; --bad: #ee7d7d; } }
body { margin: 0 auto; padding: 1.6rem 1.2rem 3rem; max-width: 84rem; background: var(--page);
  color: var(--text); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { margin: 0; font-size: 1.45rem; } h2 { margin: 0 0 .5rem; font-size: 1.05rem; }
section { margin-top: 1rem; padding: 1rem 1.2rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 12px; overflow-x: auto; }
dl { display: flex; flex-wrap: wrap; gap: .6rem 2.2rem; margin: 0; }
dt, .quiet { color: var(--quiet); font-size: .86rem; } dd { margin: 0; font-weight: 600; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; }
th, td { padding: .25rem .8rem .25rem 0; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; } .num { text-align: right; font-variant-numeric: tabular-nums; }
.bad { color: var(--bad); }
"""
_NUMBERS = {"started", "took", "attempts"}


def render_page(drawing: Drawing) -> str:
    """The drawing as an HTML document that holds everything it shows and runs no script."""
    graph = boxes_and_arrows(drawing)
    body = [
        f"<h1>{_text(drawing.name)}</h1>",
        f'<p class="quiet">{_text(drawing.headline)}</p>',
        _section("Steps", document(drawing, graph.body, width=graph.width, height=graph.height)),
    ]
    if drawing.report is not None:
        lanes = waterfall(drawing)
        picture = document(drawing, lanes.body, width=lanes.width, height=lanes.height)
        body.insert(2, _section("What it took", _figures(drawing)))
        body.append(_section("When each step ran", picture))
        body.append(_section("Every step", _table(drawing)))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(drawing.name)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>"


def _figures(drawing: Drawing) -> str:
    report = drawing.report
    assert report is not None
    figures = (
        ("in all", duration(report.wall_s)),
        ("critical path", duration(report.critical_path_s)),
        ("one after another", duration(report.sequential_s)),
        ("speedup", f"{report.speedup:.2f} ×"),
        ("saved", f"{duration(report.savings_s)} ({percent(report.efficiency)})"),
        ("most at once", str(report.peak)),
        ("waited for limits", duration(report.queued_s)),
    )
    return "<dl>" + "".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in figures) + "</dl>"


def _table(drawing: Drawing) -> str:
    rows: list[str] = []
    for name, course in drawing.courses.items():
        started = "" if course.started_s is None else duration(course.started_s)
        took = took_s(course)
        error = course.outcome.error if course.outcome is not None else None
        said = "" if error is None else f"{type(error).__name__}: {plain(str(error), most=300)}"
        cells: Sequence[tuple[str, str]] = (
            ("", plain(name, most=120)),
            ("" if error is None else "bad", course.state),
            ("", "yes" if drawing.boxes[name].critical else ""),
            ("num", started),
            ("num", "" if took is None else duration(took)),
            ("num", str(course.attempts)),
            ("", parts_in_words(course)),
            ("", ", ".join(plain(source, most=60) for source in drawing.sources[name])),
            ("bad", said),
        )
        rows.append(
            "<tr>" + "".join(f'<td class="{c}">{escape(v)}</td>' for c, v in cells) + "</tr>"
        )
    heads = ("step", "state", "critical", "started", "took", "attempts", "parts", "needs", "error")
    head = "".join(
        f'<th scope="col" class="{"num" if word in _NUMBERS else ""}">{word}</th>' for word in heads
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _text(words: str) -> str:
    return escape(plain(words))
