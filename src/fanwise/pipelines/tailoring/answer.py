"""An answer held against the resume: from what a model says to changes that may be decided on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from fanwise.pipelines.tailoring.changes import before_of, place_of
from fanwise.pipelines.tailoring.gate import facts_of, judged
from fanwise.pipelines.tailoring.records import Change, Mode, Resume

_MOST_CHANGES = 200
_MOST_CHARS = 1_200
_BULLET = re.compile(r"^\s*(?:[-*\u2022]\s+)")


def changes_of(
    answer: Mapping[str, Any], resume: Resume, *, posting_text: str, mode: Mode
) -> tuple[tuple[Change, ...], list[str]]:
    """The changes that an answer asks for, each judged by the fabrication gate.

    Returns:
        The changes, and a warning for each that led nowhere: a path that is none or that may not
        be changed, an order that does not name every line, two changes of one line.
    """
    facts = facts_of(resume, posting_text=posting_text)
    found: dict[str, Change] = {}
    warnings: list[str] = []
    for raw in [*answer["changes"], *answer["orders"]][:_MOST_CHANGES]:
        path = str(raw["path"])
        place = place_of(resume, path)
        if place is None:
            warnings.append(f"passed over {path[:80]}: it may not be changed, or there is none")
            continue
        if path in found:
            warnings.append(f"passed over a second change of {path}")
            continue
        after, problem = _after(raw["after"], is_order=path.endswith("/order"))
        before = before_of(resume, place)
        if isinstance(before, tuple) and sorted(after or ()) != list(before):
            problem = "it does not name every line once"
        if problem or (mode == "PARTIAL" and after is None):
            warnings.append(f"passed over {path}: {problem or 'PARTIAL leaves out nothing'}")
            continue
        if after == before or (after is None and before is None):
            continue
        change = Change(
            path=path,
            before=before,
            after=after,
            reason=" ".join(str(raw.get("reason", "")).split())[:200],
            confidence=float(raw.get("confidence", 1.0)),
        )
        found[path] = judged(change, place, facts)
    return tuple(found.values()), warnings


def _after(value: Any, *, is_order: bool) -> tuple[Any, str]:
    """What a change puts in its place, and what is wrong with it."""
    if is_order:
        if not isinstance(value, list):
            return (), "an order is a list"
        return tuple(cast("list[int]", value)), ""
    if value is None:
        return None, ""
    if not isinstance(value, str):
        return None, "a line is a text"
    text = _BULLET.sub("", " ".join(value.split()))
    if len(text) > _MOST_CHARS:
        return None, f"the line is longer than {_MOST_CHARS} characters"
    return text or None, ""
