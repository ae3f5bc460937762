"""What a job posting asks for, by rules: requirements, years, level, degree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fanwise.pipelines.tailoring.text import (
    STOPWORDS,
    lexicon,
    mentions,
    sentences,
    stem,
    stems_of,
    word_set,
    words_of,
)

Part: TypeAlias = Literal["required", "preferred", "duties", "about", "offer"]
Need: TypeAlias = Literal["required", "preferred", "core"]

_OPENERS: Mapping[Part, str] = {
    "preferred": "nice[- ]to[- ]haves?|preferred|desir(?:ed|able)|bonus|plus(?:es)?|good to have|"
    "advantage|assets?|stand out|would be (?:great|nice)",
    "offer": "benefits|what we offer|we offer|perks|compensation|how to apply|to apply|apply now|"
    "salary|why (?:join|work)|equal opportunity|eeo|what you.?ll get|what.?s in it",
    "required": "requirements?|required|qualifications?|what we.?re looking for|who you are|"
    "what you.?ll need|you have|must[- ]haves?|skills|your profile|about you|"
    "what you bring|experience|education|ideal candidate|looking for|minimum|basic|"
    "what you need|competencies|eligibility|candidate profile|person specification",
    "duties": "responsibilit(?:y|ies)|duties|what you.?ll do|what you will do|the role|your role|"
    "day[- ]to[- ]day|job description|job summary|position (?:overview|summary)|overview|"
    "role|tasks|accountabilities|in this role|summary|description|key activities",
    "about": "about|who we are|our (?:company|team|mission)|the company|company",
}
_PREFERRED = re.compile(
    r"\bpreferred\b|nice to have|\bbonus\b|\bis a plus\b|\ba plus\b|\bdesir(?:ed|able)\b|"
    r"\badvantageous\b|\bideally\b|\ban asset\b|\ban advantage\b",
    re.IGNORECASE,
)
_MUST = re.compile(
    r"\bmust\b|\brequir|\bneed|\bexperience (?:with|in)\b|\bproficien|\bknowledge of\b|"
    r"\bfamiliar|\byears\b|\bstrong\b|\bexpert\b|\bability to\b|\bdegree\b|\blicen[sc]e\b|"
    r"\bcertifi|\bskilled in\b|\bbackground in\b",
    re.IGNORECASE,
)
_HEAD_CHARS = 60
_YEARS = re.compile(
    r"(\d{1,2})\s*(\+|plus|or more)?\s*(?:(?:-|\u2013|to)\s*(\d{1,2})\s*(\+)?)?\s*"
    r"(?:years?|yrs?)(?![- ]old)",
    re.IGNORECASE,
)
_DEGREES: Mapping[int, str] = {
    4: r"ph\.?\s?d|doctorate|doctoral|doctor of|\bm\.?d\.?\b(?=[ ,|]|$)|juris doctor|\bj\.?d\.?\b",
    3: r"master'?s?\b|\bm\.?sc?\.?(?=[ ,/|]|$)|\bm\.?b\.?a\b|\bm\.?eng\b|\bm\.?ed\b|"
    r"\bm\.?a\.(?=\s)|\bmsn\b|graduate degree",
    2: r"bachelor'?s?\b|\bb\.?sc?\.?(?=[ ,/|]|$)|\bb\.?a\.?(?=[ ,/|]|$)|\bb\.?eng\b|\bbsn\b|"
    r"\bb\.?tech\b|\bb\.?com\b|\bbba\b|undergraduate degree|university degree|college degree",
    1: r"associate'?s?(?: degree)|\ba\.?a\.?s\.?\b|diploma|high school|\bged\b|vocational",
}
_LEVELS: tuple[tuple[int, str], ...] = (
    (0, r"\bintern(?:ship)?\b|\btrainee\b|\bapprentice"),
    (1, r"\bjunior\b|\bjr\b|\bentry[- ]level\b|\bgraduate\b|\bassistant\b|\bassociate\b"),
    (5, r"\bdirector\b|\bhead of\b|\bvp\b|\bvice president\b|\bchief\b|\bc[te]o\b"),
    (4, r"\blead\b|\bprincipal\b|\bstaff\b(?! nurse)|\bmanager\b|\bsupervisor\b"),
    (3, r"\bsenior\b|\bsr\b|\bexperienced\b"),
)
_MID = 2
_FILLER = word_set(
    """
    ability able strong solid proven excellent good great basic advanced deep hands experience
    experienced knowledge understanding familiarity familiar proficiency proficient expertise
    expert skills skill working years year minimum least required preferred preferably plus
    related relevant similar equivalent field fields degree bachelor bachelors master masters
    phd demonstrated track record background environment using use used work works understand
    comfortable comfort new ideally desired desirable bonus must nice modern various multiple
    high highly level quality best practices techniques technologies technology tools tool
    methods concepts principles libraries library other professional passion passionate exposure
    willingness eagerness learn grow current valid active license licence certification
    certified candidate candidates successful effectively effective efficient efficiently clean
    efficient ensure provide support help develop developing maintain maintaining build building
    create write writing implement implementing perform performing participate participating
    assist improve existing functionality needed necessary appropriate daily weekly including
    team teams company business projects project internship personal portfolio abilities overall
    solutions science computer state one two three five equivalent combination plus stay latest
    """
)
_MOST_PHRASE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One thing that a posting asks for.

    Args:
        terms: Skills or phrases of which any one will do.
        need: ``required``, ``preferred``, or ``core`` where only the duties speak of it.
        known: Whether the terms are skills of the lexicon, and no phrases of the posting.
        weight: How much it counts among those of its kind; soft skills and phrases count less.
    """

    terms: tuple[str, ...]
    need: Need
    known: bool = True
    weight: float = 1.0

    @property
    def name(self) -> str:
        """What people call it."""
        return " or ".join(self.terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A job posting as far as rules understand it.

    Args:
        title: The job's title.
        requirements: What it asks for, each thing once, under its strongest need.
        duties: The lines that say what is to be done.
        years: Least and most years of experience; ``None`` where it does not say.
        level: 0 intern, 1 junior, 2 none said, 3 senior, 4 lead or manager, 5 director.
        degree: 1 school or associate, 2 bachelor, 3 master, 4 doctor; 0 where none is asked for.
        fields: Stems of the fields of study that would do.
        degree_or_else: Whether equal experience will do instead.
    """

    title: str = ""
    requirements: tuple[Requirement, ...] = ()
    duties: tuple[str, ...] = ()
    years: tuple[float | None, float | None] = (None, None)
    level: int = _MID
    degree: int = 0
    fields: frozenset[str] = frozenset()
    degree_or_else: bool = False

    def of_need(self, need: Need) -> tuple[Requirement, ...]:
        """The requirements of one kind."""
        return tuple(one for one in self.requirements if one.need == need)


def read_posting(text: str) -> Posting:
    """What a posting asks for. Time linear in its length."""
    parts = parts_of(text)
    required = [line for part, line in parts if part == "required"]
    duties = [line for part, line in parts if part == "duties"]
    if not required:  # a posting in prose: what is asked for is told by its verbs
        required = [
            line for part, line in parts if part in {"duties", "about"} and _MUST.search(line)
        ]
    preferred = [line for part, line in parts if part == "preferred"]
    found: dict[tuple[str, ...], Requirement] = {}
    for line in required:
        need: Need = "preferred" if _is_wish(line) else "required"
        _note(found, _asked(line, need))
    for line in preferred:
        _note(found, _asked(line, "preferred"))
    for line in duties:
        _note(found, _asked(line, "core", phrases=False))
    title = title_of(text)
    degrees = [line for line in required if degree_of(line) and not _is_wish(line)]
    degree = min((_least_degree(line) for line in degrees), default=0)
    fields: set[str] = set()
    for line in degrees:
        match = re.search(r"\bin\b(.+)", line)
        fields |= stems_of(match[1]) if match else set()
    return Posting(
        title=title,
        requirements=tuple(found.values()),
        duties=tuple(duties),
        years=_years([*required, *(line for part, line in parts if part in {"duties", "about"})]),
        level=level_of(title),
        degree=degree,
        fields=frozenset(fields) - stems_of("field related equivalent experience degree work"),
        degree_or_else=any(re.search(r"or equivalent", line, re.IGNORECASE) for line in degrees),
    )


def parts_of(text: str) -> list[tuple[Part, str]]:
    """The sentences of a posting, each with the part that it stands in; headings are left out."""
    part: Part = "about"
    found: list[tuple[Part, str]] = []
    for raw in text.split("\n"):
        line = re.sub(r"^\s*(?:[-*+\u2022\u25cf\u25aa\u25e6\u00b7]|\d+[.)])\s+", "", raw).strip()
        bullet = bool(line) and line != raw.strip()
        line = re.sub(r"[*_#]{1,}", "", line).strip()
        if not line:
            continue
        opened, rest = (None, "") if bullet else _opens(line)
        if opened is not None:
            part = opened
            line = rest
        if line:
            clauses = (one for sentence in sentences(line) for one in sentence.split("; "))
            found.extend((part, clause) for clause in clauses)
    return found


def _opens(line: str) -> tuple[Part | None, str]:
    """The part that a line opens, and what stands after the colon."""
    head, colon, rest = line.partition(":")
    if len(head) > _HEAD_CHARS or (
        not colon and (line.endswith((".", ";", ",")) or len(line.split()) > 7)
    ):
        return None, ""
    if not colon and not (line.istitle() or line.isupper() or len(line.split()) <= 6):
        return None, ""
    if rest.strip() and len(head.split()) > 4:
        return None, ""
    for part, words in _OPENERS.items():
        if re.search(rf"\b(?:{words})\b", head, re.IGNORECASE):
            return part, rest.strip()
    return None, ""


def title_of(text: str) -> str:
    """The job's title: what is labelled so, else the first line that can be one."""
    labelled = re.search(
        r"^\W*(?:job title|position|title|role)\s*:\s*(.{3,80})$",
        text,
        re.IGNORECASE | re.MULTILINE,
    )
    if labelled:
        return labelled[1].strip()
    hiring = re.search(
        r"(?:looking for|seeking|hiring|need) (?:an?|our next) "
        r"([A-Z][\w/+#.-]*(?: [A-Z][\w/+#.-]*){0,5})",
        text,
    )
    for line in text.split("\n"):
        bare = re.sub(r"[*_#]+", "", line).strip(" -\u2013|")
        if not bare:
            continue
        if len(bare) <= 80 and not bare.endswith(".") and ":" not in bare:
            return bare
        break
    return hiring[1] if hiring else ""


def level_of(title: str) -> int:
    """How senior a title is, 0 to 5; 2 where it does not say."""
    for level, words in _LEVELS:
        if re.search(words, title, re.IGNORECASE):
            return level
    return _MID


def degree_of(text: str) -> int:
    """The highest degree that a text names, 0 to 4."""
    return max((level for level, words in _DEGREES.items() if _has(words, text)), default=0)


def _least_degree(text: str) -> int:
    return min((level for level, words in _DEGREES.items() if _has(words, text)), default=0)


def _has(words: str, text: str) -> bool:
    return bool(re.search(rf"(?<!\w)(?:{words})", text, re.IGNORECASE))


def _is_wish(line: str) -> bool:
    """Whether a whole line is only wished for; ``(AWS preferred)`` in it does not make it so."""
    return bool(_PREFERRED.search(re.sub(r"\([^)]*\)", "", line)))


def _years(lines: Iterable[str]) -> tuple[float | None, float | None]:
    for line in lines:
        for match in _YEARS.finditer(line):
            low, high = int(match[1]), int(match[3]) if match[3] else None
            about_work = re.search(r"experience|background|career|work", line, re.IGNORECASE)
            if low <= 25 and about_work:
                return float(low), None if match[4] or high is None else float(high)
    if any(
        re.search(r"\b(?:recent graduates?|entry[- ]level)\b", line, re.IGNORECASE)
        for line in lines
    ):
        return 0.0, 2.0
    return None, None


def _note(found: dict[tuple[str, ...], Requirement], asked: Sequence[Requirement]) -> None:
    named = {term for terms in found for term in terms}
    for one in asked:
        fresh = tuple(term for term in one.terms if term not in named)
        if fresh and one.terms not in found:
            found[one.terms] = one


def _asked(line: str, need: Need, *, phrases: bool = True) -> list[Requirement]:
    known = lexicon()
    bare = re.sub(r"(?i)^.*?\b(?:degree|bachelor|master|ph\.?d)\b.*$", "", line)
    found: list[Requirement] = []
    seen: set[str] = set()
    named = [one for one in mentions(bare) if not (one.skill in seen or seen.add(one.skill))]
    hard = [one for one in named if one.skill not in known.soft]
    if need == "core":
        named = hard
    group: list[str] = []
    for number, one in enumerate(named):
        soft = one.skill in known.soft
        nxt = named[number + 1] if number + 1 < len(named) else None
        between = bare[one.end : nxt.start] if nxt else ""
        group.append(one.skill)
        if nxt and _is_choice(bare, between, one.start):
            continue
        weight = 0.25 if soft else 1.0
        found.append(Requirement(terms=tuple(group), need=need, weight=weight))
        group = []
    if not named and phrases:
        found += [
            Requirement(terms=(phrase,), need=need, known=False, weight=0.6)
            for phrase in phrases_of(bare)
        ]
    return found


def _is_choice(line: str, between: str, start: int) -> bool:
    """Whether what stands on both sides of ``between`` are alternatives: ``A, B, or C``."""
    if re.fullmatch(r",?\s*(?:and/)?or\s+(?:\w+\s+)?", between, re.IGNORECASE):
        return True
    if not re.fullmatch(r"\s*[,/]\s*", between):
        return False
    clause = re.split(r"[.;()]", line[start:])[0]
    return bool(re.search(r",?\s+or\s+", clause)) and " and " not in clause


def phrases_of(line: str) -> list[str]:
    """What a line asks for where no known skill is in it: its telling words, part by part."""
    line = re.sub(r"\d+\s*\+?(?:\s*-\s*\d+)?\s*(?:years?|yrs?)", " ", line, flags=re.IGNORECASE)
    found: list[str] = []
    for part in re.split(r"[,;:()/]|\band\b|\bor\b|\bof\b|\bwith\b|\bin\b|\bfor\b|\bto\b", line):
        words = [
            word
            for word in words_of(part)
            if word not in STOPWORDS
            and word not in _FILLER
            and not word.isdigit()
            and len(word) > 2
        ]
        if 1 <= len(words) <= _MOST_PHRASE and stem(words[0]):
            found.append(" ".join(words))
    return list(dict.fromkeys(found))
