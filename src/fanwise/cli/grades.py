"""Where grades go: one line of JSON each, or a line for people on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fanwise.cli.linefile import LineKind

GRADES = LineKind(holds="grades", read="table", begins=b'{"id":', names=b'"status":')
"""What ``-o`` holds."""


def for_people(line: Mapping[str, Any]) -> str:
    """A grade in one line: verdict, score, whose answer, feedback."""
    if line["status"] != "graded":
        return f"{'ungraded':<9}      {line['id']}  {line['feedback']}"
    verdict = "correct" if line["is_correct"] else "wrong"
    return f"{verdict:<9} {line['score']:4.2f} {line['id']}  {line['feedback']}"
