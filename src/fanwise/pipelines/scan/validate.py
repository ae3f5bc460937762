"""What a model answered, held against the mail it was given."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fanwise.pipelines.scan.dates import iso_day
from fanwise.pipelines.scan.mailtext import Letter
from fanwise.pipelines.scan.records import Dropped, Reading, Shipment
from fanwise.pipelines.scan.tracking.carriers import normal_name, serves
from fanwise.pipelines.scan.tracking.find import MOST_NUMBERS, Found, Survey
from fanwise.pipelines.scan.tracking.formats import LONGEST, SHORTEST, matching, shaped_like
from fanwise.pipelines.scan.tracking.runs import clean

if TYPE_CHECKING:
    from fanwise.pipelines.scan.schema import Extraction, FoundShipment

_SEPARATORS = re.compile(r"[\s.\-_#:]+")
_NOT_WORD = re.compile(r"[\W_]+")


def validated(
    extraction: Extraction, letters: Sequence[Letter], *, surveys: Sequence[Survey]
) -> Reading:
    """The part of an answer that the mail bears out.

    A number is taken where it stands in the mail, has the format of some carrier with the right
    check digit, and is not labelled as something else there. Its confidence is the mean of the
    model's and the rules'. Carriers get their usual name; a carrier whose numbers look otherwise
    is replaced by the one whose they are. An order number or supplier that the mail does not hold
    becomes ``None``, as does a day that is none or is far from the mail's.

    Args:
        extraction: The model's answer.
        letters: What the model was shown.
        surveys: What may be a tracking number in them.

    Returns:
        At most 20 shipments, each number once, and what was dropped with its reason.
    """
    source = clean("\n".join(f"{letter.sender}\n{letter.whole}" for letter in letters))
    plain = _NOT_WORD.sub("", source).upper()
    supplier = _supplier(extraction.supplier, plain)
    newest = max((letter.sent for letter in letters if letter.sent is not None), default=None)
    taken: dict[str, Shipment] = {}
    dropped: list[Dropped] = []
    for named in extraction.shipments:
        number = _SEPARATORS.sub("", clean(named.tracking_number)).upper()
        reason, found = _checked(number, surveys)
        if found is None:
            dropped.append(Dropped(tracking_number=number[:LONGEST], reason=reason))
        elif number not in taken:
            taken[number] = Shipment(
                tracking_number=number,
                carrier=_carrier(named.carrier, found),
                supplier=supplier,
                po_number=_order(named.po_number, number, plain),
                shipped_date=iso_day(named.shipped_date, sent=newest),
                confidence=_confidence(named, found),
            )
    kept = sorted(taken.values(), key=lambda one: -one.confidence)[:MOST_NUMBERS]
    surplus = [
        Dropped(tracking_number=one.tracking_number, reason="more than 20 numbers in one thread")
        for one in taken.values()
        if one not in kept
    ]
    return Reading(
        supplier=supplier,
        shipments=tuple(one for one in taken.values() if one in kept),
        dropped=(*dropped, *surplus),
    )


def _checked(number: str, surveys: Sequence[Survey]) -> tuple[str, Found | None]:
    """The reason against a number, or what the rules make of it."""
    if not SHORTEST <= len(number) <= LONGEST or not number.isalnum():
        return "no carrier's numbers look like this", None
    if not matching(number):
        if shaped_like(number):
            return "its check digit is wrong", None
        return "no carrier's numbers look like this", None
    if not any(survey.holds(number) for survey in surveys):
        return "it does not stand in the mail", None
    readings = [survey.about(number) for survey in surveys]
    known = [reading for reading in readings if reading is not None]
    if not known:
        return "the mail calls it something else than a tracking number", None
    return "", max(known, key=lambda reading: reading.confidence)


def _confidence(named: FoundShipment, found: Found) -> float:
    return round((named.confidence + found.confidence) / 2, 2)


def _carrier(named: str | None, found: Found) -> str:
    """The named carrier where its numbers look like this, else the one the rules read."""
    name = normal_name(named) if named else None
    if name is None or name == found.carrier:
        return found.carrier
    carriers = {row.carrier_of(found.number) for row in matching(found.number)}
    own = [carrier for carrier in carriers if serves(name, carrier)]
    return name if name in own else (own[0] if own else found.carrier)


def _order(named: str | None, number: str, plain: str) -> str | None:
    if named is None:
        return None
    compact = _NOT_WORD.sub("", named).upper()
    if len(compact) < 2 or compact == number or compact not in plain:
        return None
    return " ".join(named.split())[:64]


def _supplier(named: str | None, plain: str) -> str | None:
    """A supplier whose name, or one longer word of it, stands in the mail or its addresses."""
    if named is None:
        return None
    words = [word for word in _NOT_WORD.split(named.upper()) if word]
    if "".join(words) in plain or any(len(word) >= 4 and word in plain for word in words):
        return " ".join(named.split())[:120] or None
    return None
