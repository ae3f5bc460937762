"""Runs of digits and letters in a text, and the numbers they may spell.

A number is written in one piece or in groups with a space, dot or dash between them; now and then
it is cut by a line end. A *run* is a chain of such groups, a *span* a part of a run that may be one
number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fanwise.pipelines.scan.tracking.formats import (
    LETTERED,
    LONGEST,
    NUMERIC,
    SHORTEST,
    matching,
)

_INVISIBLE = dict.fromkeys(
    [0xAD, 0x61C, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065)]
)
_SPACES = dict.fromkeys([0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
_DASHES = dict.fromkeys([*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63, 0xFF0D, 0x30FC], "-")
_PLAIN = {**_SPACES, **_DASHES, **_INVISIBLE}
_ODD = re.compile("[\xa0\xad\u061c\u1680\u2000-\u206f\u2212\u3000\ufeff\ufe58\ufe63]")
_WIDE = re.compile("[\uff01-\uff5e\u0660-\u0669]")

# A group: one to three capitals, or letters and digits that begin a word.
_GROUP = re.compile(
    r"(?<![A-Za-z0-9])(?:[A-Z]{1,3}(?![A-Za-z0-9])|[A-Za-z]{0,40}+[0-9][A-Za-z0-9]*+)"
)
_JOINT = re.compile(r"[ \t]{1,3}|[ \t]?-[ \t]?|\.")
_FOLD = re.compile(r"[ \t]{0,3}=?\r?\n[ \t>]{0,6}")

# What goes on in the next line is longer than the number of a list's item.
_LEAST_FOLDED = 4

# Beyond this many groups a run is a table of figures, where only whole groups are looked at.
_MOST_GROUPS = 48
# Together with the limit above this bounds the work on hostile text.
_MOST_SPANS = 8_000


@dataclass(frozen=True, slots=True)
class Group:
    """One unbroken piece of a run; ``joint`` is how it hangs on the piece before it."""

    start: int
    end: int
    text: str
    joint: str


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a run that may be one number.

    ``number`` is compact: upper case, nothing between the characters. ``run`` counts the runs.
    """

    start: int
    end: int
    number: str
    run: int
    folded: bool = False


def clean(text: str) -> str:
    """The text without invisible characters, with plain spaces, dashes and digits.

    Hidden characters inside a number would otherwise cut it. The result may be shorter.
    """
    if text.isascii():
        return text
    if _WIDE.search(text):
        text = unicodedata.normalize("NFKC", text)
    return text.translate(_PLAIN) if _ODD.search(text) else text


def runs_of(text: str) -> Iterator[list[Group]]:
    """The runs of a cleaned text that hold a digit, in order."""
    run: list[Group] = []
    digits = False
    for match in _GROUP.finditer(text):
        start, end = match.span()
        joint = ""
        if run:
            between = text[run[-1].end : start] if start - run[-1].end <= 10 else "far"
            if _JOINT.fullmatch(between):
                joint = "-" if "-" in between or "." in between else " "
            elif end - start >= _LEAST_FOLDED and _FOLD.fullmatch(between):
                joint = "\n"
            else:
                if digits:
                    yield run
                run, digits = [], False
        group = Group(start, end, match.group().upper(), joint)
        run.append(group)
        digits = digits or not group.text.isalpha()
    if digits:
        yield run


def spans_of(runs: Sequence[Sequence[Group]]) -> Iterator[Span]:
    """Everything in these runs that is as long as some tracking number."""
    budget = _MOST_SPANS
    for number, run in enumerate(runs):
        spans = _whole_groups(run, number) if len(run) > _MOST_GROUPS else _parts(run, number)
        for span in spans:
            yield span
            budget -= 1
        if budget <= 0:
            break


def _whole_groups(run: Sequence[Group], number: int) -> Iterator[Span]:
    for group in run:
        if SHORTEST <= len(group.text) <= LONGEST:
            yield Span(group.start, group.end, group.text, number)


def _parts(run: Sequence[Group], number: int) -> Iterator[Span]:
    for first, last in _lettered(run):
        yield _span(run, first, last, number)
    for first, last in _numeric(run):
        yield _span(run, first, last, number)


def _span(run: Sequence[Group], first: int, last: int, number: int) -> Span:
    groups = run[first : last + 1]
    folded = any(group.joint == "\n" for group in groups[1:])
    joined = "".join(group.text for group in groups)
    return Span(groups[0].start, groups[-1].end, joined, number, folded)


def _lettered(run: Sequence[Group]) -> Iterator[tuple[int, int]]:
    """Chains of groups with a letter and a digit whose length some format has."""
    if all(group.text.isdigit() for group in run):
        return
    for first in range(len(run)):
        if _may_start(run, first, first) and matching(run[first].text):
            yield first, first  # whole by itself: what follows is something else
            continue
        length = 0
        letters = digits = False
        for last in range(first, len(run)):
            text = run[last].text
            length += len(text)
            if length > LONGEST:
                break
            letters = letters or not text.isdigit()
            digits = digits or not text.isalpha()
            if letters and digits and length in LETTERED and _may_start(run, first, last):
                yield first, last


def _may_start(run: Sequence[Group], first: int, last: int) -> bool:
    """A number does not start in the middle of dashes, nor with digits right after digits."""
    if first == 0 or run[first].joint == "\n":
        return True
    before, here = run[first - 1].text, run[first]
    if first == last:
        return here.joint == " " or before.isalpha()
    return not (here.text.isdigit() and not before.isalpha())


def _numeric(run: Sequence[Group]) -> Iterator[tuple[int, int]]:
    """Digits only: each longest chain of groups, and long groups that stand by themselves.

    A part of a chain is no number of its own: that is how telephone numbers and IBANs would pass.
    """
    first = 0
    while first < len(run):
        if not run[first].text.isdigit():
            first += 1
            continue
        last = first
        while last + 1 < len(run) and run[last + 1].text.isdigit():
            last += 1
        yield from _chain(run, first, last)
        first = last + 1


def _chain(run: Sequence[Group], first: int, last: int) -> Iterator[tuple[int, int]]:
    if _hangs_on_letters(run, first, last):
        return
    if last > first and sum(len(group.text) for group in run[first : last + 1]) in NUMERIC:
        yield first, last
    for index in range(first, last + 1):
        group = run[index]
        loose_before = index == first or group.joint != "-"
        loose_after = index == last or run[index + 1].joint != "-"
        if len(group.text) in NUMERIC and loose_before and loose_after:
            yield index, index
    line = first
    for index in range(first + 1, last + 2):
        if index > last or run[index].joint == "\n":
            if line < index - 1 and (line, index - 1) != (first, last):
                yield line, index - 1
            line = index


def _hangs_on_letters(run: Sequence[Group], first: int, last: int) -> bool:
    """Whether a chain of digits is the rest of something with letters.

    So are the digits of ``DE89 3704 …`` (a short group of both kinds stands before them), of
    ``C 110 315 …`` (one capital does), of ``INV-4711…``, and those before DPD's check character.
    """
    if first and run[first].joint != "\n":
        before = run[first - 1].text
        mixed = not before.isalpha() and len(before) <= 6
        if mixed or run[first].joint == "-" or (len(before) == 1 and before != "I"):
            return True
    if last + 1 < len(run) and run[last + 1].joint != "\n":
        after = run[last + 1].text
        digits = sum(len(group.text) for group in run[first : last + 1])
        return len(after) == 1 and after.isalpha() and digits in (14, 27)
    return False
