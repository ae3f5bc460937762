"""The pipeline's tables and what is done with them.

Every function takes a connection inside a transaction of :class:`fanwise.Store`; all of them may be
repeated after a crash without doing anything twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from fanwise.pipelines.scan.records import Reading, Shipment
from fanwise.pipelines.scan.status import Status, next_status

metadata = MetaData()

scanned_conversations = Table(
    "scanned_conversations",
    metadata,
    Column("conversation", String(64), primary_key=True),
    Column("latest_message", String(64), nullable=False),
    Column("latest_at", Float),
    Column("messages", Integer, nullable=False),
    Column("status", String(16), nullable=False),  # shipments | no_tracking
    Column("scanned_at", Float, nullable=False),
    Column("run_id", String(128), nullable=False),
)

shipments = Table(
    "shipments",
    metadata,
    Column("tracking_number", String(64), primary_key=True),
    Column("carrier", String(64), nullable=False),
    Column("supplier", String(128)),
    Column("po_number", String(64)),
    Column("shipped_date", String(10)),
    Column("status", String(20), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("conversation", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("created_by", String(128), nullable=False),  # the run that found it first
)
Index("shipments_by_conversation", shipments.c.conversation)

tracking_events = Table(
    "tracking_events",
    metadata,
    Column("event", String(128), primary_key=True),  # the carrier's id, or a hash of the report
    Column("tracking_number", String(64), nullable=False),
    Column("status", String(20), nullable=False),
    Column("happened_at", Float, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("detail", Text),
)
Index("tracking_events_by_number", tracking_events.c.tracking_number)

scan_history = Table(
    "scan_history",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run_id", String(128), nullable=False),
    Column("source", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float, nullable=False),
    Column("processed", Integer, nullable=False),
    Column("already_scanned", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("updated", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("no_tracking", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("error", Text),  # what ended the scan early
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("conversation", String(64), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_seen", Float, nullable=False),
    Column("last_seen", Float, nullable=False),
    Column("run_id", String(128), nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One look at one conversation, as it is written down.

    Args:
        conversation: Its id.
        latest_message: The id of its newest message.
        latest_at: When that was sent, epoch seconds.
        messages: How many messages it had.
        run_id: The run that looked.
        at: When, epoch seconds.
    """

    conversation: str
    latest_message: str
    latest_at: float | None
    messages: int
    run_id: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a conversation's shipments did to the table: new, changed, there already."""

    added: int = 0
    updated: int = 0
    skipped: int = 0


def scanned(connection: Connection, conversations: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Of these conversations the scanned ones: newest message seen, and the run that saw it."""
    table = scanned_conversations.c
    rows = connection.execute(
        select(table.conversation, table.latest_message, table.run_id).where(
            table.conversation.in_(conversations)
        )
    )
    return {row.conversation: (row.latest_message, row.run_id) for row in rows}


def record(connection: Connection, visit: Visit, reading: Reading) -> Changes:
    """Writes a conversation's shipments and marks it scanned; a dead letter of it is closed.

    A shipment known already keeps what the surer reading says; what is unknown is filled in.
    """
    changes = compare(connection, reading.shipments, run_id=visit.run_id)
    known = _known(connection, reading.shipments)
    for shipment in reading.shipments:
        row = known.get(shipment.tracking_number)
        if row is None:
            status = status_of(connection, shipment.tracking_number)
            connection.execute(insert(shipments).values(_new_row(shipment, visit, status)))
        else:
            values = merged(row, shipment)
            if values:
                connection.execute(
                    update(shipments)
                    .where(shipments.c.tracking_number == shipment.tracking_number)
                    .values(**values, updated_at=visit.at)
                )
    _mark(connection, visit, "shipments" if reading.shipments else "no_tracking")
    connection.execute(
        delete(dead_letters).where(dead_letters.c.conversation == visit.conversation)
    )
    return changes


def compare(connection: Connection, found: Sequence[Shipment], *, run_id: str) -> Changes:
    """What writing these shipments changes. Those that this very run has added count as added."""
    known = _known(connection, found)
    added = updated = 0
    for shipment in found:
        row = known.get(shipment.tracking_number)
        if row is None or row["created_by"] == run_id:
            added += 1
        elif merged(row, shipment):
            updated += 1
    return Changes(added=added, updated=updated, skipped=len(found) - added - updated)


def merged(row: Mapping[str, Any], shipment: Shipment) -> dict[str, Any]:
    """The columns of a known shipment that a new reading changes: a pure decision."""
    surer = shipment.confidence > row["confidence"]
    values: dict[str, Any] = {}
    for name in ("carrier", "supplier", "po_number", "shipped_date"):
        new = getattr(shipment, name)
        if new is not None and new != row[name] and (surer or row[name] is None):
            values[name] = new
    if surer:
        values["confidence"] = shipment.confidence
    return values


def _known(connection: Connection, found: Sequence[Shipment]) -> dict[str, Mapping[str, Any]]:
    numbers = [shipment.tracking_number for shipment in found]
    if not numbers:
        return {}
    found_rows = connection.execute(
        select(shipments).where(shipments.c.tracking_number.in_(numbers))
    ).mappings()
    return {row["tracking_number"]: dict(row) for row in found_rows}


def _new_row(shipment: Shipment, visit: Visit, status: Status) -> dict[str, Any]:
    return {
        "tracking_number": shipment.tracking_number,
        "carrier": shipment.carrier,
        "supplier": shipment.supplier,
        "po_number": shipment.po_number,
        "shipped_date": shipment.shipped_date,
        "status": status,
        "confidence": shipment.confidence,
        "conversation": visit.conversation,
        "created_at": visit.at,
        "updated_at": visit.at,
        "created_by": visit.run_id,
    }


def _mark(connection: Connection, visit: Visit, status: str) -> None:
    values = {
        "latest_message": visit.latest_message,
        "latest_at": visit.latest_at,
        "messages": visit.messages,
        "status": status,
        "scanned_at": visit.at,
        "run_id": visit.run_id,
    }
    table = scanned_conversations
    changed = connection.execute(
        update(table).where(table.c.conversation == visit.conversation).values(**values)
    )
    if changed.rowcount == 0:
        connection.execute(insert(table).values(conversation=visit.conversation, **values))


def bury(connection: Connection, conversation: str, *, reason: str, run_id: str, at: float) -> None:
    """Puts a conversation that failed among the dead letters. It is not marked as scanned.

    The same run counts as one attempt, however often it is resumed.
    """
    table = dead_letters
    row = connection.execute(select(table).where(table.c.conversation == conversation)).first()
    if row is None:
        connection.execute(
            insert(table).values(
                conversation=conversation,
                reason=reason,
                attempts=1,
                first_seen=at,
                last_seen=at,
                run_id=run_id,
            )
        )
        return
    attempts = row.attempts + (row.run_id != run_id)
    connection.execute(
        update(table)
        .where(table.c.conversation == conversation)
        .values(reason=reason, attempts=attempts, last_seen=at, run_id=run_id)
    )


def report(
    connection: Connection,
    *,
    event: str,
    tracking_number: str,
    status: str,
    happened_at: float,
    received_at: float,
    detail: str | None = None,
) -> bool:
    """Takes a carrier's report on a shipment. A report that came before changes nothing.

    The shipment's status is what all of its reports come to in the order in which they happened,
    since they arrive in another.

    Returns:
        Whether it is new. A report on an unknown shipment is kept, and counts once that is found.

    Raises:
        ConfigError: ``status`` is no status.
    """
    next_status("pending", status)
    table = tracking_events
    if connection.execute(select(table.c.event).where(table.c.event == event)).first():
        return False
    connection.execute(
        insert(table).values(
            event=event,
            tracking_number=tracking_number,
            status=status,
            happened_at=happened_at,
            received_at=received_at,
            detail=detail,
        )
    )
    after = status_of(connection, tracking_number)
    table = shipments
    connection.execute(
        update(table)
        .where(table.c.tracking_number == tracking_number, table.c.status != after)
        .values(status=after, updated_at=received_at)
    )
    return True


def status_of(connection: Connection, tracking_number: str) -> Status:
    """What the carriers' reports on a shipment come to; ``pending`` where there is none."""
    table = tracking_events.c
    reported = connection.execute(
        select(table.status)
        .where(table.tracking_number == tracking_number)
        .order_by(table.happened_at, table.received_at, table.event)
    ).scalars()
    status: Status = "pending"
    for one in reported:
        status = next_status(status, one)
    return status
