"""Whether a note has what its template asks for, and cites all of the recording."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fanwise.pipelines.notes.catalogue import Section, Template
from fanwise.pipelines.notes.records import Depth, DepthNote, Written

if TYPE_CHECKING:
    from fanwise.pipelines.notes.schema import NoteAnswer, SectionAnswer

_ENTRY = re.compile(r"^(?:[-*+]|\d{1,3}[.)])\s+\S", re.MULTILINE)
_TALL = re.compile(r"^#{1,2}(?=\s)", re.MULTILINE)
_FENCED = re.compile(r"(^(?:```|~~~)[\w+-]*\n.*?^(?:```|~~~)[ \t]*$)", re.MULTILINE | re.DOTALL)
_ACTIVE = re.compile(r"(\\*)<(?=[a-zA-Z/!?])|\](?=[(\[:])")
_RANGE = re.compile(r"^\s*\[?(P\d+)\s*(?:[-–—]|to)\s*(P?\d+)\]?\s*$", re.IGNORECASE)
_ONE = re.compile(r"^\s*\[?(P\d+)\]?\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A section that has to be written again."""

    depth: Depth
    section: str
    reason: str


@dataclass(slots=True)
class Draft:
    """A note while it is written: what is good of it, and what is still wanted.

    Args:
        template: What is written.
        depths: The depths that are wanted.
        order: The ids of all passages; empty where there is nothing to cite.
    """

    template: Template
    depths: Sequence[Depth]
    order: Sequence[str]
    problems: list[Problem] = field(default_factory=list["Problem"])
    foreign: str = ""
    ignored: int = 0
    _good: dict[tuple[str, str], Written] = field(
        default_factory=dict["tuple[str, str]", "Written"]
    )

    def wanted(self) -> dict[Depth, list[str]]:
        """By depth, the sections that are not there yet."""
        found: dict[Depth, list[str]] = {}
        for depth in self.depths:
            missing = [s.id for s in self.template.sections if (depth, s.id) not in self._good]
            if missing:
                found[depth] = missing
        return found

    def gaps(self) -> dict[Depth, list[str]]:
        """By depth, the passages that no section cites. A depth whose main section is not there
        has none yet.
        """
        found: dict[Depth, list[str]] = {}
        for depth in self.depths:
            if (depth, self.template.whole.id) in self._good:
                cited = self.depth(depth).cited
                missing = [name for name in self.order if name not in cited]
                if missing:
                    found[depth] = missing
        return found

    def depth(self, depth: Depth) -> DepthNote:
        """What there is of one depth, in the template's order."""
        sections = (self._good.get((depth, section.id)) for section in self.template.sections)
        return DepthNote(depth=depth, sections=tuple(one for one in sections if one is not None))

    def take(self, answer: NoteAnswer) -> None:
        """Adds what is good of an answer: sections that were missing, and additions to the main
        one. Everything else of it is left out, and what is wrong is noted in ``problems``.
        """
        self.problems = []
        self.foreign = ""
        if answer.template.strip().lower() != self.template.id:
            self.foreign = answer.template
            return
        wanted, gaps = self.wanted(), self.gaps()
        for depth in self.depths:
            written: dict[str, list[SectionAnswer]] = {}
            for part in answer.parts:
                if part.depth == depth:
                    for section in part.sections:
                        written.setdefault(section.section.strip().lower(), []).append(section)
            self.ignored += sum(self.template.section(name) is None for name in written)
            for name in wanted.get(depth, ()):
                self._judge(depth, name, written.get(name, []))
            if depth in gaps:
                self._extend(depth, gaps[depth], written.get(self.template.whole.id, []))

    def _judge(self, depth: Depth, name: str, answers: Sequence[SectionAnswer]) -> None:
        section = self.template.section(name)
        assert section is not None
        reason = "it is missing"
        if len(answers) > 1:
            reason = "it is there twice"
        elif answers:
            reason = reason_against(section, answers[0].markdown)
            if not reason:
                self._good[depth, name] = Written(
                    section=name,
                    title=section.title,
                    markdown=tidy(answers[0].markdown),
                    sources=tuple(cited(answers[0].sources, self.order)),
                )
                return
        self.problems.append(Problem(depth=depth, section=name, reason=reason))

    def _extend(self, depth: Depth, gap: Sequence[str], answers: Sequence[SectionAnswer]) -> None:
        """Adds to the main section what was written for passages that nothing cited."""
        key = (depth, self.template.whole.id)
        for answer in answers:
            fresh = [name for name in cited(answer.sources, self.order) if name in gap]
            text = tidy(answer.markdown)
            if not fresh or not text:
                continue
            known = self._good[key]
            sources = {*known.sources, *fresh}
            self._good[key] = Written(
                section=known.section,
                title=known.title,
                markdown=f"{known.markdown}\n\n{text}",
                sources=tuple(name for name in self.order if name in sources),
            )


def reason_against(section: Section, markdown: str) -> str:
    """What is wrong with a section's body; empty where nothing is."""
    text = markdown.strip()
    if not text:
        return "it is empty"
    entries = len(_ENTRY.findall(text))
    least, most = section.items_min, section.items_max
    if least is not None and entries < least:
        return f"its list has {entries} entries, and at least {least} are wanted"
    if most is not None and entries > most:
        return f"its list has {entries} entries, and at most {most} are wanted"
    lacking = [mark for mark in section.marks if mark.lower() not in text.lower()]
    return f"it lacks {lacking[0]!r}" if lacking else ""


def tidy(markdown: str) -> str:
    """A section's body with no heading as tall as the note's own, and no HTML, links or images.

    What a recording says, or a model writes, must not become a tag, an image or an address in a
    page that shows the Markdown; it is shown as it stands. Blocks of code stay as they are.
    """
    text = _TALL.sub("###", markdown.strip())
    pieces = _FENCED.split(text)  # every other one is a block of code
    return "".join(
        piece if place % 2 else _ACTIVE.sub(_shown, piece) for place, piece in enumerate(pieces)
    )


def _shown(active: re.Match[str]) -> str:
    """What begins a tag, a link, an image or the definition of one, with a backslash."""
    if active[0] == "]":
        return "]\\"
    escaped = len(active[1]) % 2 == 1
    return active[0] if escaped else f"{active[1]}\\<"


def cited(sources: Sequence[str], order: Sequence[str]) -> list[str]:
    """The passages that sources name, each once, in order; names that there are not are left out.

    Args:
        sources: Such as ``P3``, ``P4-P9``, or several of them with commas.
        order: The ids of all passages.
    """
    found: set[str] = set()
    for source in sources:
        for piece in re.split(r"[,;]", source):
            found.update(_named(piece, order))
    return [name for name in order if name in found]


def _named(piece: str, order: Sequence[str]) -> Iterator[str]:
    one = _ONE.match(piece)
    if one is not None:
        yield one[1].upper()
        return
    both = _RANGE.match(piece)
    if both is None:
        return
    first, last = both[1].upper(), f"P{both[2].upper().removeprefix('P')}"
    if first in order and last in order:
        yield from order[order.index(first) : order.index(last) + 1]


def missing_points(wanted: Sequence[str], points: Mapping[str, Sequence[str]]) -> list[str]:
    """The passages of a part for which no point was noted."""
    return [name for name in wanted if not any(point.strip() for point in points.get(name, ()))]
