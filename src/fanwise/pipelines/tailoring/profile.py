"""What a resume shows of somebody, read once for scoring, gaps and the fabrication gate."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date

from fanwise.pipelines.tailoring.dates import spans_in, stated_years, years_of
from fanwise.pipelines.tailoring.posting import degree_of, level_of
from fanwise.pipelines.tailoring.records import Resume
from fanwise.pipelines.tailoring.text import mentions, skills_in, stems_of

_WORK = ("experience", "projects", "volunteering")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a resume shows.

    Args:
        counts: How often each known skill is named.
        listed: Skills that its lists of skills, certificates and courses name.
        shown: Skills that posts and projects name.
        recent: Those of the latest two posts and of the projects.
        first: Those of headline and summary, which are read first.
        years: Years of experience by the dates of its posts; by its own word where it has none.
        dated: Whether these come from dates.
        titles: Headings of its posts, the latest first, and its headline.
        levels: How senior the latest post and the headline are, as in a posting.
        degree: The highest degree, as in a posting.
        study: Stems of what its education says.
        stems: Stems of everything.
        lines: Stems of each line.
    """

    counts: Counter[str]
    listed: frozenset[str]
    shown: frozenset[str]
    recent: frozenset[str]
    first: frozenset[str]
    years: float
    dated: bool
    titles: tuple[str, ...]
    levels: frozenset[int]
    degree: int
    study: frozenset[str]
    stems: frozenset[str]
    lines: tuple[frozenset[str], ...]

    @property
    def skills(self) -> frozenset[str]:
        """All known skills that it names."""
        return frozenset(self.counts)


def profile_of(resume: Resume, *, today: date) -> Profile:
    """What a resume shows, with posts held to this day as long as until ``today``."""
    posts = [entry for part in resume.of_kind("experience") for entry in part.entries]
    spans = [
        span
        for entry in posts
        for text in ((entry.heading,) if entry.heading else entry.lines)
        for span in spans_in(text, today=today)
    ]
    years = years_of(spans) if spans else stated_years(resume.body) or 0.0
    latest = posts[:2]
    recent = [entry for part in resume.of_kind("projects") for entry in part.entries] + latest
    titles = [entry.heading for entry in posts if entry.heading]
    study = "\n".join(part.text for part in resume.of_kind("education"))
    lists = resume.of_kind("skills", "certifications", "education", "languages")
    lines = [line for part in resume.sections for line in part.text.split("\n")]
    now = (*titles[:1], resume.headline)
    return Profile(
        counts=Counter(one.skill for one in mentions(resume.body)),
        listed=frozenset(skills_in("\n".join(part.text for part in lists))),
        shown=frozenset(skills_in("\n".join(part.text for part in resume.of_kind(*_WORK)))),
        recent=frozenset(
            skills_in("\n".join("\n".join((one.heading, *one.lines)) for one in recent))
        ),
        first=frozenset(
            skills_in("\n".join([resume.headline, *(p.text for p in resume.of_kind("summary"))]))
        ),
        years=years,
        dated=bool(spans),
        titles=tuple([*titles, resume.headline] if resume.headline else titles),
        levels=frozenset(level_of(title.partition("|")[0]) for title in now if title),
        degree=degree_of(study or resume.body),
        study=stems_of(study),
        stems=stems_of(resume.body),
        lines=tuple(stems_of(line) for line in lines if line),
    )
