from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, func, select

from fanwise.pipelines.scan import tables
from fanwise.pipelines.scan.records import Reading, Shipment
from fanwise.pipelines.scan.tables import Changes, Visit, bury, compare, record, report, scanned


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.begin() as opened:
        yield opened
    engine.dispose()


def visit(conversation: str = "c1", *, run_id: str = "r1", latest: str = "m1") -> Visit:
    return Visit(
        conversation=conversation,
        latest_message=latest,
        latest_at=1.0,
        messages=1,
        run_id=run_id,
        at=100.0,
    )


def reading(*shipments: Shipment) -> Reading:
    return Reading(supplier=None, shipments=shipments)


SURE = Shipment(tracking_number="A1", carrier="UPS", po_number="4711", confidence=0.9)


def row(connection: Connection, number: str = "A1") -> dict[str, object]:
    found = connection.execute(
        select(tables.shipments).where(tables.shipments.c.tracking_number == number)
    )
    return dict(found.mappings().one())


def test_shipments_and_the_mark_are_written_together(connection: Connection) -> None:
    changes = record(connection, visit(), reading(SURE))
    assert changes == Changes(added=1)
    assert row(connection)["status"] == "pending"
    assert scanned(connection, ["c1", "c2"]) == {"c1": ("m1", "r1")}


def test_repeating_the_same_write_changes_nothing(connection: Connection) -> None:
    record(connection, visit(), reading(SURE))
    before = row(connection)
    assert record(connection, visit(), reading(SURE)) == Changes(added=1)  # it is this run's own
    assert record(connection, visit(run_id="r2"), reading(SURE)) == Changes(skipped=1)
    assert row(connection) == before
    assert connection.scalar(select(func.count()).select_from(tables.shipments)) == 1


def test_a_known_shipment_is_filled_in_and_overruled_only_by_a_surer_reading(
    connection: Connection,
) -> None:
    record(connection, visit(), reading(SURE))
    unsure = Shipment(
        tracking_number="A1", carrier="DHL", shipped_date="2026-03-03", confidence=0.7
    )
    assert record(connection, visit("c2", run_id="r2"), reading(unsure)) == Changes(updated=1)
    filled = row(connection)
    assert (filled["carrier"], filled["shipped_date"]) == ("UPS", "2026-03-03")
    surer = Shipment(tracking_number="A1", carrier="DHL", confidence=0.95)
    record(connection, visit("c3", run_id="r3"), reading(surer))
    after = row(connection)
    assert (after["carrier"], after["po_number"], after["conversation"]) == ("DHL", "4711", "c1")


def test_what_a_dry_run_foretells_is_what_writing_does(connection: Connection) -> None:
    record(connection, visit(), reading(SURE))
    new = Shipment(tracking_number="B2", carrier="UPS", confidence=0.9)
    better = Shipment(tracking_number="A1", carrier="UPS", confidence=0.99)
    found = (new, better)
    foretold = compare(connection, found, run_id="r2")
    assert foretold == record(connection, visit(run_id="r2"), reading(*found))
    assert foretold == Changes(added=1, updated=1)


def test_a_failed_conversation_is_buried_not_scanned_and_rises_with_the_next_success(
    connection: Connection,
) -> None:
    for run_id in ("r1", "r1", "r2"):
        bury(connection, "c1", reason="timeout", run_id=run_id, at=5.0)
    letter = connection.execute(select(tables.dead_letters)).one()
    assert (letter.attempts, letter.reason, letter.first_seen) == (2, "timeout", 5.0)
    assert scanned(connection, ["c1"]) == {}
    record(connection, visit(run_id="r3"), reading())
    assert connection.execute(select(tables.dead_letters)).all() == []
    mark = connection.execute(select(tables.scanned_conversations)).one()
    assert mark.status == "no_tracking"


def test_a_carriers_report_counts_once_and_respects_delivery(connection: Connection) -> None:
    record(connection, visit(), reading(SURE))

    def tell(event: str, status: str) -> bool:
        return report(
            connection,
            event=event,
            tracking_number="A1",
            status=status,
            happened_at=1.0,
            received_at=2.0,
        )

    assert tell("e1", "delivered")
    assert not tell("e1", "in_transit")
    assert tell("e2", "in_transit")
    assert row(connection)["status"] == "delivered"
    assert tell("e3", "exception")
    assert row(connection)["status"] == "exception"
    assert report(
        connection,
        event="e4",
        tracking_number="unknown",
        status="delivered",
        happened_at=1.0,
        received_at=2.0,
    )
