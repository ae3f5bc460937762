"""Spans of time in a resume, and years of experience out of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january",
            "feb february",
            "mar march",
            "apr april",
            "may",
            "jun june",
            "jul july",
            "aug august",
            "sep sept september",
            "oct october",
            "nov november",
            "dec december",
        ),
        start=1,
    )
    for name in names.split()
}
_SEASONS = {
    "winter": (1, 3),
    "spring": (3, 5),
    "summer": (6, 8),
    "fall": (9, 11),
    "autumn": (9, 11),
}
_MONTH = "(?:" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\.?"
_YEAR = r"(?:19[5-9]\d|20[0-4]\d)"
_POINT = (
    rf"(?:{_MONTH},?\s*'?{_YEAR}|(?:0?[1-9]|1[0-2])[/.]{_YEAR}"
    rf"|{_YEAR}[-/](?:0[1-9]|1[0-2])\b|{_YEAR})"
)
_NOW = r"(?:present|current|currently|now|today|ongoing|to date)"
_RANGE = re.compile(
    rf"(?P<start>{_POINT})\s*(?:-|\u2013|\u2014|\u2012|to|until|through)\s*"
    rf"(?P<end>{_POINT}|{_NOW})\b",
    re.IGNORECASE,
)
_SINCE = re.compile(rf"\bsince\s+(?P<start>{_POINT})", re.IGNORECASE)
_SEASON = re.compile(rf"\b({'|'.join(_SEASONS)})\s+(?:of\s+)?({_YEAR})\b", re.IGNORECASE)
_SINGLE = re.compile(rf"\b{_POINT}\b", re.IGNORECASE)
_SHORT_RANGE = re.compile(
    rf"\b({_YEAR})\s*[-\u2013]\s*(\d\d)\b(?!\s*[-/\d\u2013]|\s+(?:to|until)\b)"
)
_STATED = re.compile(
    r"\b(\d{1,2})\s*\+?\s*(?:-|\u2013|to)?\s*(?:\d{1,2}\s*\+?\s*)?(?:years?|yrs?)\b", re.IGNORECASE
)

Span = tuple[int, int]
"""First and last month, both worked, counted from year 0."""


def spans_in(text: str, *, today: date) -> list[Span]:
    """The spans that a line names, in months."""
    text = _SHORT_RANGE.sub(_whole_range, text)
    found: list[Span] = []
    rest = text
    for match in _RANGE.finditer(text):
        start = _month(match["start"], last=False, today=today)
        end = _month(match["end"], last=True, today=today)
        if start <= end:
            found.append((start, end))
        rest = rest.replace(match[0], " ")
    found.extend(
        (_month(match["start"], last=False, today=today), _now(today))
        for match in _SINCE.finditer(rest)
    )
    for match in _SEASON.finditer(rest):
        first, last = _SEASONS[match[1].lower()]
        year = int(match[2]) * 12
        found.append((year + first - 1, year + last - 1))
    return found


def _whole_range(match: re.Match[str]) -> str:
    """``2019-20`` as two years; ``2019-07`` is a month and stays."""
    if int(match[2]) <= int(match[1][2:]):
        return match[0]
    return f"{match[1]} - {match[1][:2]}{match[2]}"


def has_date(text: str) -> bool:
    """Whether a line names a year, a month or a season of one."""
    return bool(_SINGLE.search(text))


def is_date_only(text: str) -> bool:
    """Whether a line is a span or a date and nothing else."""
    rest = _SINGLE.sub("", _SEASON.sub("", _RANGE.sub("", text)))
    return has_date(text) and not re.search(r"[a-z]{2,}", rest, re.IGNORECASE)


def years_of(spans: Iterable[Span]) -> float:
    """Years that some spans cover; time covered twice counts once."""
    months = 0
    reached = -1
    for start, end in sorted(spans):
        begin = max(start, reached + 1)
        if end >= begin:
            months += end - begin + 1
            reached = end
    return months / 12


def stated_years(text: str) -> float | None:
    """The largest number of years that a text claims, such as ``5+ years``."""
    found = [int(match[1]) for match in _STATED.finditer(text) if int(match[1]) <= 50]
    return float(max(found)) if found else None


def _month(text: str, *, last: bool, today: date) -> int:
    if re.fullmatch(_NOW, text, re.IGNORECASE):
        return _now(today)
    year = re.search(_YEAR, text)
    assert year is not None
    rest = text.replace(year[0], "", 1)
    word = re.search(r"[a-z]+", rest, re.IGNORECASE)
    number = re.search(r"\d+", rest)
    if word is not None:
        month = _MONTHS[word[0].lower()]
    elif number is not None:
        month = int(number[0])
    else:
        month = 12 if last else 1
    return min(int(year[0]) * 12 + month - 1, _now(today))


def _now(today: date) -> int:
    return today.year * 12 + today.month - 1
