"""Numbers written as English words."""

from __future__ import annotations

import re
from fractions import Fraction

_SMALL_WORDS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen
"""
_TENS_WORDS = """
twenty thirty forty fifty sixty seventy eighty ninety
"""
_SMALL = {word: number for number, word in enumerate(_SMALL_WORDS.split())}
_TENS = {word: 10 * number for number, word in enumerate(_TENS_WORDS.split(), start=2)}
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {
    "half": 2,
    "halves": 2,
    "third": 3,
    "thirds": 3,
    "quarter": 4,
    "quarters": 4,
    "fourth": 4,
    "fourths": 4,
    "fifth": 5,
    "fifths": 5,
    "eighth": 8,
    "eighths": 8,
    "tenth": 10,
    "tenths": 10,
}
_ALL = frozenset({*_SMALL, *_TENS, *_LARGE, *_PARTS, "hundred", "dozen"})
_WORD = "|".join(sorted(_ALL, key=len, reverse=True))
_RUN = re.compile(
    rf"(?<![\w-])(?:(?:minus|negative)\s+)?(?:(?:an?|{_WORD})(?:(?:\s+and\s+an?|\s+and|\s+an?)?[\s-]+"
    rf"(?=(?:{_WORD})\b)(?:{_WORD}))*)(?![\w])",
    re.IGNORECASE,
)


def runs_of_words(text: str) -> list[tuple[int, int, Fraction]]:
    """The numbers in words that a text holds: begin, end, value."""
    found: list[tuple[int, int, Fraction]] = []
    for match in _RUN.finditer(text):
        words = re.split(r"[\s-]+", match.group().lower())
        value = _value([word for word in words if word not in {"minus", "negative"}])
        if value is not None:
            sign = -1 if words[0] in {"minus", "negative"} else 1
            found.append((match.start(), match.end(), sign * value))
    return found


def _value(words: list[str]) -> Fraction | None:
    """Seven hundred and five; two and a half; three quarters; a dozen."""
    if all(word in {"a", "an", "and"} for word in words):
        return None
    whole, fraction = words, Fraction(0)
    if words[-1] in _PARTS:
        split = _last(words, "and")
        top = words[split + 1 : -1]
        whole = words[:split] if split >= 0 else []
        count = Fraction(1) if not top or top == ["a"] else _whole(top)
        if count is None:
            return None
        fraction = count / _PARTS[words[-1]]
        if not whole:
            return fraction
    value = _whole(whole)
    return None if value is None else value + fraction


def _last(words: list[str], word: str) -> int:
    return max((place for place, one in enumerate(words) if one == word), default=-1)


def _whole(words: list[str]) -> Fraction | None:
    total, group = 0, 0
    for word in words:
        if word in {"a", "an"}:
            group = group or 1
        elif word in _SMALL:
            group += _SMALL[word]
        elif word in _TENS:
            group += _TENS[word]
        elif word == "hundred":
            group = max(group, 1) * 100
        elif word == "dozen":
            group = max(group, 1) * 12
        elif word in _LARGE:
            total, group = total + max(group, 1) * _LARGE[word], 0
        elif word != "and":
            return None
    return Fraction(total + group)
