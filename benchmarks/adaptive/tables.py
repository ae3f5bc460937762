"""Makes the tables of ``docs/adaptive.md`` of what ``--json`` wrote.

    python -m benchmarks.adaptive.tables figures.json [more.json] [--group set-aside]

One row a rule: means over all scenarios and seeds of the group, the worst scenario's mean behind it
where that tells more; runs of a fixed number of calls or of less than a minute apart.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_HEADS = (
    "rule",
    "goodput",
    "worst",
    "short runs",
    "429s",
    "worst",
    "after a step down",
    "start",
    "recovery",
    "Jain",
    "sends",
    "wait",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--group", default="set-aside")
    options = parser.parse_args()
    rows = [row for file in options.files for row in json.loads(file.read_text("utf-8"))]
    rows = [row for row in rows if row["group"] == options.group]
    print("| " + " | ".join(_HEADS) + " |")
    print("|---" * len(_HEADS) + "|")
    for rule in dict.fromkeys(row["rule"] for row in rows):
        print(line(rule, [row for row in rows if row["rule"] == rule]))


def line(rule: str, rows: Sequence[dict[str, Any]]) -> str:
    """One rule's row of the table."""
    short = [row for row in rows if row["scenario"].startswith("short")]
    long = [row for row in rows if row not in short]
    cells = (
        rule,
        _mean(long, "goodput", 2),
        _worst(long, "goodput", 2, min),
        _mean(short, "goodput", 2),
        _mean(rows, "refusals", 3),
        _worst(rows, "refusals", 2, max),
        _mean(rows, "excess", 0),
        _mean(rows, "start_s", 1, " s"),
        _mean(rows, "recovery_s", 1, " s"),
        _mean(rows, "fairness", 2),
        _mean(rows, "sends", 2),
        _mean(rows, "queue_p99_s", 0, " s"),
    )
    return "| " + " | ".join(cells) + " |"


def _mean(rows: Sequence[dict[str, Any]], name: str, places: int, unit: str = "") -> str:
    known = [row[name] for row in rows if row[name] is not None]
    return f"{sum(known) / len(known):.{places}f}{unit}" if known else "–"


def _worst(
    rows: Sequence[dict[str, Any]], name: str, places: int, pick: Callable[..., float]
) -> str:
    means: list[float] = []
    for scenario in {row["scenario"] for row in rows}:
        some = [row[name] for row in rows if row["scenario"] == scenario]
        means.append(sum(some) / len(some))
    return f"{pick(means):.{places}f}"


if __name__ == "__main__":
    main()
