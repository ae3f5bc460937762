"""When two answers are the same answer: case, space and idle punctuation apart, and no more."""

from __future__ import annotations

import re
import unicodedata

_SPACE = re.compile(r"\s+")
# Marks that end or join sentences and quote words. All others can make another answer of it
# (C, C#, C++), and even these can where a digit stands beside them (3.5, -5, 5!, [0, 1)).
_IDLE = frozenset(".,;:!?'\"()[]{}-")
_QUOTES = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛`´", "'"),
        **dict.fromkeys("“”„«»", '"'),
        **dict.fromkeys("‐‑–—−", "-"),
        "…": ".",
    }
)
_MEASURE = re.compile(r"(\d\s?)([A-Za-zµ]{1,2})(?![A-Za-z])")


def answer_key(text: str) -> str:
    """What equal answers have in common.

    Case is folded, except in a symbol of one or two letters after a number (5 mW is not 5 MW).
    Runs of white space become one space. Full stops, commas, quotation marks, brackets and the
    like become spaces, except beside a digit, where they may carry the meaning. A text of nothing
    but such marks stays as it is. Nothing else is done: words, their order, signs and spelling
    count.
    """
    plain = unicodedata.normalize("NFC", text).translate(_QUOTES)
    characters = [
        " " if mark in _IDLE and not _beside_digit(plain, place) else mark
        for place, mark in enumerate(plain)
    ]
    spaced = _SPACE.sub(" ", "".join(characters)).strip()
    if not spaced:
        return _SPACE.sub(" ", plain).strip()
    parts: list[str] = []
    end = 0
    for match in _MEASURE.finditer(spaced):
        parts += [spaced[end : match.start()].casefold(), match.group()]
        end = match.end()
    return "".join([*parts, spaced[end:].casefold()])


def _beside_digit(text: str, place: int) -> bool:
    """Whether a mark can belong to a number: a digit follows it, or precedes what is no full stop
    or comma.
    """
    mark = text[place]
    after = text[place + 1 : place + 2]
    if after.isdigit() or (after == " " and mark == "-" and text[place + 2 : place + 3].isdigit()):
        return True
    return mark not in ".,;:?'\"" and text[place - 1 : place].isdigit() and place > 0
