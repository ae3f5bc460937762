"""The score: how well a resume answers a posting, as screening software would count it.

Pure arithmetic over what :mod:`posting` and :mod:`profile` read: no model, the same every time.

==============  ======  =================================================================
skills          0.50    required 85 : preferred 15, each skill once, by whole words
experience      0.25    years, titles held, likeness to the duties
skill quality   0.15    whether posts and projects show what the lists claim
education       0.05    degree and field
format          0.05    what parsing software needs to find
==============  ======  =================================================================
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from fanwise.pipelines.tailoring.posting import Posting, Requirement
from fanwise.pipelines.tailoring.profile import Profile, profile_of
from fanwise.pipelines.tailoring.records import Resume
from fanwise.pipelines.tailoring.text import STOPWORDS, satisfied, stem, stems_of, words_of

WEIGHTS = {
    "skills": 0.50,
    "experience": 0.25,
    "skill_quality": 0.15,
    "education": 0.05,
    "format": 0.05,
}
_REQUIRED, _PREFERRED = 0.85, 0.15
_MOST_MENTIONS = 7  # of one skill, before it looks like stuffing
_WORST_STUFFING = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How a resume meets one requirement.

    Args:
        name: The requirement, its alternatives joined by ``or``.
        need: ``required``, ``preferred`` or ``core``.
        degree: 1 met, 0 not; 0.85 by a kindred skill, parts for phrases found in part.
        where: ``shown`` in posts or projects, ``listed`` only, or nowhere.
        weight: How much it counts among those of its kind.
    """

    name: str
    need: str
    degree: float
    where: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AtsScore:
    """A score from 0 to 100 and its parts, each from 0 to 100.

    Args:
        total: The weighted whole.
        skills, experience, skill_quality, education, format: The parts.
        stuffing: Share taken off skills and their quality for repeated or copied words, 0 to 0.4.
        years: Years of experience by the resume's dates.
        matches: Every requirement and how it is met.
        notes: What software or a reader would stumble over.
    """

    total: float
    skills: float
    experience: float
    skill_quality: float
    education: float
    format: float
    stuffing: float
    years: float
    matches: tuple[Match, ...]
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Required things that the resume does not show; soft skills, which anybody may claim,
        are left out.
        """
        required = [m for m in self.matches if m.need == "required" and m.weight >= 0.5]
        return tuple(m.name for m in required if m.degree < 0.5)

    @property
    def match_share(self) -> float:
        """Weighted share of the required things that is met, 0 to 1; of all where none is."""
        return _coverage(self.matches, "required")

    def as_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "total": self.total,
            "skills": self.skills,
            "experience": self.experience,
            "skill_quality": self.skill_quality,
            "education": self.education,
            "format": self.format,
            "stuffing": self.stuffing,
            "years": self.years,
            "missing": list(self.missing),
            "matches": [
                {"name": m.name, "need": m.need, "degree": m.degree, "where": m.where}
                for m in self.matches
            ],
            "notes": list(self.notes),
        }


def score(resume: Resume, posting: Posting, *, posting_text: str, today: date) -> AtsScore:
    """Scores a resume against a posting.

    Args:
        resume: The resume.
        posting: What the posting asks for.
        posting_text: Its text, to tell copied sentences.
        today: Until when a post held at present counts.
    """
    profile = profile_of(resume, today=today)
    matches = tuple(_match(one, profile) for one in posting.requirements)
    stuffing, stuffed = _stuffing(resume, profile, posting_text)
    preferred = [m for m in matches if m.need == "preferred"]
    required = _coverage(matches, "required")
    skills = required
    if preferred:
        skills = _REQUIRED * required + _PREFERRED * _coverage(matches, "preferred")
    formatted, problems = _format(resume, profile)
    parts = {
        "skills": 100 * skills * (1 - stuffing),
        "experience": 100 * _experience(profile, posting),
        "skill_quality": 100 * _quality(matches, profile, posting) * (1 - stuffing),
        "education": 100 * _education(profile, posting),
        "format": 100 * formatted,
    }
    rounded = {name: round(value, 1) for name, value in parts.items()}
    return AtsScore(
        total=round(sum(WEIGHTS[name] * value for name, value in parts.items()), 1),
        **rounded,
        stuffing=round(stuffing, 2),
        years=round(profile.years, 1),
        matches=matches,
        notes=(*stuffed, *_unreadable(matches), *problems),
    )


def _match(one: Requirement, profile: Profile) -> Match:
    degree, where = 0.0, ""
    for term in one.terms:
        if one.known:
            found = satisfied(term, profile.skills)
            shown = satisfied(term, profile.shown) > 0
        else:
            found, shown = _phrase(term, profile), True
        if found > degree:
            degree, where = found, "shown" if shown else "listed"
    return Match(name=one.name, need=one.need, degree=degree, where=where, weight=one.weight)


def _phrase(phrase: str, profile: Profile) -> float:
    """How far a phrase is found: whole where one line has all of its words, else in part."""
    wanted = [stem(word) for word in words_of(phrase) if word not in STOPWORDS]
    if not wanted:
        return 0.0
    best = max((sum(word in line for word in wanted) for line in profile.lines), default=0)
    if best == len(wanted):
        return 1.0
    anywhere = sum(word in profile.stems for word in wanted) / len(wanted)
    return round(0.6 * max(best / len(wanted), 0.8 * anywhere), 2)


def _coverage(matches: Sequence[Match], need: str) -> float:
    chosen = [m for m in matches if m.need == need]
    if need == "required" and not chosen:  # a posting that asks for nothing in so many words
        chosen = list(matches)
    total = sum(m.weight for m in chosen)
    return sum(m.degree * m.weight for m in chosen) / total if total else 0.5


def _quality(matches: Sequence[Match], profile: Profile, posting: Posting) -> float:
    """Whether what is required is shown at work (0.8) or only listed (0.55); with a little more
    where it is listed besides, shown lately, and named where people look first.
    """
    names = {one.name: one for one in posting.requirements}
    gained = total = 0.0
    for match in matches:
        if match.need != "required" or match.weight < 0.5:
            continue
        total += match.weight
        if not match.degree:
            continue
        terms = names[match.name].terms
        listed = any(satisfied(term, profile.listed) for term in terms)
        recent = any(satisfied(term, profile.recent) for term in terms)
        worth = 0.6 if match.where == "listed" else 0.85 + 0.1 * listed + 0.05 * recent
        gained += match.weight * match.degree * worth
    return gained / total if total else 0.5


def _experience(profile: Profile, posting: Posting) -> float:
    return (
        0.45 * _years_fit(profile, posting)
        + 0.35 * _title_fit(profile, posting)
        + 0.20 * _duties_fit(profile, posting)
    )


def _years_fit(profile: Profile, posting: Posting) -> float:
    least, most = posting.years
    if least is None:
        return 1.0 if profile.years >= 1 else 0.5 + 0.5 * profile.years
    if profile.years < least - 0.1:  # a month or so is not held against anybody
        return profile.years / least
    if most is not None and profile.years > most + 1:
        return 1 - min(0.9, 0.13 * (profile.years - most))
    return 1.0


def _title_fit(profile: Profile, posting: Posting) -> float:
    """How close a title held comes to the job's, and how close the levels are."""
    wanted = _role(posting.title)
    if not wanted:
        return 0.5
    best = 0.0
    for number, title in enumerate(profile.titles[:6]):
        share = len(wanted & _role(title)) / len(wanted)
        latest = number == 0 or title == profile.titles[-1]
        best = max(best, share if latest else 0.85 * share)
    apart = min((abs(posting.level - level) for level in profile.levels), default=2)
    return best * max(0.0, 1 - 0.25 * apart)


_LEVEL_WORDS = stems_of(
    "junior senior lead principal staff entry level intern trainee assistant associate i ii iii"
)


def _role(title: str) -> frozenset[str]:
    """The stems of a title's first part, without level and place; kindred words as one."""
    first = re.split(r"\s[-\u2013\u2014|]\s|\||,|\(|\bat\b", title)[0]
    same = {stem("developer"): stem("engineer"), stem("programmer"): stem("engineer")}
    return frozenset(same.get(one, one) for one in stems_of(first) - _LEVEL_WORDS)


def _duties_fit(profile: Profile, posting: Posting) -> float:
    """How much of what is to be done the resume speaks of."""
    shares: list[float] = []
    for line in posting.duties:
        wanted = stems_of(line)
        if len(wanted) >= 2:
            shares.append(min(1.0, 1.4 * len(wanted & profile.stems) / len(wanted)))
    return sum(shares) / len(shares) if shares else 0.5


def _education(profile: Profile, posting: Posting) -> float:
    if not posting.degree:
        return 1.0 if profile.degree else 0.8
    if profile.degree >= posting.degree:
        if posting.fields and not posting.fields & profile.study:
            return 0.7
        return 1.0
    if posting.degree_or_else and profile.years >= (posting.years[0] or 3):
        return 0.8
    return max(0.0, 0.6 * profile.degree / posting.degree)


def _format(resume: Resume, profile: Profile) -> tuple[float, list[str]]:
    contacts = " ".join(resume.contacts)
    lines = [line for part in resume.of_kind("experience") for line in part.lines]
    words = len(words_of(resume.body))
    checks = (
        ("@" in contacts, "no mail address was found at the top"),
        (bool(re.search(r"\d{3}", contacts)), "no telephone number was found at the top"),
        (bool(resume.of_kind("experience")), "no section named Experience was found"),
        (bool(resume.of_kind("skills")), "no section named Skills was found"),
        (bool(resume.of_kind("education")), "no section named Education was found"),
        (profile.dated, "no dates were found at the posts"),
        (len(lines) >= 2, "the posts have no lines that say what was done"),
        (150 <= words <= 1300, f"it has {words} words; 150 to 1300 are usual"),
        (all(len(words_of(line)) <= 45 for line in lines), "some lines are longer than 45 words"),
    )
    problems = [problem for fine, problem in checks if not fine]
    return 1 - len(problems) / len(checks), problems


def _unreadable(matches: Sequence[Match]) -> list[str]:
    if matches:
        return []
    return ["no skill was recognised in the posting, so that the score says little of this job"]


def _stuffing(resume: Resume, profile: Profile, posting_text: str) -> tuple[float, list[str]]:
    """What is taken off for words repeated beyond sense, or for the posting pasted in."""
    notes: list[str] = []
    penalty = 0.0
    words = max(1, len(words_of(resume.body)))
    for skill, count in profile.counts.most_common(5):
        excess = count - max(_MOST_MENTIONS, 0.02 * words)
        if excess > 0:
            penalty += 0.05 * excess
            notes.append(f"{skill} is named {count} times")
    twice = re.search(r"\b(\w[\w+#.-]{1,30})(?:[\s,;|]+\1\b){2,}", resume.body, re.IGNORECASE)
    if twice:
        penalty += 0.15
        notes.append(f"{twice[1]} is repeated over and over")
    mine = " ".join(words_of(resume.body))
    theirs = [" ".join(words_of(line)) for line in posting_text.split("\n")]
    long = [line for line in theirs if line.count(" ") >= 6]
    copied = sum(line in mine for line in long)
    if copied >= 2:
        penalty += 0.1 * copied
        notes.append(f"{copied} sentences stand word for word in the posting")
    return min(_WORST_STUFFING, penalty), notes
