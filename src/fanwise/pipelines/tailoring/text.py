"""Words, stems and skills in a text. Everything goes by whole words: Java is not in JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise


def word_set(text: str) -> frozenset[str]:
    """The words of a text that is nothing but words."""
    return frozenset(_words(text))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_TOKEN = re.compile(r"\.NET\b|[^\W_]+(?:\+\+|#(?!\w))?", re.IGNORECASE)
_INNER = frozenset({"", " ", "-", ".", "/", "&", " & ", "'", "\u2019", "\u2010", "\u2011", " / "})
_AMONG = re.compile(r"[,/()\[\]:;|\u2022&]")
_BEFORE_SKILL = re.compile(
    r"\b(?:in|using|with|and|or|written in|of|like|as|know|knows|write|writes|plus)\s+$",
    re.IGNORECASE,
)
_AFTER_SKILL = re.compile(
    r"^\s+(?:and|or|developer|developers|engineer|programming|services?|microservices|code|"
    r"scripts?|programmer|language|applications?|backend)\b",
    re.IGNORECASE,
)
_ENDINGS = _words(
    "izations isations ization isation ations ation itions ition ments ment ings ing ions ion "
    "ities ity ists ist ives ive ants ant ers er ors or ed es als al ly is s e y"
)

_CAPITAL = word_set("react rest excel node lean torch pals looker angular")
"""Names that are a skill only where they are written with a capital."""

STOPWORDS = word_set(
    """
    a an and any are as at be been being both but by can could do does each either etc for from
    had has have how i if in into is it its may more most must no nor not of on or other our out
    over own per same shall should so some such than that the their them then there these they
    this those through to too under up us was we were what when where which while who will with
    within without would you your e.g eg i.e ie including include includes well also via across
    about all between during
    """
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word where it stands."""

    word: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """The skills that are known by name.

    Args:
        names: By its first word, every name as ``(words, skill)``, the longest first.
        implied: By skill, those of which one is as good as most of it.
        everyday: Skills whose name is an everyday word too.
        regulatory: Those that are a matter of law or regulation.
        soft: Those that everybody claims.
        wide: Fields rather than skills.
    """

    names: Mapping[str, Sequence[tuple[tuple[str, ...], str]]]
    implied: Mapping[str, frozenset[str]]
    everyday: frozenset[str]
    regulatory: frozenset[str]
    soft: frozenset[str]
    wide: frozenset[str]


def tokens_of(text: str) -> list[Token]:
    """The words of a text, in lower case."""
    return [Token(m[0].lower(), m.start(), m.end()) for m in _TOKEN.finditer(text)]


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case, without their places."""
    return [match[0].lower() for match in _TOKEN.finditer(text)]


@cache
def stem(word: str) -> str:
    """What a word has in common with others of its family, roughly: ``developed``, ``developer``
    and ``development`` are one.
    """
    if len(word) <= 4:
        return word[:-1] if len(word) == 4 and word.endswith("s") and word[-2] != "s" else word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            word = word[: -len(ending)]
            break
    word = word.replace("yz", "ys")
    if len(word) > 4 and word[-1] == "e":
        word = word[:-1]
    return word[:-1] if len(word) > 4 and word[-1] == word[-2] else word


def stems_of(text: str) -> frozenset[str]:
    """The stems of the words that say something."""
    return frozenset(stem(word) for word in words_of(text) if word not in STOPWORDS)


@cache
def lexicon() -> Lexicon:
    """The skills of ``skills.txt``."""
    names: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    implied: dict[str, frozenset[str]] = {}
    marks: dict[str, set[str]] = {"!": set(), "*": set(), "~": set(), "^": set()}
    text = files("fanwise.pipelines.tailoring").joinpath("skills.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line.strip() or line.startswith("# "):
            continue
        if " < " in line:
            whole, _, parts = line.partition(" < ")
            implied[whole.strip()] = frozenset(part.strip() for part in parts.split(","))
            continue
        skill, _, others = line.partition(" = ")
        skill = skill.strip()
        if skill[-1] in marks:
            mark, skill = skill[-1], skill[:-1].strip()
            marks[mark].add(skill)
        for name in (skill, *others.split(",")):
            words = tuple(words_of(name))
            if words:
                names.setdefault(words[0], []).append((words, skill))
    return Lexicon(
        names={
            first: sorted(found, key=lambda one: -len(one[0])) for first, found in names.items()
        },
        implied=implied,
        everyday=frozenset(marks["!"]),
        regulatory=frozenset(marks["*"]),
        soft=frozenset(marks["~"]),
        wide=frozenset(marks["^"]),
    )


@dataclass(frozen=True, slots=True)
class Mention:
    """A skill where a text names it."""

    skill: str
    start: int
    end: int


def mentions(text: str) -> list[Mention]:
    """The known skills that a text names, in its order; the longest name wins where two begin."""
    known = lexicon()
    tokens = tokens_of(text)
    found: list[Mention] = []
    doubtful: list[Mention] = []
    at = 0
    while at < len(tokens):
        mention, took = _mention(text, tokens, at)
        if mention is None:
            at += 1
            continue
        written = text[mention.start : mention.end]
        if mention.skill in known.everyday and written.lower() == mention.skill.lower():
            if written == mention.skill:
                doubtful.append(mention)
        elif written.lower() not in _CAPITAL:
            found.append(mention)
        elif written[0].isupper():
            doubtful.append(mention)
        at += took
    found += [mention for mention in doubtful if _is_skill(text, mention, found or doubtful)]
    return sorted(found, key=lambda mention: mention.start)


def skills_in(text: str) -> set[str]:
    """The known skills that a text names."""
    return {mention.skill for mention in mentions(text)}


def _mention(text: str, tokens: Sequence[Token], at: int) -> tuple[Mention | None, int]:
    for words, skill in lexicon().names.get(tokens[at].word, ()):
        part = tokens[at : at + len(words)]
        if len(part) == len(words) and all(
            token.word == word for token, word in zip(part, words, strict=True)
        ):
            gaps = (text[a.end : b.start] for a, b in pairwise(part))
            if all(gap in _INNER for gap in gaps):
                return Mention(skill, part[0].start, part[-1].end), len(words)
    return None, 0


def _is_skill(text: str, mention: Mention, others: Sequence[Mention]) -> bool:
    """Whether an everyday word is meant as a skill: it stands in a list of such, or as one does."""
    start = text.rfind("\n", 0, mention.start) + 1
    end = text.find("\n", mention.end)
    before, after = text[start : mention.start], text[mention.end : end if end >= 0 else len(text)]
    listed = bool(
        _AMONG.match(after.lstrip()[:1]) or (before and _AMONG.match(before.rstrip()[-1:]))
    )
    near = any(
        other is not mention and other.start >= start and (end < 0 or other.end <= end)
        for other in others
    )
    alone = not before.strip() and not after.strip()
    if alone or (listed and near):
        return True
    at_start = not before.strip() or before.rstrip()[-1:] in ".!?"
    if text[mention.start : mention.end].lower() in _CAPITAL:
        return not at_start or near
    if at_start:
        return near and bool(re.match(r"\s+(?:and|or|developer|engineer)\b", after))
    named = _BEFORE_SKILL.search(before) and not re.match(r"\s+[A-Z][a-z]", after)
    return bool(named or _AFTER_SKILL.match(after))


def satisfied(skill: str, held: Iterable[str]) -> float:
    """How far somebody with the skills ``held`` has this one: 1, 0.85 by a kindred one, or 0."""
    have = held if isinstance(held, set | frozenset) else set(held)
    if skill in have:
        return 1.0
    return 0.85 if lexicon().implied.get(skill, frozenset()) & have else 0.0


def sentences(text: str) -> Iterator[str]:
    """Lines, and the sentences within them."""
    for line in text.split("\n"):
        for part in re.split(r"(?<=[.!?])\s+(?=[A-Z])", line):
            if part.strip():
                yield part.strip()
