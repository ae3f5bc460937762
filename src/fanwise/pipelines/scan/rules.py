"""The extraction by rules: what ``builtin/rules`` and the simulated provider answer.

They read the prompt, as a model would, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fanwise.pipelines.fences import text_of
from fanwise.pipelines.scan.dates import shipped_day
from fanwise.pipelines.scan.mailtext import Letter, read_back
from fanwise.pipelines.scan.orders import order_of, orders_in
from fanwise.pipelines.scan.supplier import supplier_of
from fanwise.pipelines.scan.tracking.find import MOST_NUMBERS, Found, find
from fanwise.pipelines.scan.tracking.runs import clean
from fanwise.records import Json, Request

RULES_VERSION = "scan-rules-1"
"""Changes with every change to what the rules answer; part of each call's identity."""

_NOT_WORD = re.compile(r"[\W_]+")


def rules(request: Request) -> Json:
    """The extraction for a request made by this pipeline, in the shape of its schema.

    Args:
        request: Messages whose text holds fenced mail; other requests get an empty extraction.
    """
    prompt = "\n".join(text_of(message.content) for message in request.messages)
    return extract(read_back(prompt))


def extract(letters: Sequence[Letter]) -> dict[str, Json]:
    """The extraction for some letters, as JSON."""
    best: dict[str, tuple[Found, Letter]] = {}
    orders = {order.value.upper() for letter in letters for order in orders_in(clean(letter.whole))}
    for letter in letters:
        for found in find(letter.whole, sender=letter.address.rpartition("@")[2]):
            if found.number in orders and "label" not in found.evidence:
                continue
            known = best.get(found.number)
            if known is None or known[0].confidence < found.confidence:
                best[found.number] = (found, letter)
    _prefer_short(best)
    chosen = sorted(best.values(), key=lambda pair: -pair[0].confidence)[:MOST_NUMBERS]
    kept = {found.number for found, _ in chosen}
    return {
        "supplier": _supplier([letter for _, letter in best.values()], letters),
        "shipments": [
            _shipment(found, letter, letters)
            for number, (found, letter) in best.items()
            if number in kept
        ],
    }


def _prefer_short(best: dict[str, tuple[Found, Letter]]) -> None:
    """One parcel under two forms (with and without ``420`` and its ZIP) stays as the shorter."""
    for number in list(best):
        routed = number.startswith("420") and len(number) >= 30
        if routed and (number[8:] in best or number[12:] in best):
            del best[number]


def _shipment(found: Found, letter: Letter, letters: Sequence[Letter]) -> dict[str, Json]:
    text = clean(letter.whole)
    order = order_of(text, number=found.number, number_at=found.start)
    day = shipped_day(text, number_at=found.start, sent=letter.sent)
    for other in letters:
        if order is None and other is not letter:
            order = order_of(clean(other.whole), number=found.number, number_at=-1)
    return {
        "tracking_number": found.number,
        "carrier": found.carrier,
        "po_number": order,
        "shipped_date": None if day is None else day.isoformat(),
        "confidence": found.confidence,
    }


def _supplier(holding: Sequence[Letter], letters: Sequence[Letter]) -> str | None:
    """The supplier by the first letter that says it; those that hold a number are asked first."""
    for letter in [*holding, *letters]:
        supplier = supplier_of(letter)
        if supplier is not None:
            return supplier
    return None
