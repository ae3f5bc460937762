"""Where a scan's shipments go: one line of JSON each, or a line for people on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from fanwise.cli.display import to_json
from fanwise.cli.linefile import LineKind

if TYPE_CHECKING:
    from fanwise.records import ItemRecord

SHIPMENTS = LineKind(holds="shipments", read="mailbox", begins=b'{"conversation"')
"""What ``-o`` holds."""


def shipment_lines(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The result lines of one conversation.

    Args:
        value: What the scan's item came to, as JSON.
    """
    for shipment in value["reading"]["shipments"]:
        yield {
            "conversation": value["conversation"],
            "subject": value["subject"],
            **shipment,
        }


def for_people(line: Mapping[str, Any]) -> str:
    """A shipment in one line: number, carrier, supplier, order, date."""
    order = f"order {line['po_number']}" if line["po_number"] else ""
    rest = [line["supplier"] or "", order, line["shipped_date"] or ""]
    return f"{line['tracking_number']:<28} {line['carrier']:<16} " + "  ".join(filter(None, rest))


def kept_lines(records: Iterable[ItemRecord]) -> Iterator[str]:
    """The result lines of what these items of a run hold."""
    for record in records:
        if record.state == "succeeded":
            value = cast("Mapping[str, Any]", record.value)
            yield from (to_json(line) for line in shipment_lines(value))
