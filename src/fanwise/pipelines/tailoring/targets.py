"""Gaps, ceiling, target, and the keywords that a tailored resume should bring out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fanwise.pipelines.tailoring.analysis import JobAnalysis
from fanwise.pipelines.tailoring.ats import AtsScore
from fanwise.pipelines.tailoring.posting import Posting
from fanwise.pipelines.tailoring.profile import Profile
from fanwise.pipelines.tailoring.records import Mode
from fanwise.pipelines.tailoring.text import lexicon, mentions, satisfied, stems_of, words_of

HIGHEST, LOWEST = 95.0, 70.0
MOST_KEYWORDS: Mapping[Mode, int] = {"PARTIAL": 15, "FULL": 25}
PRIORITIES = {"required": 60, "regulatory": 40, "core": 30, "preferred": 25, "short": 5}
_AIMS: Mapping[Mode, tuple[float, float]] = {"PARTIAL": (80.0, 15.0), "FULL": (85.0, 25.0)}
_YEAR_COSTS = 5.0
_MOST_FOR_YEARS = 20.0
_SHORT_WORDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword:
    """A word of the job's that a resume should have where it is true.

    Args:
        name: The word or phrase.
        priority: What it is worth: required 60, regulatory 40, core 30, preferred 25, and 5 more
            where it is short; what several apply to has their sum.
        kinds: Which of these apply.
        present: Whether the resume shows it already, so that it may be brought out.
    """

    name: str
    priority: int
    kinds: tuple[str, ...]
    present: bool

    def as_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "priority": self.priority,
            "kinds": list(self.kinds),
            "present": self.present,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What is to be reached, and with what.

    Args:
        ceiling: The highest score that honest words can reach.
        target: The score to aim for, never above the ceiling.
        keywords: The most worthwhile first.
        gaps: Required things that the resume does not show.
        years_short: Years of experience that are wanting.
    """

    ceiling: float
    target: float
    keywords: tuple[Keyword, ...]
    gaps: tuple[str, ...]
    years_short: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "ceiling": self.ceiling,
            "target": self.target,
            "keywords": [keyword.as_json() for keyword in self.keywords],
            "gaps": list(self.gaps),
            "years_short": self.years_short,
        }


def ceiling_of(*, years_short: float, match_share: float) -> float:
    """The highest score that honest words can reach: 95, less 5 for each year of experience that
    is wanting (at most 20), less 10 where under half of what is required is met and 20 where under
    three tenths; never below 70.
    """
    low_match = 20.0 if match_share < 0.3 else 10.0 if match_share < 0.5 else 0.0
    for_years = min(_MOST_FOR_YEARS, _YEAR_COSTS * max(0.0, years_short))
    return max(LOWEST, HIGHEST - for_years - low_match)


def target_of(score: float, *, mode: Mode, ceiling: float) -> float:
    """The score to aim for: PARTIAL at least 80 or 15 more, FULL at least 85 or 25 more, and never
    above the ceiling.
    """
    least, more = _AIMS[mode]
    return round(min(max(least, score + more), ceiling), 1)


def targets_of(
    before: AtsScore, analysis: JobAnalysis, posting: Posting, profile: Profile, *, mode: Mode
) -> Targets:
    """What a resume is to reach for a job."""
    least = posting.years[0] or 0.0
    short = max(0.0, least - before.years)
    ceiling = ceiling_of(years_short=short, match_share=before.match_share)
    return Targets(
        ceiling=round(ceiling, 1),
        target=target_of(before.total, mode=mode, ceiling=ceiling),
        keywords=keywords_of(analysis, profile, mode=mode),
        gaps=before.missing,
        years_short=round(short, 1),
    )


def keywords_of(analysis: JobAnalysis, profile: Profile, *, mode: Mode) -> tuple[Keyword, ...]:
    """The keywords of a job by priority, 15 (PARTIAL) or 25 (FULL) at most."""
    known = lexicon()
    kinds: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for kind in ("required", "preferred", "core", "regulatory"):
        for term in getattr(analysis, kind):
            key = _key(term)
            names.setdefault(key, term)
            if kind not in kinds.setdefault(key, []):
                kinds[key].append(kind)
    found: list[Keyword] = []
    for key, its in kinds.items():
        name = names[key]
        if key in known.soft:
            continue  # everybody claims them: no keyword to aim for
        if key in known.regulatory and "regulatory" not in its:
            its.append("regulatory")
        if len(words_of(name)) <= _SHORT_WORDS:
            its.append("short")
        worth = sum(PRIORITIES[kind] for kind in its)
        present = shows(profile, name)
        found.append(Keyword(name=name, priority=worth, kinds=tuple(its), present=present))
    found.sort(key=lambda keyword: -keyword.priority)
    return tuple(found[: MOST_KEYWORDS[mode]])


def shows(profile: Profile, term: str) -> bool:
    """Whether a resume shows what a term says: by a skill's name, or by all of its words."""
    found = {one.skill for one in mentions(term)}
    if found:
        return all(satisfied(skill, profile.skills) for skill in found)
    wanted = stems_of(term)
    return bool(wanted) and any(wanted <= line for line in profile.lines)


def _key(term: str) -> str:
    found = mentions(term)
    return found[0].skill if len(found) == 1 else " ".join(words_of(term))
