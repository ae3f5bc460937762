"""Purchase order numbers in mail."""

from __future__ import annotations

import re
from dataclasses import dataclass

# The value: letters, digits and the signs between them, three digits at least.
_SIGN = r"[A-Z0-9/._-]"
_VALUE = (
    rf"(?P<value>(?={_SIGN}{{0,28}}\d{_SIGN}{{0,28}}\d{_SIGN}{{0,28}}\d)"
    rf"[A-Z0-9]{_SIGN}{{2,28}}[A-Z0-9])"
)
_NUMBER_WORD = (
    r"(?:[\s:.#*_-]{0,6}(?:number|no|nr|nummer|num|numer|numéro|número|numero|n°|nº|n\.|id|ref|réf"
    r"|code)(?!\w)\.?)?"
)
_PURCHASE = re.compile(
    rf"(?:(?<!\w)(?:purchase[ -]?order|p\.\s?o\.|po|customer order|your order|bon de commande"
    rf"|ihre bestellung|ihr auftrag|votre commande|su pedido|vostro ordine|uw bestelling"
    rf"|orden de compra|ordine d.acquisto|inkooporder|inkoopordernummer|twoje zamówienie"
    rf"|bestellung|bestellnummer|bestell|注文番号){_NUMBER_WORD}[\s:.#*°º-]{{0,4}}){_VALUE}",
    re.IGNORECASE,
)
_ORDER = re.compile(
    rf"(?:(?<!\w)(?:sales[ -]?order|order|auftrag|auftragsnummer|commande|pedido|ordine"
    rf"|bestelling|bestelnummer|ordernummer|zamówienie|zamówienia|encomenda|订单号)"
    rf"{_NUMBER_WORD}[\s:.#*°º-]{{0,4}}){_VALUE}",
    re.IGNORECASE,
)
# "ご注文番号" follows other letters without a space.
_CJK = re.compile(rf"(?:注文番号|订单号|订单编号|주문번호)[\s:：]{{0,3}}{_VALUE}", re.IGNORECASE)
# A subject that is nothing but a number, and "the pallets for B-38203/26".
_SUBJECT = re.compile(
    rf"(?:(?:re|aw|fwd?|wg|tr|rv|sv|antw|odp)\s?:\s?){{0,5}}{_VALUE}\s*(?=\n|$)", re.IGNORECASE
)
_FOR = re.compile(rf"(?<!\w)(?:for|für|pour|para|per|voor|dla|zu)\s{_VALUE}(?!\w)", re.IGNORECASE)
# "PO-4711" and "PO4711" are written as one word, and meant as one.
_ONE_WORD = re.compile(
    r"(?<![A-Z0-9-])(?P<value>PO[-_]?\d{3,12}(?:[-/]\d{1,6})?)(?![\w-])", re.IGNORECASE
)
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2}")


@dataclass(frozen=True, slots=True)
class Order:
    """An order number and where it stands.

    ``rank`` is 0 for a purchase order, 1 for another order number, 2 where no label says so.
    """

    start: int
    value: str
    rank: int


def orders_in(text: str) -> list[Order]:
    """The order numbers of a text, in order of their places."""
    found: dict[str, Order] = {}
    subject = _SUBJECT.match(text)
    ranked = [(0, _ONE_WORD), (0, _PURCHASE), (0, _CJK), (1, _ORDER), (2, _FOR)]
    matches = [(rank, match) for rank, pattern in ranked for match in pattern.finditer(text)]
    if subject is not None:
        matches.append((2, subject))
    for rank, match in matches:
        value = match.group("value").strip("._-/")
        known = any(value in other or other in value for other in found)
        if not known and _DATE.fullmatch(value) is None:
            found[value] = Order(match.start("value"), value, rank)
    return sorted(found.values(), key=lambda order: order.start)


def order_of(text: str, *, number: str, number_at: int) -> str | None:
    """The order number that a shipment belongs to.

    A purchase order goes before any other order number; among several the last one before the
    tracking number is taken, else the first one after it.

    Args:
        text: The message.
        number: The tracking number, which is never its own order number.
        number_at: Where it stands in the text; -1 where it stands elsewhere.
    """
    orders = [order for order in orders_in(text) if order.value.upper() != number]
    if not orders:
        return None
    rank = min(order.rank for order in orders)
    ranked = [order for order in orders if order.rank == rank]
    before = [order for order in ranked if 0 <= order.start < number_at]
    return (before[-1] if before else ranked[0]).value
