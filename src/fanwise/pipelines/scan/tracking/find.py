"""Tracking numbers in a text, each with the confidence that it is one.

A bare run of digits passes a check digit one time in seven to eleven, so a number needs evidence.
Each piece of evidence has a worth ``w`` between 0 and 1, and pieces are joined as independent
reasons to believe: ``confidence = 1 - (1 - w1)(1 - w2)…`` (a noisy or). A number is taken from a
confidence of 0.65 upwards.

====================================================  =====
the shape alone (``Format.weight``)                   0–0.75
a right check digit                                   0.45
a right check character out of 36                     0.60
a label before or after it ("tracking number")        0.60
a word of shipping close by on its line ("shipped")   0.35
its carrier named beside it, nearer than any other    0.60
its carrier named beside it, after a nearer one       0.50
its carrier's name right before it ("GLS 529…")       0.30
its carrier named somewhere in the text               0.30
a link to the carrier's page that holds it            0.85
any other tracking link that holds it                 0.65
====================================================  =====

So UPS's ``1Z…`` and the post's S10 numbers stand alone, while twelve digits with FedEx's check
digit (0.48) need a label or FedEx's name beside them. What a label calls something else (telephone,
invoice, order), what is shaped like a telephone number or a date, or what the nearest carrier's
name contradicts is refused, unless shape and check digit alone are worth 0.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fanwise.pipelines.scan.tracking.context import Context, Surroundings, without_links
from fanwise.pipelines.scan.tracking.formats import Format, matching
from fanwise.pipelines.scan.tracking.links import LinkNumber, links_in, numbers_in
from fanwise.pipelines.scan.tracking.runs import Span, clean, runs_of, spans_of

THRESHOLD = 0.65
MOST_NUMBERS = 20

# From here on a number is not mistaken for an invoice's, whatever stands before it.
_REFUSABLE = 0.60

_LABEL = 0.60
_SHIPPING = 0.35
_CARRIER_NEAREST = 0.60
_CARRIER_NEAR = 0.50
_CARRIER_DIRECTLY = 0.30
_CARRIER_ANYWHERE = 0.30
_OWN_LINK = 0.85
_ANY_LINK = 0.65
# Folded over a line end, only what could not be two numbers under each other.
_LONG_ENOUGH_TO_FOLD = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A tracking number in a text.

    Args:
        number: Compact: upper case, nothing between the characters.
        carrier: The carrier's name.
        service: Which of its numbers this is.
        confidence: 0 to 1, see the module.
        start, end: Its place in the cleaned text; -1 where only a link holds it.
        evidence: What spoke for it, for people.
    """

    number: str
    carrier: str
    service: str
    confidence: float
    start: int = -1
    end: int = -1
    evidence: tuple[str, ...] = ()


def find(
    text: str, *, links: Sequence[str] = (), limit: int = MOST_NUMBERS, sender: str = ""
) -> list[Found]:
    """The tracking numbers of a text, in the order they appear, each once.

    Args:
        text: Plain text: a mail's subject and body.
        links: Further addresses, such as the targets of an HTML mail's links.
        limit: How many to return at most; the most certain ones are kept.
        sender: The sender's host, which counts as its carrier being named.

    Returns:
        At most ``limit`` numbers. Linear in the length of the text; a run of digits that is too
        long for a number is passed over.
    """
    survey = Survey(text, links=links, sender=sender)
    sure = [found for found in survey.readings() if found.confidence >= THRESHOLD]
    return _choose(sure, limit)


class Survey:
    """A text searched once for whatever may be a tracking number.

    Args:
        text, links, sender: As for :func:`find`.
    """

    __slots__ = ("_context", "_linked", "_places")

    def __init__(self, text: str, *, links: Sequence[str] = (), sender: str = "") -> None:
        text = clean(text)
        written = links_in(text)
        addresses = [*(at[2] for at in written), *links]
        self._linked = {number.number: number for number in numbers_in(addresses)}
        blanked = without_links(text, written)
        runs = list(runs_of(blanked))
        self._places: dict[str, list[tuple[Span, Sequence[Format]]]] = {}
        for span in spans_of(runs):
            formats = matching(span.number)
            if formats and (not span.folded or _may_fold(span, formats)):
                self._places.setdefault(span.number, []).append((span, formats))
        self._context: Context | None = None
        if self._places or self._linked:
            self._context = Context.of(blanked, written, runs, sender=sender)

    @property
    def worth_reading(self) -> bool:
        """Whether the text can hold a tracking number at all.

        It cannot where nothing in it has the format (check digit included) of one; nor where what
        has it is plain digits, and no carrier, label or word of shipping stands near.
        """
        if self._context is None:
            return False
        return bool(self._linked) or self._context.speaks_of_shipping or self._stands_alone()

    def readings(self) -> list[Found]:
        """The best reading of everything that may be a number and is not refused."""
        numbers = dict.fromkeys([*self._places, *self._linked])
        found = [self.about(number) for number in numbers]
        return [one for one in found if one is not None]

    def holds(self, number: str) -> bool:
        """Whether a compact number stands in the text or its links in the form of some format."""
        return number in self._linked or number in self._places

    def about(self, number: str) -> Found | None:
        """The most certain reading of a compact number at any of its places in the text.

        ``None`` where it does not stand there, or where its surroundings refuse it everywhere.
        Unlike :func:`find` this knows no threshold.
        """
        context = self._context
        if context is None:
            return None
        link = self._linked.get(number)
        found = [
            _judge(span, formats, context.around(span), link)
            for span, formats in self._places.get(number, ())
        ]
        if link is not None:
            found.append(_from_link(link, context))
        known = [one for one in found if one is not None]
        return max(known, key=lambda one: (one.confidence, -one.start), default=None)

    def _stands_alone(self) -> bool:
        formats = (row for places in self._places.values() for _, rows in places for row in rows)
        return any(row.standing >= THRESHOLD for row in formats)


def _may_fold(span: Span, formats: Sequence[Format]) -> bool:
    return len(span.number) >= _LONG_ENOUGH_TO_FOLD or formats[0].standing >= THRESHOLD


def _join(*worths: float) -> float:
    rest = 1.0
    for worth in worths:
        rest *= 1 - worth
    return 1 - rest


def _judge(
    span: Span, formats: Sequence[Format], around: Surroundings, link: LinkNumber | None
) -> Found | None:
    """The most certain reading of a span, or nothing where none is certain enough."""
    readings: list[Found] = []
    for row in formats:
        carrier = row.carrier_of(span.number)
        if row.standing < _REFUSABLE and around.refused(carrier) and link is None:
            continue
        reading = _reading(row, carrier, around, link)
        readings.append(replace(reading, number=span.number, start=span.start, end=span.end))
    return max(readings, key=lambda found: found.confidence, default=None)


def _reading(row: Format, carrier: str, around: Surroundings, link: LinkNumber | None) -> Found:
    worths = [row.weight, row.check_worth]
    evidence = ["check digit"] if row.check else ["shape"]
    if around.label == "tracking":
        worths.append(_LABEL)
        evidence.append("label")
    elif around.label == "shipping":
        worths.append(_SHIPPING)
        evidence.append("shipping word")
    if around.names_near(carrier):
        worths.append(_CARRIER_NEAREST if around.names_nearest(carrier) else _CARRIER_NEAR)
        evidence.append("carrier beside it")
        if around.names_directly(carrier):
            worths.append(_CARRIER_DIRECTLY)
    elif around.names_anywhere(carrier):
        worths.append(_CARRIER_ANYWHERE)
        evidence.append("carrier in the text")
    if link is not None and row in link.formats:
        worths.append(_OWN_LINK if link.carrier else _ANY_LINK)
        evidence.append("link")
    return Found(
        number="",
        carrier=carrier,
        service=row.service,
        confidence=round(_join(*worths), 2),
        evidence=tuple(evidence),
    )


def _from_link(link: LinkNumber, context: Context) -> Found:
    around = context.nowhere()
    readings = [_reading(row, row.carrier_of(link.number), around, link) for row in link.formats]
    return replace(max(readings, key=lambda found: found.confidence), number=link.number)


def _choose(found: list[Found], limit: int) -> list[Found]:
    """Of overlapping readings the longer, of two forms of one number the shorter; the surest."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda f: (-len(f.number), -f.confidence)):
        overlaps = any(
            one.start >= 0 and other.start < one.end and one.start < other.end for other in kept
        )
        if not overlaps:
            kept = [other for other in kept if one.number not in other.number]
            kept.append(one)
    kept.sort(key=lambda f: -f.confidence)
    order = {one.number: place for place, one in enumerate(found)}
    return sorted(kept[:limit], key=lambda f: (f.start < 0, f.start, order[f.number]))
