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
a word of shipping before or after it ("shipped")     0.35
its carrier named beside it                           0.60
its carrier named somewhere in the text               0.30
a link to the carrier's page that holds it            0.85
a link to a page of many carriers that holds it       0.60
====================================================  =====

So UPS's ``1Z…`` and the post's S10 numbers stand alone, while twelve digits with FedEx's check
digit (0.48) need a label or FedEx's name beside them. What a label calls something else (telephone,
invoice, order), what is shaped like a telephone number or a date, or what the nearest carrier's
name contradicts is refused unless the number stands alone.
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

_LABEL = 0.60
_SHIPPING = 0.35
_CARRIER_NEAR = 0.60
_CARRIER_ANYWHERE = 0.30
_OWN_LINK = 0.85
_ANY_LINK = 0.60
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
    text = clean(text)
    written = links_in(text)
    linked = {number.number: number for number in numbers_in([*(at[2] for at in written), *links])}
    blanked = without_links(text, written)
    runs = list(runs_of(blanked))
    candidates = [
        (span, formats)
        for span in spans_of(runs)
        if (formats := matching(span.number)) and (not span.folded or _may_fold(span, formats))
    ]
    if not candidates and not linked:
        return []
    context = Context.of(blanked, written, runs, sender=sender)
    best: dict[str, Found] = {}
    for span, formats in candidates:
        found = _judge(span, formats, context.around(span), linked.get(span.number))
        if found is not None:
            before = best.get(found.number)
            if before is None or before.confidence < found.confidence:
                best[found.number] = found
    for number in linked.values():
        if number.number not in best:
            found = _from_link(number, context)
            if found is not None:
                best[number.number] = found
    return _choose(list(best.values()), limit)


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
        if row.standing < THRESHOLD and around.refused(carrier) and link is None:
            continue
        reading = _reading(row, carrier, around, link)
        readings.append(replace(reading, number=span.number, start=span.start, end=span.end))
    if not readings:
        return None
    best = max(readings, key=lambda found: found.confidence)
    return best if best.confidence >= THRESHOLD else None


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
        worths.append(_CARRIER_NEAR)
        evidence.append("carrier beside it")
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


def _from_link(link: LinkNumber, context: Context) -> Found | None:
    around = context.nowhere()
    readings = [_reading(row, row.carrier_of(link.number), around, link) for row in link.formats]
    best = max(readings, key=lambda found: found.confidence)
    return replace(best, number=link.number) if best.confidence >= THRESHOLD else None


def _choose(found: list[Found], limit: int) -> list[Found]:
    """Drops readings that overlap a longer or surer one, keeps the surest, restores the order."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda f: (-len(f.number), -f.confidence)):
        inside = any(
            (one.start >= 0 and other.start < one.end and one.start < other.end)
            or (one.number != other.number and one.number in other.number)
            for other in kept
        )
        if not inside:
            kept.append(one)
    kept.sort(key=lambda f: -f.confidence)
    order = {one.number: place for place, one in enumerate(found)}
    return sorted(kept[:limit], key=lambda f: (f.start < 0, f.start, order[f.number]))
