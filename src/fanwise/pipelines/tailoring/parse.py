"""A resume out of the text of a document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from fanwise.pipelines.tailoring.dates import has_date, is_date_only
from fanwise.pipelines.tailoring.records import Entry, Resume, Section, SectionKind

_TITLES: dict[SectionKind, str] = {
    "summary": "summary|professional summary|executive summary|career summary|summary of "
    "qualifications|profile|professional profile|personal profile|career profile|about|about me|"
    "objective|career objective|professional objective|personal statement|overview|highlights|"
    "career highlights",
    "skills": "skills|technical skills|key skills|core skills|professional skills|skill set|"
    "core competencies|competencies|key competencies|areas of expertise|expertise|technologies|"
    "technical proficiencies|technical expertise|technical summary|tools|tools and technologies|"
    "skills and tools|skills and technologies|skills and expertise|computer skills|"
    "clinical skills|relevant skills|additional skills|skills and abilities|strengths|"
    "programming skills|it skills|soft skills|skills and competencies",
    "experience": "experience|professional experience|work experience|employment|"
    "employment history|work history|career history|relevant experience|professional background|"
    "positions held|clinical experience|teaching experience|industry experience|"
    "internship experience|internships|internship|experience and internships|"
    "research experience|additional experience|other experience|military experience|"
    "leadership experience|professional history|work",
    "projects": "projects|personal projects|selected projects|key projects|academic projects|"
    "side projects|relevant projects|open source|open source projects|"
    "open source contributions|project experience|portfolio|projects and open source",
    "education": "education|academic background|education and training|academic qualifications|"
    "educational background|qualifications|academics|education and certifications|training|"
    "relevant coursework|coursework|academic history|education and credentials",
    "certifications": "certifications|certificates|licenses|licences|certification|"
    "licenses and certifications|certifications and licenses|licensure|credentials|"
    "licensure and certifications|professional certifications|courses|"
    "certifications and training|training and certifications|licences and certifications|"
    "professional development",
    "publications": "publications|publications and presentations|presentations|"
    "selected publications|papers|talks|patents|conferences|publications and talks|"
    "speaking engagements|research",
    "awards": "awards|honors|honours|awards and honors|honors and awards|achievements|"
    "accomplishments|key achievements|scholarships|awards and achievements|recognition",
    "languages": "languages|language skills",
    "volunteering": "volunteering|volunteer experience|volunteer|volunteer work|activities|"
    "extracurricular activities|leadership|community involvement|community|memberships|"
    "professional memberships|affiliations|professional affiliations|"
    "leadership and activities|activities and leadership|organizations|involvement",
    "interests": "interests|hobbies|hobbies and interests|personal interests",
    "references": "references",
    "other": "additional information|additional|miscellaneous|other|other information|"
    "security clearance|clearance|availability|personal details|personal information",
}
_KIND_OF = {title: kind for kind, titles in _TITLES.items() for title in titles.split("|")}
_BULLET = re.compile(
    r"^\s*(?:[-*+\u2022\u2023\u25aa\u25ab\u25cf\u25cb\u25e6\u2043\u2219\u00b7\u27a2\u2713\u25a0]"
    r"|\u2013|\u2014|o(?=\s{1,3}[A-Z]))\s+"
)
_MARKED = re.compile(r"^#{1,6}\s+")
_CONTACT = re.compile(
    r"@\w|https?://|www\.|linkedin|github\.|gitlab\.|\+?\(?\d{2,4}\)?[\s.-]?\d{3}[\s.-]?\d{2,4}"
    r"|\b\d{5}(?:-\d{4})?\b",
    re.IGNORECASE,
)
_EMPHASIS = re.compile(r"(\*\*|__)(.+?)\1")
_LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
_GROUPED = frozenset({"experience", "projects", "education", "volunteering", "other", "research"})
_LONG_LINE = 60
_HEADING_CHARS = 130


@dataclass(slots=True)
class _Entry:
    heading: list[str] = field(default_factory=list[str])
    lines: list[str] = field(default_factory=list[str])
    bullets: int = 0

    def done(self) -> Entry:
        return Entry(
            heading=" | ".join(self.heading),
            lines=tuple(self.lines),
            bulleted=self.bullets > 0,
        )


def parse_resume(text: str) -> Resume:
    """The resume that a text is, whatever the document it came from.

    Sections are told by their headings, entries by the lines that stand above list items or hold
    dates. Lines that a page has wrapped are joined. No text is dropped.
    """
    lines = unwrapped(text)
    first = next((n for n, line in enumerate(lines) if section_kind(line)), len(lines))
    resume, rest = _header(lines[:first])
    sections: list[Section] = []
    if rest:
        entries = (Entry(lines=tuple(rest), bulleted=False),)
        sections.append(Section(id="summary", kind="summary", title="Summary", entries=entries))
    at = first
    while at < len(lines):
        kind = section_kind(lines[at])
        assert kind is not None
        end = next((n for n in range(at + 1, len(lines)) if section_kind(lines[n])), len(lines))
        title = plain(lines[at]).rstrip(":").strip()
        body = lines[at + 1 : end]
        entries = _entries(body) if kind in _GROUPED else _flat(body)
        taken = sum(section.kind == kind for section in sections)
        name = str(kind) if not taken else f"{kind}-{taken + 1}"
        sections.append(Section(id=name, kind=kind, title=title, entries=entries))
        at = end
    return replace(resume, sections=tuple(sections))


def section_kind(line: str) -> SectionKind | None:
    """What section a line opens; ``None`` where it opens none."""
    if is_bullet(line) or len(line) > 60:
        return None
    bare = plain(line).strip()
    words = bare.rstrip(":").strip(" -=_\u2014\u2013")
    kind = _KIND_OF.get(re.sub(r"\s*[&/+]\s*", " and ", words).lower())
    if kind is None and words.isupper() and len(words.split()) <= 5:
        known = [_KIND_OF.get(part.strip().lower()) for part in re.split(r"&| AND |/|,", words)]
        kind = next((one for one in known if one is not None), None)
    if kind is None or (words.islower() and not _MARKED.match(line)):
        return None
    return cast("SectionKind", kind)


def is_bullet(line: str) -> bool:
    """Whether a line is a list item."""
    return bool(_BULLET.match(line))


def plain(line: str) -> str:
    """A line without bullet, heading mark and Markdown emphasis."""
    line = _MARKED.sub("", _BULLET.sub("", line, count=1).strip())
    line = _EMPHASIS.sub(r"\2", _LINK.sub(_link, line))
    return re.sub(r"[ \t]{2,}", " ", line.replace("\t", " ")).strip()


def _link(match: re.Match[str]) -> str:
    label, target = match[1], match[2].removeprefix("mailto:")
    return label if label in target or target in label else f"{label} ({target})"


def unwrapped(text: str) -> list[str]:
    """The lines of a text, those that were wrapped joined, runs of empty ones as one."""
    raw = [line.rstrip() for line in text.split("\n")]
    raw = [line for line in raw if not re.fullmatch(r"[-=_*\s\u2500\u2501]{3,}", line)]
    lengths = sorted(len(line) for line in raw if line.strip())
    width = max(_LONG_LINE, int(0.7 * lengths[int(0.95 * (len(lengths) - 1))])) if lengths else 0
    lines: list[str] = []
    before = ""  # the last piece that was read, as long as the page made it
    for number, line in enumerate(raw):
        bare = line.strip()
        if not bare:
            if lines and lines[-1]:
                lines.append("")
        elif (
            lines
            and lines[-1]
            and _continues(before, line, width=width)
            and (bare[0].islower() or not _opens_list(raw[number : number + 2], before, width))
        ):
            lines[-1] = f"{lines[-1]} {bare}"
        else:
            lines.append(line)
        before = line
    return lines


def _continues(before: str, line: str, *, width: int) -> bool:
    bare = line.strip()
    if is_bullet(line) or section_kind(line) or _MARKED.match(line) or len(before) < width:
        return False
    if section_kind(before) or _MARKED.match(before) or "|" in bare or "\t" in bare:
        return False
    if bare[0].islower():
        return True
    label = re.match(r"[^,:]{2,30}:\s", bare)  # another group of skills, or the like
    if label or (has_date(bare) and len(bare) < _HEADING_CHARS and not bare.endswith(".")):
        return False
    return not before.rstrip().endswith((".", "!", "?", ":", ";"))


def _opens_list(pair: Sequence[str], before: str, width: int) -> bool:
    """Whether a line rather begins something: list items follow, or the line before was short."""
    below = len(pair) > 1 and is_bullet(pair[1]) and len(pair[0]) < width
    return below or len(before) < 1.2 * width


def _header(lines: Sequence[str]) -> tuple[Resume, list[str]]:
    """Name, headline and contacts; and what stands above the first section besides."""
    name = headline = ""
    contacts: list[str] = []
    rest: list[str] = []
    for line in lines:
        bare = plain(line)
        if not bare:
            continue
        if _CONTACT.search(bare) and len(bare) < 200:
            contacts.append(bare)
        elif not name and len(bare) < 60 and not bare.endswith("."):
            name = re.sub(
                r"^(?:name|resume of|curriculum vitae of)\s*:?\s+", "", bare, flags=re.IGNORECASE
            )
            if name.lower() in {"resume", "curriculum vitae", "cv"}:
                name = ""
        elif not headline and len(bare) < 100 and not bare.endswith("."):
            headline = bare
        elif len(bare) < 40 and "," in bare and not rest:
            contacts.append(bare)  # a place
        else:
            rest.append(bare)
    return Resume(name=name, headline=headline, contacts=tuple(contacts)), rest


def _flat(body: Sequence[str]) -> tuple[Entry, ...]:
    lines = [plain(line) for line in body if line.strip()]
    bullets = sum(is_bullet(line) for line in body)
    return (Entry(lines=tuple(lines), bulleted=bullets > 0),) if lines else ()


def _entries(body: Sequence[str]) -> tuple[Entry, ...]:
    found: list[_Entry] = []
    gap = True
    for line in body:
        bare = plain(line)
        if not bare:
            gap = True
            continue
        last = found[-1] if found else None
        if is_bullet(line) or not _is_heading(line, bare):
            if last is None:
                last = _Entry()
                found.append(last)
            last.lines.append(bare)
            last.bullets += is_bullet(line)
        elif last is None or not _belongs(last, bare, gap=gap):
            found.append(_Entry(heading=[bare]))
        else:
            last.heading.append(bare)
        gap = False
    return tuple(entry.done() for entry in found)


def _is_heading(line: str, bare: str) -> bool:
    if _MARKED.match(line):
        return True
    if len(bare) > _HEADING_CHARS or re.match(r"[^|]{2,40}:\s", bare):
        return False
    if "|" in bare or has_date(bare):
        return not (bare.endswith(".") and len(bare) > 80)
    return not bare.endswith((".", ";", ",")) and bare[0].isupper()


def _belongs(entry: _Entry, bare: str, *, gap: bool) -> bool:
    """Whether a heading line is a further line of the entry's heading."""
    if entry.lines or len(entry.heading) > 3:
        return False
    if is_date_only(bare):
        return not any(is_date_only(part) for part in entry.heading)
    dated = any(has_date(part) for part in entry.heading)
    return not gap and not (dated and has_date(bare))
