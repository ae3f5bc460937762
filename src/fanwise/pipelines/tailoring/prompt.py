"""The prompts: instructions out of files, and everything foreign fenced in the user's message.

Instructions have no place to fill: no text from outside can become part of them, and what is the
same for every call is cached by providers. Name and contacts of a person are never sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import fanwise as fw
from fanwise.pipelines.fences import fenced
from fanwise.pipelines.tailoring.changes import editable_lines
from fanwise.pipelines.tailoring.posting import parts_of
from fanwise.pipelines.tailoring.records import Resume
from fanwise.pipelines.tailoring.targets import Targets
from fanwise.pipelines.tailoring.text import skills_in, stems_of

PROMPT_VERSION = "tailoring-2"
"""Changes with every change to a template or to how data is shown; part of each call's key."""

_MOST_POSTING_CHARS = 6_000
_MOST_LINES = 120


@cache
def instructions(name: str) -> str:
    """The instructions of a step, word for word."""
    place = files("fanwise.pipelines.tailoring").joinpath("prompts", f"{name}.txt")
    return place.read_text(encoding="utf-8")


def analysis_messages(posting_text: str) -> list[fw.types.Message]:
    """The messages that ask what a job asks for."""
    data = {"posting": posting_text}
    return [fw.system(instructions("analyse")), fw.user(fenced(data))]


def tailor_messages(
    resume: Resume,
    posting_text: str,
    *,
    title: str,
    targets: Targets,
    settings: Mapping[str, str],
) -> list[fw.types.Message]:
    """The messages that ask for changes to a resume."""
    data = {
        "job": {
            "title": title,
            "keywords": [
                {"name": one.name, "priority": one.priority, "present": one.present}
                for one in targets.keywords
            ],
            "posting": trimmed_posting(posting_text),
        },
        "resume": trimmed_resume(resume, posting_text),
        "gaps": list(targets.gaps),
        "settings": dict(settings),
    }
    return [fw.system(instructions("tailor")), fw.user(fenced(data))]


def trimmed_posting(text: str) -> list[str]:
    """The lines of a posting that say what is asked for and done; not who the company is, what it
    offers and how to apply.
    """
    found: list[str] = []
    chars = 0
    for part, line in parts_of(text):
        if part in {"required", "preferred", "duties"} and chars < _MOST_POSTING_CHARS:
            found.append(line[: _MOST_POSTING_CHARS - chars])
            chars += len(line)
    return found or [line for _, line in parts_of(text[:_MOST_POSTING_CHARS])]


def trimmed_resume(resume: Resume, posting_text: str) -> dict[str, Any]:
    """The lines that may be changed; where there are very many, those of the latest entries and
    those with anything in common with the posting.
    """
    lines = editable_lines(resume)
    if len(lines) <= _MOST_LINES:
        return lines
    wanted, words = skills_in(posting_text), stems_of(posting_text)
    kept: dict[str, Any] = {}
    for number, (path, line) in enumerate(lines.items()):
        near = number < _MOST_LINES // 2 or path.endswith("/heading")
        if near or skills_in(line) & wanted or len(stems_of(line) & words) >= 3:
            kept[path] = line
        if len(kept) == _MOST_LINES:
            break
    return kept
