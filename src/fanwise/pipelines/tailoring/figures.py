"""The figures of a text, in digits or in words, in one form each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Final

_ONES: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL: Final = {word: value for value, word in enumerate(_ONES.split())} | {
    word: 10 * place for place, word in enumerate(_TENS.split(), 2)
}
_SCALES: Final = {
    "dozen": 12,
    "hundred": 100,
    "thousand": 1000,
    "million": 10**6,
    "billion": 10**9,
}
_SUFFIXES: Final = {"k": 1000, "m": 10**6, "mn": 10**6, "b": 10**9, "bn": 10**9}
_WORD: Final = "|".join([*_SMALL, *(f"{word}s?" for word in _SCALES)])
_SPELT: Final = rf"\b(?:{_WORD})(?:(?:\s+and)?[\s-]+(?:{_WORD}))*\b"
_DIGITS: Final = (
    r"\d+(?:[.,]\d+)*"
    rf"(?:(?:mn|bn|[kmb])\b|[\s-]?(?:{'|'.join(f'{word}s?' for word in _SCALES)})\b)?"
)
_FIGURE: Final = re.compile(
    rf"(?:(?P<digits>{_DIGITS})|(?P<words>{_SPELT}))"
    r"(?P<share>[\s-]?(?:%|percent\b|per\s+cent\b|pct\b))?",
    re.IGNORECASE,
)
_PARTS: Final = re.compile(r"(\d+(?:[.,]\d+)*)[\s-]?([a-z]*)", re.IGNORECASE)


def numbers_in(text: str) -> set[str]:
    """The figures of a text: ``1,200``, ``1.2k`` and ``twelve hundred`` are all ``1200``, and a
    share is not a count: ``40 %`` and ``forty percent`` are ``40%``. A lone "one" is none.
    """
    found: set[str] = set()
    for match in _FIGURE.finditer(text):
        values = _in_digits(match["digits"]) if match["digits"] else _in_words(match["words"])
        named = list(values)
        if match["share"] and named:
            named[-1] += "%"
        found |= set(named)
    return found


def _in_digits(text: str) -> Iterator[str]:
    parts = _PARTS.fullmatch(text)
    assert parts is not None
    digits, scale = parts[1], parts[2].lower()
    plain = re.sub(r"[.,](?=\d{3}(?!\d))", "", digits)
    by = _SUFFIXES.get(scale) or _SCALES.get(scale.removesuffix("s")) or 1
    try:
        value = Decimal(plain.replace(",", ".")) * by
    except InvalidOperation:  # a version, a date
        yield plain
        return
    yield f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"


def _in_words(text: str) -> Iterator[str]:
    total, current, begun = 0, 0, False
    for word in re.findall(r"[a-z]+", text.lower()):
        scale = _SCALES.get(word) or _SCALES.get(word.removesuffix("s"))
        if scale is not None:
            current = (current or 1) * scale
            if scale >= 1000:
                total, current = total + current, 0
            begun = True
        elif word in _SMALL:
            value = _SMALL[word]
            if begun and not _goes_on(current, value):
                yield from _named(total + current)
                total = current = 0
            current, begun = current + value, True
    yield from _named(total + current)


def _goes_on(current: int, value: int) -> bool:
    """Whether a word belongs to the figure before it: forty | five, hundred | twelve."""
    tens = current % 100
    return tens == 0 or (tens >= 20 and tens % 10 == 0 and 0 < value < 10)


def _named(value: int) -> Iterator[str]:
    if value != 1:
        yield str(value)
