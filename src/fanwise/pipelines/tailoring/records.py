"""A resume as this pipeline holds it: sections, entries, lines; and a change to one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

SectionKind: TypeAlias = Literal[
    "summary",
    "skills",
    "experience",
    "projects",
    "education",
    "certifications",
    "publications",
    "awards",
    "languages",
    "volunteering",
    "interests",
    "references",
    "other",
]
Mode: TypeAlias = Literal["PARTIAL", "FULL"]
Verdict: TypeAlias = Literal["clean", "flagged", "refused"]
Decision: TypeAlias = Literal["open", "accepted", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A post, a degree, a project; in sections without such, the only entry.

    Args:
        heading: Its title line, the parts joined by `` | ``; empty where it has none.
        lines: What stands below, without bullets.
        bulleted: Whether these are list items.
    """

    heading: str = ""
    lines: tuple[str, ...] = ()
    bulleted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a resume.

    Args:
        id: What paths call it, unique in the resume: its kind, with a number from the second on.
        kind: What it is about.
        title: Its heading as the resume has it.
        entries: What it holds.
    """

    id: str
    kind: SectionKind
    title: str
    entries: tuple[Entry, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """All lines of all entries."""
        return tuple(line for entry in self.entries for line in entry.lines)

    @property
    def text(self) -> str:
        """Headings and lines."""
        parts = [part for entry in self.entries for part in (entry.heading, *entry.lines) if part]
        return "\n".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """A resume, nothing of its text lost.

    Args:
        name: The person's name; empty where none was found.
        headline: The line below it, such as ``Data Scientist``.
        contacts: Lines with mail address, telephone, links. They are never sent to a model.
        sections: In the order of the document.
    """

    name: str = ""
    headline: str = ""
    contacts: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()

    def of_kind(self, *kinds: SectionKind) -> tuple[Section, ...]:
        """The sections of some kinds."""
        return tuple(section for section in self.sections if section.kind in kinds)

    @property
    def body(self) -> str:
        """Everything but name and contacts."""
        parts = [self.headline, *(f"{part.title}\n{part.text}" for part in self.sections)]
        return "\n".join(part for part in parts if part)

    @property
    def text(self) -> str:
        """Everything."""
        return "\n".join(part for part in (self.name, *self.contacts, self.body) if part)

    def as_json(self) -> dict[str, Any]:
        """As JSON; the paths of changes are JSON Pointers into it."""
        found: dict[str, Any] = {
            "name": self.name,
            "headline": self.headline,
            "contacts": list(self.contacts),
            "titles": {section.id: section.title for section in self.sections},
        }
        for section in self.sections:
            found[section.id] = [
                {
                    "heading": entry.heading,
                    "lines": list(entry.lines),
                    "bulleted": entry.bulleted,
                }
                for entry in section.entries
            ]
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Resume:
        """What :meth:`as_json` was made of."""
        return cls(
            name=value["name"],
            headline=value["headline"],
            contacts=tuple(value["contacts"]),
            sections=tuple(
                Section(
                    id=key,
                    kind=kind_of_id(key),
                    title=title,
                    entries=tuple(
                        Entry(
                            heading=entry["heading"],
                            lines=tuple(entry["lines"]),
                            bulleted=entry["bulleted"],
                        )
                        for entry in value[key]
                    ),
                )
                for key, title in value["titles"].items()
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change to a resume, to be accepted or rejected by itself.

    Args:
        path: A JSON Pointer: ``/experience/0/lines/2``, ``/headline``, or ``/skills/0/order``
            for the order of an entry's lines.
        before: The line as the base has it; ``None`` for one that is new. An order is a list of
            line numbers.
        after: The line as it would be; ``None`` to leave it out.
        reason: What it is for.
        confidence: 0 to 1.
        verdict: Of the fabrication gate: ``clean``, ``flagged`` (to be looked at; never accepted
            unasked), ``refused`` (states what the resume does not; cannot be accepted).
        notes: What the gate has against it.
        decision: ``open``, ``accepted`` or ``rejected``.
    """

    path: str
    before: str | tuple[int, ...] | None
    after: str | tuple[int, ...] | None
    reason: str = ""
    confidence: float = 1.0
    verdict: Verdict = "clean"
    notes: tuple[str, ...] = ()
    decision: Decision = "open"

    def as_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "path": self.path,
            "before": _plain(self.before),
            "after": _plain(self.after),
            "reason": self.reason,
            "confidence": self.confidence,
            "verdict": self.verdict,
            "notes": list(self.notes),
            "decision": self.decision,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Change:
        """What :meth:`as_json` was made of."""
        return cls(
            path=value["path"],
            before=_frozen(value["before"]),
            after=_frozen(value["after"]),
            reason=value["reason"],
            confidence=value["confidence"],
            verdict=value["verdict"],
            notes=tuple(value["notes"]),
            decision=value["decision"],
        )


def _plain(value: str | Sequence[int] | None) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def kind_of_id(section_id: str) -> SectionKind:
    """The kind of a section by its id: ``experience-2`` is of kind ``experience``."""
    kind: Any = section_id.partition("-")[0]
    return kind
