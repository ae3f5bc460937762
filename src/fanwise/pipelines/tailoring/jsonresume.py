"""JSON Resume (https://jsonresume.org/schema) in: the same resume as of any other document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import fanwise as fw
from fanwise.pipelines.tailoring.records import Entry, Resume, Section, SectionKind

_KNOWN = frozenset({"basics", "work", "skills", "education", "projects", "certificates"})


def read_json_resume(text: str, *, name: str) -> Resume:
    """The resume of a JSON Resume document; fields that the schema does not know are passed over.

    Raises:
        InputError: It is no JSON, or no JSON Resume.
    """
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise fw.errors.InputError(
            f"the file is no JSON: {error}", source=name, hint="export it as JSON Resume anew"
        ) from error
    if not isinstance(value, dict) or not _KNOWN & set(cast("dict[str, Any]", value)):
        raise fw.errors.InputError(
            "the file is JSON, but no JSON Resume",
            source=name,
            hint="it needs basics, work, skills, … as https://jsonresume.org/schema has them",
        )
    root = cast("dict[str, Any]", value)
    basics = _object(root.get("basics"))
    sections: list[Section] = []

    def add(kind: SectionKind, title: str, entries: Sequence[Entry]) -> None:
        kept = tuple(entry for entry in entries if entry.heading or entry.lines)
        if kept:
            sections.append(Section(id=kind, kind=kind, title=title, entries=kept))

    add("summary", "Summary", [Entry(lines=_texts(basics.get("summary")), bulleted=False)])
    add("skills", "Skills", [Entry(lines=_skills(root), bulleted=False)])
    add("experience", "Experience", [_work(one) for one in _objects(root.get("work"))])
    add("projects", "Projects", [_project(one) for one in _objects(root.get("projects"))])
    add("education", "Education", [_education(one) for one in _objects(root.get("education"))])
    for key, kind, title, names in _LISTS:
        lines = tuple(_joined(one, *names) for one in _objects(root.get(key)))
        add(kind, title, [Entry(lines=tuple(line for line in lines if line))])
    add("volunteering", "Volunteering", [_work(one) for one in _objects(root.get("volunteer"))])
    return Resume(
        name=_text(basics.get("name")),
        headline=_text(basics.get("label")),
        contacts=_contacts(basics),
        sections=tuple(sections),
    )


_LISTS: tuple[tuple[str, SectionKind, str, tuple[str, ...]], ...] = (
    ("certificates", "certifications", "Certifications", ("name", "issuer", "date")),
    ("publications", "publications", "Publications", ("name", "publisher", "releaseDate")),
    ("awards", "awards", "Awards", ("title", "awarder", "date")),
    ("languages", "languages", "Languages", ("language", "fluency")),
    ("interests", "interests", "Interests", ("name",)),
)


def _contacts(basics: Mapping[str, Any]) -> tuple[str, ...]:
    place = _object(basics.get("location"))
    profiles = [_text(one.get("url")) for one in _objects(basics.get("profiles"))]
    where = ", ".join(_text(place.get(key)) for key in ("city", "region") if place.get(key))
    found = [_text(basics.get(key)) for key in ("email", "phone", "url")] + profiles + [where]
    line = " | ".join(one for one in found if one)
    return (line,) if line else ()


def _skills(root: Mapping[str, Any]) -> tuple[str, ...]:
    lines: list[str] = []
    for one in _objects(root.get("skills")):
        words = ", ".join(_texts(one.get("keywords")))
        name = _text(one.get("name"))
        lines.append(f"{name}: {words}" if name and words else name or words)
    return tuple(line for line in lines if line)


def _work(one: Mapping[str, Any]) -> Entry:
    employer = _text(one.get("name") or one.get("company") or one.get("organization"))
    parts = [_text(one.get("position")), employer, _text(one.get("location")), _span(one)]
    heading = " | ".join(part for part in parts if part)
    return Entry(
        heading=heading, lines=(*_texts(one.get("summary")), *_texts(one.get("highlights")))
    )


def _project(one: Mapping[str, Any]) -> Entry:
    heading = " | ".join(part for part in (_text(one.get("name")), _span(one)) if part)
    words = ", ".join(_texts(one.get("keywords")))
    used = (f"Technologies: {words}",) if words else ()
    lines = (*_texts(one.get("description")), *_texts(one.get("highlights")), *used)
    return Entry(heading=heading, lines=lines)


def _education(one: Mapping[str, Any]) -> Entry:
    degree = " in ".join(_text(one.get(key)) for key in ("studyType", "area") if one.get(key))
    heading = " | ".join(p for p in (degree, _text(one.get("institution")), _span(one)) if p)
    score = _text(one.get("score"))
    courses = ", ".join(_texts(one.get("courses")))
    lines = (f"GPA: {score}" if score else "", f"Relevant Courses: {courses}" if courses else "")
    return Entry(heading=heading, lines=tuple(line for line in lines if line))


def _span(one: Mapping[str, Any]) -> str:
    start, end = _day(one.get("startDate")), _day(one.get("endDate"))
    if start:
        return f"{start} - {end or 'Present'}"
    return end


def _day(value: Any) -> str:
    return _text(value)[:7]


def _joined(one: Mapping[str, Any], *names: str) -> str:
    return ", ".join(_text(one.get(name)) for name in names if one.get(name))


def _text(value: Any) -> str:
    return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(text for text in map(_text, cast("list[Any]", value)) if text)
    text = _text(value)
    return (text,) if text else ()


def _object(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [_object(one) for one in cast("list[Any]", value)] if isinstance(value, list) else []
