"""The words around a number: labels that announce it, labels of other things, carriers' names."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from fanwise.pipelines.scan.tracking.carriers import carrier_of_host, serves
from fanwise.pipelines.scan.tracking.lexicon import (
    Hit,
    carriers_in,
    is_other_label,
    within,
    words_of,
)
from fanwise.pipelines.scan.tracking.links import host_of
from fanwise.pipelines.scan.tracking.runs import Group, Span

Label = Literal["tracking", "shipping", "other", ""]

_BEFORE = 120
_AFTER = 45
_LABEL_AFTER = 40
_SHIPPING = 60
_SOON = 20
_WINDOW = 140
_LONG_GROUP = 6
_LONG_CHAIN = 8
_LONGEST_LIST = 40
_LONGEST_GLUE = 24
_DIRECT = 60

# What may stand between the label of another kind of number and that number.
_DIRECTLY = re.compile(
    r"(?:[\s:#.,()°º*=|\[\]/+\-–]|\b(?:no|nr|num|number|nummer|numéro|número|numero|id|is|ist|est|es"
    r"|us|at|on|our|my|me|the|unter|auf|am|au|al|of|code|n|intl|int)\b){0,40}",
    re.IGNORECASE,
)
_INTRODUCTION = re.compile(
    r"(?:[\s:#.,()°º*=|\-–]|\b(?:no|nr|num|number|nummer|numéro|número|numero|n|ref|express|ground"
    r"|paket|parcel|id)\b){0,20}",
    re.IGNORECASE,
)
_INTRODUCED = 24
_BETWEEN_SIBLINGS = re.compile(
    r"(?:[\s,;/&|•*+()\[\]\-–]|\d{1,2}[.)]|\b(?:and|und|et|y|e|en|i|und|or|oder|sowie)\b){1,24}",
    re.IGNORECASE,
)
_PHONE_SHAPE = re.compile(
    r"1?[ .\-]{0,2}\(?\d{3}\)?[ .\-]{1,2}\d{3}[ .\-]\d{4}|0\d{2,4}[ \-]\d{3,8}"
)
_MONEY_AFTER = re.compile(r",\d{2}(?!\d)|\s?(?:€|EUR|USD|\$|GBP|£|kg|ml|km)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What stands around one number.

    Args:
        label: What the nearest label calls it.
        near: Carriers named beside it, the nearest first.
        directly: Carriers whose name stands directly before it.
        anywhere: Every carrier the text names.
        shaped_otherwise: It looks like a telephone number, a date, an amount or a card.
    """

    label: Label
    near: tuple[tuple[str, ...], ...]
    directly: tuple[str, ...]
    anywhere: frozenset[str]
    shaped_otherwise: bool

    def names_nearest(self, carrier: str) -> bool:
        """Whether no other carrier is named nearer to the number."""
        return bool(self.near) and any(serves(name, carrier) for name in self.near[0])

    def names_directly(self, carrier: str) -> bool:
        """Whether the carrier's name is what introduces the number: ``GLS 529…``."""
        return any(serves(name, carrier) for name in self.directly)

    def names_near(self, carrier: str) -> bool:
        """Whether the carrier is named beside the number."""
        return any(serves(name, carrier) for names in self.near for name in names)

    def names_anywhere(self, carrier: str) -> bool:
        """Whether the carrier is named in the text at all."""
        return any(serves(name, carrier) for name in self.anywhere)

    def refused(self, carrier: str) -> bool:
        """Whether the surroundings speak against this reading."""
        if self.label == "other" or self.shaped_otherwise:
            return True
        if self.near and not self.names_near(carrier):
            return True
        return bool(self.anywhere) and not self.names_anywhere(carrier)


class Context:
    """A text's numbers and words, ready to be asked what stands around a number.

    ``text`` is the text with its links blanked out. Only what is near some number is searched for
    words.
    """

    __slots__ = ("_anywhere", "_ends", "_hits", "_labels", "_starts", "text")

    def __init__(
        self,
        text: str,
        *,
        anywhere: frozenset[str],
        hits: Sequence[Hit],
        numbers: Sequence[tuple[int, int]],
    ) -> None:
        self.text = text
        self._anywhere = anywhere
        self._hits = hits
        self._starts = [start for start, _ in numbers]
        self._ends = [end for _, end in numbers]
        self._labels: dict[int, Label] = {}

    @classmethod
    def of(
        cls,
        text: str,
        links: Sequence[tuple[int, int, str]],
        runs: Sequence[Sequence[Group]],
        *,
        sender: str = "",
    ) -> Context:
        """Finds the words of a text with blanked links.

        Args:
            text: The text, blanked by :func:`without_links`.
            links: The links that stood in it. A link's host counts as its carrier being named.
            runs: The runs of the text.
            sender: The sender's host, likewise.
        """
        numbers = numbers_of(runs)
        hits = [hit for window in _windows(numbers) for hit in words_of(text, *window)]
        named = {carrier_of_host(sender)} if sender else set[str | None]()
        for start, end, address in links:
            name = carrier_of_host(host_of(address))
            if name is not None:
                hits.append(Hit(start, end, "carrier", (name,)))
                named.add(name)
        hits.sort(key=lambda hit: hit.start)
        anywhere = carriers_in(text) | {name for name in named if name is not None}
        return cls(text, anywhere=anywhere, hits=hits, numbers=numbers)

    @property
    def speaks_of_shipping(self) -> bool:
        """Whether a carrier, a label or a word of shipping stands near some number, or a carrier
        anywhere.
        """
        return bool(self._anywhere) or any(hit.kind != "other" for hit in self._hits)

    def nowhere(self) -> Surroundings:
        """The surroundings of a number that stands in no place of the text."""
        return Surroundings(
            label="", near=(), directly=(), anywhere=self._anywhere, shaped_otherwise=False
        )

    def around(self, span: Span) -> Surroundings:
        """What stands around a span."""
        near = [
            hit
            for hit in within(self._hits, span.start - _BEFORE, span.end + _AFTER)
            if hit.kind == "carrier" and self._is_beside(hit, span)
        ]
        near.sort(key=lambda hit: min(abs(span.start - hit.end), abs(hit.start - span.end)))
        return Surroundings(
            label=self._label(span),
            near=tuple(hit.names for hit in near[:8]),
            directly=self._introducing(span, near),
            anywhere=self._anywhere,
            shaped_otherwise=self._shaped_otherwise(span),
        )

    def _is_beside(self, hit: Hit, span: Span) -> bool:
        """Before the number, or after it on the same line, or very soon on the next."""
        if hit.start < span.end:
            return hit.end <= span.start
        return hit.start - span.end <= _SOON or "\n" not in self.text[span.end : hit.start]

    def _introducing(self, span: Span, near: Sequence[Hit]) -> tuple[str, ...]:
        """The carrier right before a span, with at most "number" and signs in between."""
        for hit in near:
            if 0 <= span.start - hit.end <= _INTRODUCED:
                between = _INTRODUCTION.fullmatch(self.text, hit.end, span.start)
                return hit.names if between else ()
        return ()

    def _label(self, span: Span) -> Label:
        label = self._label_before(span.start)
        if label in ("tracking", "other"):
            return label
        return self._label_after(span) or label

    def _label_before(self, start: int) -> Label:
        """The nearest label before a place, unless another number lies between.

        A list shares its label: "numbers: A, B and C".
        """
        path: list[int] = []
        label: Label = ""
        while len(path) < _LONGEST_LIST:
            if start in self._labels:
                label = self._labels[start]
                break
            path.append(start)
            index = bisect_right(self._ends, start) - 1
            floor = self._ends[index] if index >= 0 else -1
            label = self._nearest(max(floor, start - _BEFORE), start)
            if label or floor < 0 or start - floor > _LONGEST_GLUE:
                break
            if not _BETWEEN_SIBLINGS.fullmatch(self.text, floor, start):
                break
            start = self._starts[index]
        for place in path:
            self._labels[place] = label
        return label

    def _nearest(self, floor: int, start: int) -> Label:
        weaker: Label = ""
        for hit in reversed(within(self._hits, floor, start)):
            if hit.end > start or hit.kind == "carrier":
                continue
            if hit.kind == "other":
                if start - hit.end <= _DIRECT and _DIRECTLY.fullmatch(self.text, hit.end, start):
                    return "other"
            elif hit.kind == "tracking":
                return "tracking"
            elif start - hit.end <= _SHIPPING and "\n" not in self.text[hit.end : start]:
                weaker = weaker or "shipping"
        return weaker

    def _label_after(self, span: Span) -> Label:
        """A label that follows the number and does not announce the next one."""
        index = bisect_left(self._starts, span.end)
        ceiling = self._starts[index] if index < len(self._starts) else len(self.text) + _AFTER
        for hit in within(self._hits, span.end, min(ceiling, span.end + _LABEL_AFTER)):
            if ceiling - hit.end < 20 or "\n" in self.text[span.end : hit.start]:
                break
            if hit.kind == "tracking":
                return "tracking"
            if hit.kind == "shipping":
                return "shipping"
        return ""

    def _shaped_otherwise(self, span: Span) -> bool:
        if not span.number.isdigit():
            return is_other_label(span.number.rstrip("0123456789"))
        text, start, end = self.text, span.start, span.end
        before = text[max(0, start - 3) : start]
        if before.endswith(("+", "@", "=", "$", "€", "£", "/", "(0", "+(")) or text[
            end : end + 1
        ] in (
            "@",
            "%",
            "/",
        ):
            return True
        if _PHONE_SHAPE.fullmatch(text[start:end].strip()) and len(span.number) <= 12:
            return True
        if _MONEY_AFTER.match(text, end):
            return True
        return len(set(span.number)) == 1 or _is_instant(span.number) or _counts_up(span.number)


def numbers_of(runs: Sequence[Sequence[Group]]) -> list[tuple[int, int]]:
    """Start and end of everything that may be a number: long groups, chains of short ones."""
    found: list[tuple[int, int]] = []
    for run in runs:
        first = digits = 0
        for index, group in enumerate(run):
            if len(group.text) >= _LONG_GROUP and not group.text.isalpha():
                if digits >= _LONG_CHAIN:
                    found.append((run[first].start, run[index - 1].end))
                found.append((group.start, group.end))
                first, digits = index + 1, 0
            else:
                digits += sum(c.isdigit() for c in group.text)
        if digits >= _LONG_CHAIN:
            found.append((run[first].start, run[-1].end))
    return found


def _windows(numbers: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The stretches of text around numbers, overlapping ones joined."""
    begin = end = -1
    for first, last in numbers:
        if begin < 0 or first - _WINDOW > end:
            if begin >= 0:
                yield begin, end
            begin = max(0, first - _WINDOW)
        end = last + _WINDOW
    if begin >= 0:
        yield begin, end


def without_links(text: str, links: Sequence[tuple[int, int, str]]) -> str:
    """The text with every link replaced by as many characters that are part of no number."""
    pieces: list[str] = []
    past = 0
    for start, end, _ in links:
        pieces += [text[past:start], "\x00" * (end - start)]
        past = end
    return "".join([*pieces, text[past:]])


def _is_instant(digits: str) -> bool:
    """Whether digits read as a date with a time, such as 20260303142211."""
    layout = {12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}.get(len(digits))
    if layout is None or not digits.startswith(("19", "20")):
        return False
    try:
        datetime.strptime(digits, layout)  # noqa: DTZ007  no instant is meant, only its shape
    except ValueError:
        return False
    return True


def _counts_up(digits: str) -> bool:
    """Whether digits are a placeholder such as 1234567890."""
    return digits in "01234567890123456789" or digits in "98765432109876543210"
