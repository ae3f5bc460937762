"""The values that a scan passes on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """One shipment as results and tables hold it.

    Args:
        tracking_number: Compact: upper case, nothing between the characters.
        carrier: The carrier's name.
        supplier: Who ships.
        po_number: The buyer's order number for it.
        shipped_date: The day of shipping as ``YYYY-MM-DD``.
        confidence: 0 to 1.
    """

    tracking_number: str
    carrier: str
    supplier: str | None = None
    po_number: str | None = None
    shipped_date: str | None = None
    confidence: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A number that a model named and that was not taken, with the reason."""

    tracking_number: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a conversation holds: shipments, and what was named without holding water."""

    supplier: str | None
    shipments: tuple[Shipment, ...]
    dropped: tuple[Dropped, ...] = ()
