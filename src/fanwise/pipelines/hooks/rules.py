"""Hooks by rules: what ``builtin/rules`` and the simulated provider write.

Frames of their own, filled with the key phrases of the idea. They are grammatical and about the
topic; they know nothing of what the post says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Any

import fanwise as fw
from fanwise.pipelines.fences import read_back
from fanwise.pipelines.hooks.heuristics import word_count
from fanwise.pipelines.hooks.job import AUDIENCES, CONTENT_TYPES
from fanwise.pipelines.hooks.keyphrases import key_phrases
from fanwise.pipelines.hooks.prompts import HOOKS_EACH, LEAST_WORDS, MOST_WORDS

RULES_VERSION = "hooks-rules-1"
"""Changes with every change to what the rules answer; part of each call's identity."""

_AUDIENCES: Mapping[str, str] = {
    "beginner": "beginners",
    "intermediate": "most people",
    "expert": "even experts",
}
_INDUSTRY_WORDS = 3
_POSSESSIVE = re.compile(r"\b(?:my|our)\b")
_ROTATIONS = 1009


def written_by_rules(request: fw.Request) -> dict[str, Any]:
    """Five hooks for a request of this pipeline, in the shape of its schema.

    Args:
        request: Its last message holds the brief between two marks. Which frames are taken depends
            on the model's name too, so that several simulated writers do not write the same.
    """
    brief = read_back(request)
    turn = blake2b(request.model.encode(), digest_size=2).digest()
    return {"hooks": write(brief, turn=int.from_bytes(turn) % _ROTATIONS)}


def write(brief: Mapping[str, Any], *, turn: int = 0) -> list[dict[str, str]]:
    """Five different hooks of 6 to 12 words for a brief.

    Args:
        brief: As the job's ``brief``; what is missing in it counts as not said.
        turn: With which frame to begin.
    """
    content = str(brief.get("content_type") or "")
    frames = _frames()[content if content in CONTENT_TYPES else CONTENT_TYPES[0]]
    topics = _topics(str(brief.get("post_idea") or ""), own=content in ("story", "announcement"))
    industry = str(brief.get("industry") or "")
    if len(industry.split()) > _INDUSTRY_WORDS:
        industry = ""
    audience = str(brief.get("target_audience") or "")
    people = _AUDIENCES[audience if audience in AUDIENCES else AUDIENCES[1]]
    found: list[dict[str, str]] = []
    for technique, frame in _in_turn(frames, turn=turn, industry=bool(industry)):
        # Of two phrases the better one is used for three hooks of five.
        chosen = topics[len(found) % 2 if len(topics) > 1 else 0]
        for topic in (chosen, *topics, "this"):
            text = frame.format(t=topic, a=people, i=industry)
            text = text[0].upper() + text[1:]
            if LEAST_WORDS <= word_count(text) <= MOST_WORDS:
                reason = f"A {technique.replace('_', ' ')} about the idea's own words."
                found.append({"text": text, "technique": technique, "rationale": reason})
                break
        if len(found) == HOOKS_EACH:
            break
    return found


def _topics(idea: str, *, own: bool) -> list[str]:
    """What hooks can be about: key phrases, seen by the reader or, in a story, by its teller."""
    found = key_phrases(idea, most=2) or ["this"]
    return found if own else [_POSSESSIVE.sub("your", phrase) for phrase in found]


def _in_turn(
    frames: Sequence[tuple[str, str]], *, turn: int, industry: bool
) -> Iterator[tuple[str, str]]:
    """Frames from a place on: first one of each technique, then the rest."""
    usable = [frame for frame in frames if industry or "{i}" not in frame[1]]
    start = turn % len(usable)
    turned = usable[start:] + usable[:start]
    seen: set[str] = set()
    later: list[tuple[str, str]] = []
    for frame in turned:
        if frame[0] in seen:
            later.append(frame)
        else:
            seen.add(frame[0])
            yield frame
    yield from later


@cache
def _frames() -> Mapping[str, Sequence[tuple[str, str]]]:
    text = files("fanwise.pipelines.hooks").joinpath("frames.txt").read_text(encoding="utf-8")
    found: dict[str, list[tuple[str, str]]] = {}
    content = ""
    for line in text.splitlines():
        if line.startswith("["):
            content = line.strip("[]")
        elif "|" in line and not line.startswith("#"):
            technique, _, frame = line.partition("|")
            found.setdefault(content, []).append((technique.strip(), frame.strip()))
    return found
