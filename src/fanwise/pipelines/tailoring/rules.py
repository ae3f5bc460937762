"""The answers by rules: what ``builtin/rules`` and the simulated provider give.

They read the prompt, as a model would, and nothing else. They are modest: what the job asks for and
the resume shows is put first, and said in one sentence; no fact is reworded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import fanwise as fw
from fanwise.pipelines.fences import read_back
from fanwise.pipelines.tailoring.analysis import analysis_by_rules
from fanwise.pipelines.tailoring.text import lexicon, mentions, satisfied, skills_in, stems_of

RULES_VERSION = "tailoring-rules-1"
"""Changes with every change to what the rules answer; part of each call's key."""

_MOST_NAMED = {"concise": 3, "thorough": 5, "complete": 7}
_LAST = re.compile(
    r"^(?:technologies|tech stack|stack|tools|environment|skills used)\s*:", re.IGNORECASE
)


def analysis_rules(request: fw.Request) -> Any:
    """The analysis of the posting in a request."""
    return analysis_by_rules(str(read_back(request).get("posting", "")))


def tailor_rules(request: fw.Request) -> Any:
    """The changes to the resume in a request."""
    data = read_back(request)
    resume: Mapping[str, str] = data.get("resume", {})
    keywords = [one["name"] for one in data.get("job", {}).get("keywords", ()) if one["present"]]
    settings = data.get("settings", {})
    if not resume or not keywords:
        return {"changes": [], "orders": []}
    wanted = {skill for keyword in keywords for skill in skills_in(keyword)}
    changes = [*_summary(resume, keywords, settings), *_skills(resume, wanted)]
    if settings.get("mode") == "FULL":
        changes += _surfaced(resume, wanted)
    return {"changes": changes, "orders": _orders(resume, wanted, keywords)}


def _entries(resume: Mapping[str, str]) -> dict[str, list[str]]:
    """The lines of each entry, where all of them are there."""
    found: dict[str, list[str]] = {}
    for path, line in resume.items():
        root, _, number = path.rpartition("/lines/")
        if root and int(number) == len(found.setdefault(root, [])):
            found[root].append(line)
    return found


def _summary(
    resume: Mapping[str, str], keywords: Sequence[str], settings: Mapping[str, str]
) -> list[dict[str, Any]]:
    """One more sentence of the summary: what of the job's the resume shows and it does not say."""
    most = _MOST_NAMED.get(settings.get("length", ""), 5)
    path = next((path for path in resume if path.startswith("/summary/0/lines/")), None)
    said = skills_in(resume[path]) if path else set[str]()
    shown = skills_in("\n".join(resume.values()))
    fresh: list[str] = []
    for keyword in keywords:
        # As the resume itself has it: a kindred skill is not named in its place.
        skills = skills_in(keyword)
        known = said | skills_in(", ".join(fresh)) | lexicon().wide
        if len(skills) == 1 and skills <= shown - known and len(fresh) < most:
            name = _as_written(keyword, skills, resume)
            if name:
                fresh.append(name)
    names = fresh[:most]
    if not names:
        return []
    words = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    headline = resume.get("/headline", "")
    if path is not None:
        after = f"{resume[path].rstrip()} Relevant to this role: {words}."
    elif headline:
        after = f"{headline}. Relevant to this role: {words}."
    else:
        after = f"Relevant to this role: {words}."
    return [_change(path or "/summary/0/lines/0", after, f"says what fits: {words}", 0.9)]


def _as_written(keyword: str, skills: set[str], resume: Mapping[str, str]) -> str:
    """A keyword's name as the resume has it; empty where it has it only as another part of speech
    (``mentored`` for mentoring).
    """
    whole = " ".join(resume.values())
    if re.search(rf"(?<!\w){re.escape(keyword)}(?!\w)", whole, re.IGNORECASE):
        return keyword
    for path, line in resume.items():
        for one in mentions(line):
            written = line[one.start : one.end]
            if one.skill in skills and (path.startswith("/skills") or not written[1:].islower()):
                return written
    return ""


def _skills(resume: Mapping[str, str], wanted: set[str]) -> list[dict[str, Any]]:
    """Skills that the job asks for to the front of their line."""
    found: list[dict[str, Any]] = []
    for path, line in resume.items():
        if not path.startswith("/skills") or "/lines/" not in path:
            continue
        label, items = split_skills(line)
        ordered = sorted(items, key=lambda item: not _asked(item, wanted))
        if ordered != items:
            first = ", ".join(item for item in ordered if _asked(item, wanted))
            joint = next((f" {mark} " for mark in "\u2022|" if mark in line), ", ")
            found.append(_change(path, label + joint.join(ordered), f"puts first: {first}", 1.0))
    return found


def split_skills(line: str) -> tuple[str, list[str]]:
    """A line of skills as its label and its items; commas in brackets part nothing."""
    match = re.match(r"^([^:,]{2,40}:\s+)(.*)$", line)
    label, rest = (match[1], match[2]) if match else ("", line)
    items = re.split(r"\s*[,;\u2022|](?![^(]*\))\s*", rest)
    return label, [item for item in items if item]


def _asked(text: str, wanted: set[str]) -> bool:
    mine = skills_in(text)
    return any(satisfied(skill, mine) for skill in wanted)


def _surfaced(resume: Mapping[str, str], wanted: set[str]) -> list[dict[str, Any]]:
    """A line with the skills that posts show and the lists of skills leave out."""
    lists = {path: line for path, line in resume.items() if path.startswith("/skills/0/lines/")}
    if not lists:
        return []
    listed = skills_in("\n".join(line for path, line in resume.items() if "/skills" in path[:7]))
    listed |= lexicon().wide | lexicon().soft
    found: dict[str, str] = {}
    for path, line in resume.items():
        if path.startswith(("/experience", "/projects")) and not path.endswith("/heading"):
            for one in mentions(line):
                written = line[one.start : one.end]
                same = stems_of(one.skill) <= stems_of(written)
                if one.skill in wanted - listed and (same or not written[1:].islower()):
                    found.setdefault(one.skill, one.skill if same else written)
    names = list(found.values())[:8]
    if not names:
        return []
    label = "Also used: " if any(":" in line for line in lists.values()) else ""
    after = label + ", ".join(names)
    return [_change(f"/skills/0/lines/{len(lists)}", after, "listed, for posts show it", 0.9)]


def _orders(
    resume: Mapping[str, str], wanted: set[str], keywords: Sequence[str]
) -> list[dict[str, Any]]:
    """Lines that speak of what the job asks for before the others; lists of tools stay last."""
    words = stems_of(" ".join(keywords))
    found: list[dict[str, Any]] = []
    for root, lines in _entries(resume).items():
        if not root.startswith(("/skills", "/experience", "/projects")) or len(lines) < 2:
            continue
        worth = [(_LAST.match(line) is not None, -_worth(line, wanted, words)) for line in lines]
        order = sorted(range(len(lines)), key=lambda at: worth[at])
        if order != list(range(len(lines))):
            reason = "what the job asks for comes first"
            found.append({"path": f"{root}/order", "after": order, "reason": reason})
    return found


def _worth(line: str, wanted: set[str], words: frozenset[str]) -> float:
    mine = skills_in(line)
    return sum(satisfied(skill, mine) for skill in wanted) + 0.1 * len(stems_of(line) & words)


def _change(path: str, after: str, reason: str, confidence: float) -> dict[str, Any]:
    return {"path": path, "after": after, "reason": reason[:160], "confidence": confidence}
