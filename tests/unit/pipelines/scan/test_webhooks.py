"""Carriers' reports: nothing unsigned is read, and nothing counts twice or in the wrong order."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import fanwise as fw
from fanwise.errors import ConfigError, InvalidFields
from fanwise.pipelines.scan import (
    PIPELINE,
    BadSignature,
    Reported,
    record_event,
    scan,
    sign,
    tables,
)

SECRET = "a secret of sixteen or more"
NOW = 1_772_600_000.0
NUMBER = "1Z999AA10123456784"


def body(event: str = "e1", status: str = "in_transit", **more: Any) -> bytes:
    fields = {"event": event, "tracking_number": NUMBER, "status": status, **more}
    return json.dumps(fields).encode()


async def told(store: fw.Store, report: bytes, **more: Any) -> Reported:
    given = {"carrier": "ups", "secret": SECRET, "now": lambda: NOW, **more}
    given.setdefault("signature", sign(report, secret=SECRET, at=NOW))
    return await record_event(store, report, **given)


def store_in(place: Path) -> fw.Store:
    return fw.Store(fw.open_home(place), "scan", tables.metadata)


async def events(store: fw.Store) -> list[str]:
    return list(await store.read(lambda c: c.scalars(select(tables.tracking_events.c.event)).all()))


async def test_a_report_is_kept_once_however_often_it_comes(tmp_path: Path) -> None:
    async with store_in(tmp_path) as store:
        first = await told(store, body())
        second = await told(store, body(status="delivered"))
        assert (first.new, second.new) == (True, False)
        assert second.status == "in_transit"
        assert await events(store) == ["ups:e1"]
        other = await told(store, body(), carrier="dhl")
        assert other.new


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "v1=00",
        "t=now,v1=00",
        f"t={int(NOW)},v1=" + "0" * 64,
        f"t={int(NOW)},v1=ü",
        sign(body(), secret="another secret of length", at=NOW),
        sign(body("e2"), secret=SECRET, at=NOW),
        sign(body(), secret=SECRET, at=NOW - 301),
        sign(body(), secret=SECRET, at=NOW + 301),
        sign(body(), secret=SECRET, at=NOW - 400).replace(str(int(NOW - 400)), str(int(NOW))),
    ],
)
async def test_a_report_without_the_right_signature_is_not_even_read(
    tmp_path: Path, signature: str
) -> None:
    async with store_in(tmp_path) as store:
        with pytest.raises(BadSignature):
            await told(store, body(), signature=signature)
        with pytest.raises(BadSignature):
            await told(store, b"no json", signature=signature)
        assert await events(store) == []


async def test_one_of_several_signatures_is_enough_while_a_secret_changes(tmp_path: Path) -> None:
    old = sign(body(), secret="the secret before this one", at=NOW)
    new = sign(body(), secret=SECRET, at=NOW).partition(",")[2]
    async with store_in(tmp_path) as store:
        assert (await told(store, body(), signature=f"{old},{new}")).new


async def test_reports_count_in_the_order_in_which_they_happened(tmp_path: Path) -> None:
    async with store_in(tmp_path) as store:
        await told(store, body("e3", "delivered", happened_at=NOW - 10))
        late = await told(store, body("e2", "out_for_delivery", happened_at=NOW - 20))
        assert late.status == "delivered"
        after = await told(store, body("e4", "in_transit", happened_at=NOW - 5))
        assert after.status == "delivered"
        wrong = await told(store, body("e5", "failed_attempt", happened_at=NOW - 1))
        assert wrong.status == "failed_attempt"


async def test_a_report_that_comes_before_its_mail_counts_once_the_shipment_is_found(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    found: list[str] = []
    await scan(
        PIPELINE.sample_path,
        dry_run=True,
        journal=home,
        limit=20,
        on_outcome=lambda outcome: found.extend(
            one.tracking_number for one in outcome.value.reading.shipments
        ),
    )
    async with store_in(home) as store:
        await told(store, body(tracking_number=found[0], status="Out for delivery"))
    await scan(PIPELINE.sample_path, journal=home, limit=20)
    async with store_in(home) as store:
        where = tables.shipments.c.tracking_number == found[0]
        status = select(tables.shipments.c.status).where(where)
        assert await store.read(lambda c: c.scalar(status)) == "out_for_delivery"


async def test_every_wrong_field_of_a_signed_report_is_told(tmp_path: Path) -> None:
    report = json.dumps(
        {
            "event": "",
            "tracking_number": "x",
            "status": "lost",
            "happened_at": "2031-01-01",
            "detail": 3,
            "weight": 1,
        }
    ).encode()
    async with store_in(tmp_path) as store:
        with pytest.raises(InvalidFields) as wrong:
            await told(store, report)
    assert set(wrong.value.fields) == {
        "event", "tracking_number", "status", "happened_at", "detail", "weight",
    }  # fmt: skip
    for nothing in (b"[]", b"{", b"\xff", b"null", b"[" * 100_000):
        async with store_in(tmp_path) as store:
            with pytest.raises(InvalidFields):
                await told(store, nothing)


async def test_a_weak_secret_or_a_strange_carrier_is_refused(tmp_path: Path) -> None:
    async with store_in(tmp_path) as store:
        with pytest.raises(ConfigError, match="characters"):
            await told(store, body(), secret="short")
        with pytest.raises(ConfigError, match="no name of a carrier"):
            await told(store, body(), carrier="../ups")
