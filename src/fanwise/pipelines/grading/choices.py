"""Multiple choice: which options an answer names, by letter or by text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fanwise.pipelines.grading.compare import equal
from fanwise.pipelines.grading.normal import answer_key
from fanwise.pipelines.grading.numbers import quantities, tidy

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PREFIX = re.compile(r"\s*\(?([A-Za-z])[).:]\s+")
_LETTER = r"(?:\(\s*([A-Za-z])\s*\)|\b([A-Z])\b)"
_ALONE = re.compile(r"[\s(\[*_]*([A-Za-z])[\s)\].:*_!]*")
_LED = re.compile(r"[\s*_]*\(?([A-Za-z])(?:[).:]|\s+[-–—])\s*(.+)", re.DOTALL)
_SEVERAL = re.compile(
    r"[\s(]*[A-Za-z][)\s]*(?:(?:,|;|&|/|\+|\band\b|\bund\b)[\s(]*[A-Za-z][).\s]*)+"
)
_MARKED = (
    re.compile(rf"####\s*{_LETTER}"),
    re.compile(r"\\boxed\s*\{\s*(?:\\text\s*\{\s*)?\(?([A-Za-z])\)?(?:[.):\s}])"),
    re.compile(
        rf"\b(?:answer|option|choice|pick|choose|select)\b\s*(?:is|would be|:|=)?\s*"
        rf"(?:option|choice|letter)?\s*\**{_LETTER}(?!['’]\w)",
        re.IGNORECASE,
    ),
)
_NOT = re.compile(
    r"(?:\bnot|n['’]t|\bnever|\bneither|\bexcept|\brather than|\binstead of|\bunlike|\bnor)\s+"
    r"(?:\w+\s+){0,2}$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which options a text names.

    Args:
        places: Their places, from 0; empty where it names none.
        contradiction: Why it cannot be told which one is meant; empty where it can.
    """

    places: frozenset[int] = frozenset()
    contradiction: str = ""


def plain_options(options: Sequence[str]) -> list[str]:
    """The options without the letters that they carry where each one carries its own."""
    matches = [_PREFIX.match(option) for option in options]
    if all(
        match is not None and match[1].upper() == LETTERS[place % 26]
        for place, match in enumerate(matches)
    ):
        return [
            option[match.end() :].strip()
            for option, match in zip(options, matches, strict=True)
            if match is not None
        ]
    return [option.strip() for option in options]


def chosen(text: str, options: Sequence[str]) -> Chosen:
    """Which options an answer names.

    In this order: the text of an option; one letter alone, or several joined; a letter with the
    text after it, which must not be another option's; a letter after a word such as "answer"; a
    quantity that one option holds; the one option whose text stands in the answer, unless it says
    that it is not that one.

    Args:
        text: An answer, or what is expected.
        options: Without letters of their own.
    """
    whole = answer_key(text)
    by_text = [place for place, option in enumerate(options) if answer_key(option) == whole]
    if len(by_text) == 1:
        return Chosen(places=frozenset(by_text))
    for find in (_letters, _led, _marked, _by_quantity, _within):
        found = find(text, options)
        if found is not None:
            return found
    return Chosen()


def _place(letter: str, options: Sequence[str]) -> int | None:
    place = LETTERS.find(letter.upper())
    return place if 0 <= place < len(options) else None


def _letters(text: str, options: Sequence[str]) -> Chosen | None:
    alone = _ALONE.fullmatch(text)
    if alone:
        place = _place(alone[1], options)
        return Chosen() if place is None else Chosen(places=frozenset({place}))
    if not _SEVERAL.fullmatch(text):
        return None
    named = re.findall(r"\b[A-Za-z]\b", text)
    places = {_place(letter, options) for letter in named}
    return Chosen(places=frozenset(place for place in places if place is not None))


def _led(text: str, options: Sequence[str]) -> Chosen | None:
    match = _LED.fullmatch(text)
    place = None if match is None else _place(match[1], options)
    if match is None or place is None:
        return None
    rest = answer_key(match[2])
    others = [n for n, option in enumerate(options) if n != place and answer_key(option) == rest]
    if others:
        letter, other = LETTERS[place], LETTERS[others[0]]
        return Chosen(contradiction=f"it names {letter} and gives the text of {other}")
    return Chosen(places=frozenset({place}))


def _marked(text: str, options: Sequence[str]) -> Chosen | None:
    for pattern in _MARKED:
        found = [
            next(group for group in match.groups() if group)
            for match in pattern.finditer(text)
            if not re.search(r"\bnot\s*$", text[: match.start(match.lastindex or 0)].lower())
        ]
        place = _place(found[-1], options) if found else None
        if place is not None and (found[-1].isupper() or "(" in text):
            return Chosen(places=frozenset({place}))
    return None


def _by_quantity(text: str, options: Sequence[str]) -> Chosen | None:
    answers = quantities(tidy(text), words=True)
    if len(answers) != 1:
        return None
    held = [quantities(tidy(option), words=True) for option in options]
    if not all(len(one) == 1 for one in held):
        return None
    places = [place for place, one in enumerate(held) if equal(answers[0], one[0])]
    return Chosen(places=frozenset(places)) if len(places) == 1 else None


def _within(text: str, options: Sequence[str]) -> Chosen | None:
    whole = f" {answer_key(text)} "
    found: dict[int, str] = {}
    for place, option in enumerate(options):
        key = answer_key(option)
        at = whole.rfind(f" {key} ") if key else -1
        if at >= 0 and not _NOT.search(whole[: at + 1]):
            found[place] = key
    longest = {
        place
        for place, key in found.items()
        if not any(key != other and f" {key} " in f" {other} " for other in found.values())
    }
    return Chosen(places=frozenset(longest)) if longest else None
