"""The judge, the validator and the comparison by rules, built on the heuristics.

They look at form and word choice and say so; their confidence is low, and lower where nothing on
their small lists was found, since absence from a small list means little.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import fanwise as fw
from fanwise.pipelines.fences import read_back
from fanwise.pipelines.hooks.criteria import CRITERIA, overall_of
from fanwise.pipelines.hooks.heuristics import (
    attention_score,
    emotion_score,
    length_score,
    readability_score,
    relevance_score,
    topic_stems,
    word_count,
    words_of,
)
from fanwise.pipelines.hooks.lexicon import DOING, HIGH_AROUSAL, PROOF

_FOUND, _NOT_FOUND = 0.5, 0.3
_TIE = 0.15


def judged_by_rules(request: fw.Request) -> dict[str, Any]:
    """A judgement for a request of this pipeline, in the shape of its schema."""
    data = read_back(request)
    return judge(str(data.get("hook") or ""), data)


def judge(hook: str, brief: Mapping[str, Any]) -> dict[str, Any]:
    """Six criteria of a hook with reasons: what was counted, in words.

    Args:
        hook: The hook.
        brief: What its post is about.
    """
    idea = f"{brief.get('post_idea') or ''} {brief.get('industry') or ''}"
    words = set(words_of(hook))
    feeling = sorted(words & HIGH_AROUSAL)
    doing = sorted(words & DOING)
    shared = len(topic_stems(hook) & topic_stems(idea))
    attention = attention_score(hook)
    count = word_count(hook)
    ease = readability_score(hook)
    form = length_score(count)
    clarity = form if ease is None else (form + ease) / 2
    return {
        "attention": _criterion(
            attention,
            f"Has {round(attention / 2.5)} of 4 devices (gap, turn, address, figure or person).",
            found=attention > 0,
        ),
        "emotion": _criterion(
            emotion_score(hook), _of("words of feeling", feeling), found=bool(feeling)
        ),
        "social_proof": _proof(idea, words),
        "clarity": _criterion(
            clarity if form == 10 else min(clarity, 5.5),
            f"{count} words, reading ease {'unknown' if ease is None else f'{10 * ease:.0f}'}.",
            found=ease is not None,
        ),
        "relevance": _criterion(
            relevance_score(hook, idea),
            f"Shares {shared} topic words with the brief.",
            found=shared > 0,
        ),
        "actionability": _criterion(
            min(10.0, 4.0 * len(doing) + 3.0 * hook.rstrip().endswith("?") + bool(words & _YOU)),
            _of("words that ask for something to be done", doing),
            found=bool(doing),
        ),
    }


_YOU = frozenset({"you", "your"})


def _criterion(value: float, reason: str, *, found: bool) -> dict[str, Any]:
    """A score from 1 to 10 out of one from 0 to 10."""
    return {
        "reason": reason,
        "score": min(10, max(1, round(1 + 0.9 * value))),
        "confidence": _FOUND if found else _NOT_FOUND,
    }


def _of(what: str, found: list[str]) -> str:
    return f"Has {what}: {', '.join(found)}." if found else f"Has no {what} that are on the list."


def _proof(idea: str, words: set[str]) -> dict[str, Any]:
    """Evidence by words; a figure that the brief does not hold is none."""
    figures = {word for word in words if any(c.isdigit() for c in word)}
    invented = sorted(figures - set(words_of(idea)))
    if invented:
        return _criterion(0.0, f"The brief does not support {', '.join(invented)}.", found=True)
    proof = sorted(words & PROOF)
    value = min(10.0, 2.5 * len(proof) + 4.0 * len(figures))
    return _criterion(value, _of("words of experience or evidence", proof), found=bool(proof))


def checked_by_rules(request: fw.Request) -> dict[str, Any]:
    """Three checks of a judgement: what can be told without understanding it."""
    data = read_back(request)
    parts = _part(data, "judgement")
    scores = {name: _number(parts, name) for name in CRITERIA}
    reasons = [str(_part(parts, name).get("reason") or "") for name in CRITERIA]
    bare = sum(len(reason.split()) < 2 for reason in reasons)
    alike = len(set(reasons)) <= len(CRITERIA) // 2
    torn = scores["clarity"] <= 3 and scores["actionability"] >= 9
    return {
        "coherent": {
            "reason": f"{bare} of {len(reasons)} scores have no reason.",
            "passed": bare == 0,
        },
        "apt": {
            "reason": "Most reasons repeat each other." if alike else "The reasons differ.",
            "passed": not alike,
        },
        "consistent": {
            "reason": "Hardly clear, yet its step is obvious."
            if torn
            else "No scores exclude each other.",
            "passed": not torn,
        },
    }


def _part(parts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parts.get(name)
    return cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}


def _number(parts: Mapping[str, Any], name: str) -> float:
    found = _part(parts, name).get("score")
    return float(found) if isinstance(found, (int, float)) else 0.0


def compared_by_rules(request: fw.Request) -> dict[str, Any]:
    """Which of two hooks scores higher by these rules; close ones tie."""
    data = read_back(request)
    first, second = (
        overall_of(
            {name: part["score"] for name, part in judge(str(data.get(key) or ""), data).items()},
            CRITERIA,
        )
        for key in ("first", "second")
    )
    better = "tie" if abs(first - second) <= _TIE else "first" if first > second else "second"
    return {"reason": f"By form the first scores {first}, the second {second}.", "better": better}
