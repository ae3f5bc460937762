"""Changes made to a resume: which paths there are, and what comes out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fanwise.pipelines.tailoring.records import (
    Change,
    Entry,
    Resume,
    Section,
)

HEADLINE = "/headline"
_FIRST = "/summary/0/lines/0"
_PATH = re.compile(
    r"/(?P<section>[a-z]+(?:-\d+)?)/(?P<entry>\d{1,4})/(?:order|lines/(?P<line>\d{1,4}))", re.ASCII
)
_REWORDED = frozenset({"summary", "skills", "experience", "projects", "volunteering"})
_ORDERED = _REWORDED | {"certifications", "awards", "publications", "languages"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a path leads.

    Args:
        section: The section's id; empty for the headline.
        entry: The entry's number.
        line: The line's number; ``None`` for the order of the entry's lines.
        new: Whether there is no such line yet, and it may be added.
    """

    section: str = ""
    entry: int = 0
    line: int | None = None
    new: bool = False


def place_of(resume: Resume, path: str) -> Place | None:
    """Where a path leads; ``None`` where it leads nowhere or to what is never changed: names,
    contacts, headings (employers, titles, dates), education.
    """
    if path == HEADLINE:
        return Place(new=not resume.headline)
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    section = next((one for one in resume.sections if one.id == match["section"]), None)
    if section is None:
        return Place(section="summary", line=0, new=True) if path == _FIRST else None
    return _place_in(section, int(match["entry"]), match["line"])


def _place_in(section: Section, number: int, at: str | None) -> Place | None:
    if number >= len(section.entries):
        return None
    lines = len(section.entries[number].lines)
    if at is None:
        fine = section.kind in _ORDERED and lines > 1
        return Place(section=section.id, entry=number) if fine else None
    # A new line at a post would be a new claim.
    most = lines if section.kind in {"skills", "summary"} else lines - 1
    if section.kind not in _REWORDED or int(at) > most:
        return None
    return Place(section=section.id, entry=number, line=int(at), new=int(at) == lines)


def before_of(resume: Resume, place: Place) -> str | tuple[int, ...] | None:
    """What stands at a place."""
    if not place.section:
        return resume.headline or None
    if place.new:
        return None
    section = next(one for one in resume.sections if one.id == place.section)
    entry = section.entries[place.entry]
    return tuple(range(len(entry.lines))) if place.line is None else entry.lines[place.line]


def entry_of(resume: Resume, place: Place) -> Entry | None:
    """The entry that a place belongs to."""
    for section in resume.sections:
        if section.id == place.section and place.entry < len(section.entries):
            return section.entries[place.entry]
    return None


def editable_lines(resume: Resume) -> dict[str, Any]:
    """What may be changed, by path, with the headings it stands under."""
    found: dict[str, Any] = {HEADLINE: resume.headline} if resume.headline else {}
    for section in resume.sections:
        if section.kind not in _REWORDED:
            continue
        for number, entry in enumerate(section.entries):
            if entry.heading:
                found[f"/{section.id}/{number}/heading"] = entry.heading
            for at, line in enumerate(entry.lines):
                found[f"/{section.id}/{number}/lines/{at}"] = line
    return found


def applied(resume: Resume, changes: Sequence[Change]) -> Resume:
    """A resume with the accepted ones of some changes made. Each stands for itself: their paths
    speak of the base, whatever others do.
    """
    accepted = [c for c in changes if c.decision == "accepted" and c.verdict != "refused"]
    by_path = {change.path: change for change in accepted}
    headline = resume.headline
    if HEADLINE in by_path:
        headline = str(by_path[HEADLINE].after or "")
    sections = [_changed(section, by_path) for section in resume.sections]
    first = by_path.get(_FIRST)
    if first is not None and first.after and not resume.of_kind("summary"):
        entry = Entry(lines=(str(first.after),), bulleted=False)
        sections.insert(
            0, Section(id="summary", kind="summary", title=_like(resume), entries=(entry,))
        )
    return replace(resume, headline=headline, sections=tuple(sections))


def _changed(section: Section, by_path: Mapping[str, Change]) -> Section:
    entries: list[Entry] = []
    for number, entry in enumerate(section.entries):
        root = f"/{section.id}/{number}"
        texts: list[str | None] = [
            _text(by_path.get(f"{root}/lines/{at}"), line) for at, line in enumerate(entry.lines)
        ]
        order = by_path.get(f"{root}/order")
        if order is not None and isinstance(order.after, tuple):
            texts = [texts[at] for at in order.after]
        added = by_path.get(f"{root}/lines/{len(entry.lines)}")
        if added is not None:
            texts.append(_text(added, ""))
        entries.append(replace(entry, lines=tuple(text for text in texts if text)))
    return replace(section, entries=tuple(entries))


def _text(change: Change | None, line: str) -> str | None:
    if change is None:
        return line
    return change.after if isinstance(change.after, str) else None


def _like(resume: Resume) -> str:
    """The heading of a new summary, written as the resume writes its headings."""
    capitals = [section.title.isupper() for section in resume.sections]
    return "SUMMARY" if capitals and all(capitals) else "Summary"
