"""The fabrication gate: what a tailored resume says must have been in the resume.

A change that brings in an employer, a title, a degree, a certificate, a date or a number which the
resume does not have is refused: it cannot be accepted. One that says more than its line did, in
ways that may still be true, is flagged: it is left out until a person accepts it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fanwise.pipelines.tailoring.changes import Place, entry_of
from fanwise.pipelines.tailoring.figures import numbers_in
from fanwise.pipelines.tailoring.posting import degree_of
from fanwise.pipelines.tailoring.records import Change, Resume
from fanwise.pipelines.tailoring.text import (
    STOPWORDS,
    lexicon,
    mentions,
    satisfied,
    skills_in,
    stem,
    stems_of,
    word_set,
    words_of,
)

_TIMES = word_set(
    """
    double doubled doubling triple tripled tripling quadrupled half halved halving twice twofold
    threefold fourfold fivefold tenfold hundredfold
    """
)
_RANKS = word_set(
    """
    senior sr principal manager director chief vp president founder cofounder cto ceo cfo coo
    cio supervisor architect executive partner professor doctor dr head consultant
    """
)
_PAPERS = re.compile(
    r"\b(?:certified|certification|certifications|certificate|certificates|licensed|licence|"
    r"license|licensure|accredited|chartered|clearance|diploma|degree|graduate|graduated|alumnus|"
    r"award|awarded|patent|patented|published)\b",
    re.IGNORECASE,
)
_CLAIMS = word_set(
    """
    led lead leads leading managed manage managing directed headed owned founded spearheaded
    architected oversaw supervised championed pioneered orchestrated drove masterminded expert
    mastery award-winning leadership leader
    """
)
_CAPITAL = re.compile(r"[A-Z][\w&'.+#-]*")
_AT = re.compile(r"\b(?:at|joined)\s+(?:the\s+)?([a-z][\w'&-]+)")
_AT_WHAT = word_set(
    """
    scale least most once first last work night home speed pace peak time times all any every
    each hand ease risk large short full high low every that this these those which what its his
    her their our both two key critical early late regular weekly daily monthly
    """
)
_ADDRESS = re.compile(
    r"\b(?:https?://|www\.)[^\s)>\]]+|\b[\w.+-]+@[\w-]+\.\w+|</?[a-z][^>]*>", re.IGNORECASE
)
_LABEL = re.compile(r"^[A-Z][\w &/+-]{1,40}:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a resume states, ready to be looked up.

    Args:
        resume: The resume.
        numbers: Its numbers, digits only.
        words: Its words.
        stems: Their stems.
        skills: The known skills that it names.
        degrees: The degrees that it names.
        papers: Its words for certificates, licences, awards.
        posting: Stems of the posting, to tell what was taken from there.
    """

    resume: Resume
    numbers: frozenset[str]
    words: frozenset[str]
    stems: frozenset[str]
    skills: frozenset[str]
    degrees: int
    papers: frozenset[str]
    posting: frozenset[str] = frozenset()


def facts_of(resume: Resume, *, posting_text: str) -> Facts:
    """What a resume states."""
    text = resume.text
    return Facts(
        resume=resume,
        numbers=frozenset(numbers_in(text)),
        words=frozenset(words_of(text)),
        stems=stems_of(text),
        skills=frozenset(skills_in(text)),
        degrees=degree_of(text),
        papers=frozenset(stem(match.lower()) for match in _PAPERS.findall(text)),
        posting=stems_of(posting_text),
    )


def judged(change: Change, place: Place, facts: Facts) -> Change:
    """A change with its verdict: every fact that it states and its line did not is looked up."""
    if not isinstance(change.after, str):
        return _left_out(change, place, facts)
    before = change.before if isinstance(change.before, str) else ""
    after = change.after
    free = not place.section or place.section.startswith(("summary", "skills"))
    refused = [
        *_numbers(after, facts),
        *_degrees(after, facts),
        *_papers(after, facts),
        *_ranks(after, before, place, facts),
        *_addresses(after, facts),
    ]
    names, doubtful = _names(after, facts)
    refused += names
    flagged = [*doubtful, *_skills(after, before, place, facts, free=free), *_claims(after, before)]
    if not free:
        flagged += _moved_numbers(after, before)
    if not place.section:
        flagged += _headline(after, facts)
    if refused:
        return replace(change, verdict="refused", notes=tuple(refused), decision="rejected")
    if flagged:
        return replace(change, verdict="flagged", notes=tuple(flagged), decision="open")
    return replace(change, verdict="clean", decision="accepted")


def _left_out(change: Change, place: Place, facts: Facts) -> Change:
    entry = entry_of(facts.resume, place)
    if change.after is None and entry is not None and len(entry.lines) == 1:
        notes = ("leaves nothing below its heading",)
        return replace(change, verdict="flagged", notes=notes, decision="open")
    return replace(change, verdict="clean", decision="accepted")


def _numbers(after: str, facts: Facts) -> list[str]:
    found = sorted(numbers_in(_without_names(after)) - facts.numbers)
    return [f"the number {number} is not in the resume" for number in found]


def _without_names(text: str) -> str:
    """A text without the skills whose names hold digits (``HTML5``, ``ISO 27001``)."""
    for one in reversed(mentions(text)):
        text = text[: one.start] + " " + text[one.end :]
    return text


def _moved_numbers(after: str, before: str) -> list[str]:
    found = sorted(numbers_in(_without_names(after)) - numbers_in(before))
    times = sorted((_TIMES & set(words_of(after))) - set(words_of(before)))
    return [f"{number} stands elsewhere in the resume, not in this line" for number in found] + [
        f"'{word}' is a measure that the line did not have" for word in times
    ]


def _degrees(after: str, facts: Facts) -> list[str]:
    level = degree_of(after)
    if level and level > facts.degrees:
        return ["it names a degree that the resume does not"]
    return []


def _papers(after: str, facts: Facts) -> list[str]:
    found = {match.lower() for match in _PAPERS.findall(after)}
    missing = sorted(word for word in found if stem(word) not in facts.papers)
    return [f"'{word}' is not in the resume" for word in missing]


def _ranks(after: str, before: str, place: Place, facts: Facts) -> list[str]:
    new = (_RANKS & set(words_of(after))) - set(words_of(before))
    found = [f"the title '{word}' is not in the resume" for word in sorted(new - facts.words)]
    if not place.section:  # a headline is a title: its rank must be that of a post held
        held = [
            entry.heading for part in facts.resume.of_kind("experience") for entry in part.entries
        ]
        titles = {word for heading in [*held, facts.resume.headline] for word in words_of(heading)}
        found += [f"no post was held as '{word}'" for word in sorted((new & facts.words) - titles)]
    return found


def _names(after: str, facts: Facts) -> tuple[list[str], list[str]]:
    """Proper names that the resume has not: refused; those of the posting: flagged."""
    known = {word for one in mentions(after) for word in words_of(after[one.start : one.end])}
    refused: list[str] = []
    flagged: list[str] = []
    for match in _CAPITAL.finditer(after):
        word = match[0].rstrip(".'-")
        parts = words_of(word)
        if all(part in facts.words or part in known or part in STOPWORDS for part in parts):
            continue
        if _opens_sentence(after, match.start()) and not _is_name(after, match, facts):
            continue
        if all(stem(part) in facts.stems for part in parts):
            continue
        if all(stem(part) in facts.posting for part in parts):
            flagged.append(f"'{word}' is a name of the posting, not of the resume")
        else:
            refused.append(f"'{word}' is a name that the resume does not have")
    return refused, flagged + _small_names(after, facts)


def _small_names(after: str, facts: Facts) -> list[str]:
    """What stands where an employer would, in small letters."""
    return [
        f"'{word}' may be an employer that the resume does not have"
        for word in _AT.findall(after)
        if word not in facts.words and word not in _AT_WHAT and stem(word) not in facts.stems
    ]


def _addresses(after: str, facts: Facts) -> list[str]:
    """Links, mail addresses and tags that the resume does not have."""
    found = dict.fromkeys(match[0] for match in _ADDRESS.finditer(after))
    return [f"'{one}' is not in the resume" for one in found if one not in facts.resume.text]


def _opens_sentence(text: str, at: int) -> bool:
    before = text[:at].rstrip()
    return not before or before[-1] in ".!?:;\u2022|(" or bool(_LABEL.match(text[: at + 1]))


def _is_name(text: str, match: re.Match[str], facts: Facts) -> bool:
    """Whether a word at the beginning of a sentence is a name all the same."""
    if sum(letter.isupper() for letter in match[0]) > 1 and match[0].lower() not in facts.words:
        return True
    following = _CAPITAL.match(text, match.end() + 1)
    return following is not None and not set(words_of(following[0])) & facts.words


def _skills(after: str, before: str, place: Place, facts: Facts, *, free: bool) -> list[str]:
    soft = lexicon().soft
    new = skills_in(after) - skills_in(before) - soft
    notes = [
        f"{skill} is a skill that the resume does not show"
        for skill in sorted(new)
        if not satisfied(skill, facts.skills)
    ]
    if free:
        return notes
    entry = entry_of(facts.resume, place)
    here = skills_in("\n".join((entry.heading, *entry.lines))) if entry is not None else set[str]()
    return notes + [
        f"{skill} is not named at this post"
        for skill in sorted(new)
        if satisfied(skill, facts.skills) and not satisfied(skill, here)
    ]


def _claims(after: str, before: str) -> list[str]:
    if not before:
        return []
    family = {stem(word) for word in words_of(before)} | set(words_of(before))
    new = [word for word in words_of(after) if word in _CLAIMS and stem(word) not in family]
    if {"led", "lead", "leads", "leading"} & family:
        new = [word for word in new if not word.startswith(("led", "lead"))]
    return [f"'{word}' claims more than the line did" for word in dict.fromkeys(new)]


def _headline(after: str, facts: Facts) -> list[str]:
    new = [
        word
        for word in words_of(after)
        if word not in facts.words and word not in STOPWORDS and stem(word) not in facts.stems
    ]
    return [f"'{word}' is not in the resume" for word in new]


def unsupported(resume: Resume, facts: Facts) -> list[str]:
    """What a whole resume states that the base does not: nothing, if the gate has done its work."""
    found: Iterable[str] = [
        *_numbers(resume.body, facts),
        *_degrees(resume.body, facts),
        *_papers(resume.body, facts),
    ]
    return list(found)


def summary_of(changes: Sequence[Change]) -> list[str]:
    """The warnings that a set of judged changes gives."""
    refused = [change for change in changes if change.verdict == "refused"]
    flagged = [change for change in changes if change.verdict == "flagged"]
    told = [f"refused {change.path}: {'; '.join(change.notes)}" for change in refused]
    return told + [f"flagged {change.path}: {'; '.join(change.notes)}" for change in flagged]
