"""Questions out of tables and files: what they may hold, and what is wrong with them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, cast

from fanwise.pipelines.grading.choices import LETTERS
from fanwise.pipelines.grading.compare import allowed
from fanwise.pipelines.grading.marking import expected_final, expected_places
from fanwise.pipelines.grading.records import KINDS, Question

MOST_CHARS = 20_000
_YES = frozenset(["true", "yes", "y", "1", "1.0", "correct", "right", "pass", "passed"])
_NO = frozenset(["false", "no", "n", "0", "0.0", "incorrect", "wrong", "fail", "failed"])


def options_in(value: object) -> tuple[str, ...]:
    """The options in a cell: a list, an object by letter, JSON of these, or texts between bars or
    line ends.
    """
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        text = value.strip()
        if text[:1] in "[{":
            try:
                return options_in(json.loads(text))
            except json.JSONDecodeError:
                pass
        parts = re.split(r"\s*\n\s*|\s*\|\s*", text)
        return tuple(part for part in parts if part)
    if isinstance(value, dict):
        by_letter = cast("dict[str, Any]", value)
        return tuple(str(by_letter[name]) for name in sorted(by_letter))
    if isinstance(value, Sequence):
        return tuple(str(one) for one in cast("Sequence[Any]", value))
    return (str(value),)


def truth_in(value: object) -> str | None:
    """A label as ``correct`` or ``incorrect``; ``None`` where it says neither.

    A number from 0 to 1 is a score: correct from 0.5 on.
    """
    text = str(value).strip().lower()
    if text in _YES:
        return "correct"
    if text in _NO:
        return "incorrect"
    try:
        score = float(text)
    except ValueError:
        return None
    if not 0 <= score <= 1:
        return None
    return "correct" if score >= 0.5 else "incorrect"


def check_question(question: Question) -> dict[str, str]:
    """What is wrong with a question: a reason for each field."""
    wrong: dict[str, str] = {}
    if not question.text.strip():
        wrong["question"] = "is empty"
    for name in ("text", "expected", "rubric"):
        if len(getattr(question, name)) > MOST_CHARS:
            wrong["question" if name == "text" else name] = (
                f"has more than {MOST_CHARS:,} characters"
            )
    if question.kind not in KINDS:
        wrong["kind"] = f"is {question.kind!r}; it is one of {', '.join(KINDS)}"
    elif question.kind == "multiple_choice":
        wrong |= _wrong_choice(question)
    elif question.kind == "numeric" and not wrong:
        candidates = expected_final(question).candidates
        if len(candidates) != 1:
            wrong["expected"] = "holds no number to compare with; a numeric question needs one"
    if question.tolerance:
        wrong |= _wrong_tolerance(question.tolerance)
    return wrong


def _wrong_choice(question: Question) -> dict[str, str]:
    if not 2 <= len(question.options) <= len(LETTERS):
        return {"options": f"are {len(question.options)}; multiple choice has 2 to {len(LETTERS)}"}
    if not all(option.strip() for option in question.options):
        return {"options": "has an empty one"}
    if not expected_places(question):
        return {"expected": "names none of the options by letter or text"}
    return {}


def _wrong_tolerance(tolerance: str) -> dict[str, str]:
    try:
        allowed(tolerance, Fraction(1))
    except (ValueError, ZeroDivisionError):
        return {"tolerance": f"is {tolerance!r}; it is a number such as 0.5, or a share such as 2%"}
    return {}
