"""The shapes that models answer in, and the ways in which an answer is read.

Pydantic, and therefore imported only where an answer is asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

import fanwise as fw
from fanwise.pipelines.hooks.prompts import HOOKS_EACH

WRITTEN = "hooks_written"
JUDGEMENT = "hook_judgement"
CHECK = "hook_judgement_check"
COMPARISON = "hook_comparison"

_MOST_CHARS = 300
_LEAST_WORDS = 2
_BULLET = re.compile(
    r"^\s*(?:[-*•–—]|\(?\d{1,2}[.):]\)?|hook\s*\d{1,2}\s*[:.)-])\s*", re.IGNORECASE
)
_MARKUP = re.compile(r"\*\*|__|`")
_QUOTES = "\"'“”„«»‘’"


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WrittenHook(_Shape):
    """One hook as its writer gave it."""

    text: str = Field(description="The hook: one line of 6 to 12 words.")
    technique: str = Field(description="The technique by its name.")
    rationale: str = Field(description="At most 20 words: why this audience would stop at it.")


class Written(_Shape):
    """What a writer answers."""

    hooks: Annotated[list[WrittenHook], Field(min_length=HOOKS_EACH, max_length=HOOKS_EACH)]


class CriterionScore(_Shape):
    """One criterion of a judgement; the reason comes before the score that rests on it."""

    reason: str = Field(description="One sentence, at most 25 words.")
    score: int = Field(ge=1, le=10)
    confidence: float = Field(ge=0, le=1)


class HookJudgement(_Shape):
    """What a judge answers."""

    attention: CriterionScore
    emotion: CriterionScore
    social_proof: CriterionScore
    clarity: CriterionScore
    relevance: CriterionScore
    actionability: CriterionScore


class PassedCheck(_Shape):
    """One check of a judgement."""

    reason: str = Field(description="One sentence, at most 25 words.")
    passed: bool


class JudgementCheck(_Shape):
    """What a validator answers."""

    coherent: PassedCheck
    apt: PassedCheck
    consistent: PassedCheck


class HookComparison(_Shape):
    """What a judge answers about two hooks."""

    reason: str = Field(description="One sentence, at most 30 words.")
    better: Literal["first", "second", "tie"]


@cache
def written_schema() -> fw.types.Schema:
    """Five hooks; from an answer that is no such JSON, what can be read as hooks of it."""
    return fw.types.Schema(
        name=WRITTEN, definition=Written.model_json_schema(), build=_written, salvage=salvage
    )


@cache
def judgement_schema() -> fw.types.Schema:
    """Six criteria with score, reason and confidence."""
    return _schema_of(JUDGEMENT, HookJudgement)


@cache
def check_schema() -> fw.types.Schema:
    """Three checks with their reasons."""
    return _schema_of(CHECK, JudgementCheck)


@cache
def comparison_schema() -> fw.types.Schema:
    """Which of two hooks is better."""
    return _schema_of(COMPARISON, HookComparison)


def _schema_of(name: str, shape: type[BaseModel]) -> fw.types.Schema:
    return fw.types.Schema(
        name=name, definition=shape.model_json_schema(), build=shape.model_validate
    )


def _written(value: Any) -> Written:
    """Checked and tidied: each hook one line without quotation marks around it."""
    found = Written.model_validate(value)
    hooks = [
        WrittenHook(
            text=tidy(hook.text),
            technique=" ".join(hook.technique.split())[:60],
            rationale=" ".join(hook.rationale.split())[:_MOST_CHARS],
        )
        for hook in found.hooks
    ]
    for number, hook in enumerate(hooks, 1):
        if len(hook.text.split()) < _LEAST_WORDS:
            raise ValueError(f"hook {number} is no hook: {hook.text!r}")
        if len(hook.text) > _MOST_CHARS:
            raise ValueError(f"hook {number} has {len(hook.text)} characters: 12 words at most")
    return Written(hooks=hooks)


def tidy(text: str) -> str:
    """A hook as one line: no control characters, markup, or quotation marks around the whole."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = _MARKUP.sub("", line).strip()
    while len(line) > 1 and line[0] in _QUOTES and line[-1] in _QUOTES:
        line = line[1:-1].strip()
    return line


def salvage(text: str) -> dict[str, Any] | None:
    """Hooks out of an answer that holds no JSON of their shape: the texts of a near miss (a bare
    list, other names, more than five), else one hook a line. The first five count.

    Args:
        text: The whole answer, a complete one.

    Returns:
        ``None`` where fewer than five lines look like hooks.
    """
    answer = text.rpartition("</think>")[2]
    found = _distinct(_near_miss(answer))
    if len(found) < HOOKS_EACH and not answer.lstrip().startswith(("{", "[")):
        found = _distinct(_lines(answer))
    if len(found) < HOOKS_EACH:
        return None
    return {
        "hooks": [
            {"text": hook, "technique": "unknown", "rationale": ""} for hook in found[:HOOKS_EACH]
        ]
    }


def _distinct(texts: Iterator[str]) -> list[str]:
    found: dict[str, str] = {}
    for text in texts:
        line = tidy(text)
        if _LEAST_WORDS < len(line.split()) <= 40 and len(line) <= _MOST_CHARS:
            found.setdefault(line.casefold(), line)
    return list(found.values())


def _near_miss(answer: str) -> Iterator[str]:
    """Texts of hooks out of JSON of another shape."""
    starts = [place for place in (answer.find("{"), answer.find("[")) if place >= 0]
    end = max(answer.rfind("}"), answer.rfind("]"))
    if not starts or end < 0 or len(answer) > 64_000:
        return
    try:
        found: Any = json.loads(answer[min(starts) : end + 1])
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict):
        known = cast("dict[str, Any]", found)
        lists: list[Any] = [value for value in known.values() if isinstance(value, list)]
        found = lists[0] if len(lists) == 1 else list(known.values())
    for entry in cast("Sequence[Any]", found) if isinstance(found, list) else ():
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, Mapping):
            fields = cast("Mapping[str, Any]", entry)
            texts = (fields.get(name) for name in ("text", "hook", "line", "content"))
            yield from [text for text in texts if isinstance(text, str)][:1]


def _lines(answer: str) -> Iterator[str]:
    """One hook a line: numbered or marked lines where there are five of them, else all lines that
    do not lead up to something.
    """
    lines = [line for line in answer.splitlines() if line.strip() and "```" not in line]
    marked = [line for line in lines if _BULLET.match(line)]
    chosen = marked if len(marked) >= HOOKS_EACH else lines
    for line in chosen:
        if not line.rstrip().endswith(":"):
            yield _BULLET.sub("", line, count=1)
