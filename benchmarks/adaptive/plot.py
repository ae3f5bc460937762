"""Draws how rules follow a limit that is halved and given back, as one SVG.

    python -m benchmarks.adaptive.plot docs/adaptive.svg [--rules ours,botocore] [--seed 1]

One row a rule, one column a scenario. The stepped line is the true limit; the curve what was sent:
requests a second where a rate is limited, requests in flight where slots are. In red what was
refused, on a scale on which the rate that was served is as high as the limit's first step.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.adaptive import tuning
from benchmarks.adaptive.rules import RULES

from fanwise.engine.rehearsal import Trace, rehearse
from fanwise.simulator.virtual.course import limit_course
from fanwise.simulator.virtual.scenario import Scenario

SHOWN = ("ours", "netflix_aimd", "netflix_vegas", "netflix_gradient2", "botocore", "inspect_ai")
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 420, 84, 150, 46, 26
_POINT_S = 10.0
_ABOVE = 1.8  # times the limit: the height of a panel
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#57606a}"
    ".frame{fill:none;stroke:#d0d7de}.limit{fill:none;stroke:#57606a;stroke-dasharray:4 3}"
    ".sent{fill:none;stroke:#0969da;stroke-width:1.5}.refused{fill:#cf222e;opacity:.6}"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--rules", default=",".join(SHOWN))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rules = options.rules.split(",")
    options.file.write_text(picture(rules, tuning.SCENARIOS[:2], options.seed), encoding="utf-8")


def picture(rules: Sequence[str], shown: Sequence[Scenario], seed: int) -> str:
    """The whole SVG."""
    width = _LEFT + len(shown) * (_WIDTH + _GAP)
    height = _TOP + len(rules) * (_HEIGHT + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
        "<title>What each rule sends, against the true limit</title>",
        f"<style>{_STYLE}</style>",
    ]
    for column, scenario in enumerate(shown):
        x = _LEFT + column * (_WIDTH + _GAP)
        unit = "in flight" if scenario.provider.slots else "requests a second"
        parts.append(f'<text x="{x}" y="18">{scenario.name}</text>')
        parts.append(f'<text x="{x}" y="36">{unit}</text>')
        for row, rule in enumerate(rules):
            y = _TOP + row * (_HEIGHT + _GAP)
            if not column:
                parts.append(f'<text x="0" y="{y + _HEIGHT / 2:.0f}">{rule}</text>')
            trace = rehearse(scenario, RULES[rule], seed=seed)
            parts.append(f'<g transform="translate({x} {y})">{panel(trace)}</g>')
    return "\n".join([*parts, "</svg>", ""])


def panel(trace: Trace) -> str:
    """One rule in one scenario."""
    scenario = trace.scenario
    slots = scenario.provider.slots
    full = slots.count if slots else scenario.provider.allowances[0].per_minute / 60.0
    count = int(scenario.duration_s / _POINT_S)
    sent = in_flight(trace, count) if slots else per_second(trace, count, refused=False)
    refused = per_second(trace, count, refused=True)
    flow = sum(one.kind == "served" for one in trace.sent) / scenario.duration_s
    course = limit_course(scenario.provider.events, "slots" if slots else "requests")
    limit = [full * course.at((n + 0.5) * _POINT_S) for n in range(count)]
    bars = "".join(
        f"M{_x(n, count)} {_HEIGHT}V{_y(value, flow):.1f}h{_WIDTH / count:.2f}V{_HEIGHT}z"
        for n, value in enumerate(refused)
        if value
    )
    marks = "".join(
        f'<text x="-6" y="{_y(value, full) + 4:.0f}" text-anchor="end">{value:.3g}</text>'
        for value in (full, 0)
    )
    return (
        f'<rect class="frame" width="{_WIDTH}" height="{_HEIGHT}"/>{marks}'
        f'<path class="refused" d="{bars}"/><path class="limit" d="{_line(limit, full)}"/>'
        f'<path class="sent" d="{_line(sent, full)}"/>'
    )


def per_second(trace: Trace, count: int, *, refused: bool) -> Sequence[float]:
    """Requests sent a second (all, or those refused), in steps of time."""
    found = [0.0] * count
    for one in trace.sent:
        place = int(one.granted_at / _POINT_S)
        if place < count and (one.kind in {"rate", "capacity"} or not refused):
            found[place] += 1.0 / _POINT_S
    return found


def in_flight(trace: Trace, count: int) -> Sequence[float]:
    """Requests in flight, in steps of time."""
    found: list[list[int]] = [[] for _ in range(count)]
    for sample in trace.samples:
        place = int(sample.at_s / _POINT_S)
        if place < count:
            found[place].append(sample.in_flight)
    return [sum(some) / len(some) if some else 0.0 for some in found]


def _line(values: Sequence[float], full: float) -> str:
    points = (f"{_x(n + 0.5, len(values))} {_y(v, full):.1f}" for n, v in enumerate(values))
    return "M" + "L".join(points)


def _x(place: float, count: int) -> str:
    return f"{place / count * _WIDTH:.1f}"


def _y(value: float, full: float) -> float:
    return _HEIGHT * (1.0 - min(1.0, value / (full * _ABOVE)))


if __name__ == "__main__":
    main()
