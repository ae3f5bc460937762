"""A run's figures over time stay few, whatever its length, and lose no item."""

from __future__ import annotations

from decimal import Decimal

import pytest

from fanwise.records import ItemRecord, Usage
from fanwise.service.series import MOST_STRETCHES, Series


def item(number, *, at, state="succeeded", service_s=1.0, attempts=1):
    return ItemRecord(
        item_id=str(number),
        position=number,
        state=state,
        ended_at=at,
        service_s=service_s,
        attempts=attempts,
        usage=Usage(input_tokens=3, output_tokens=4),
        cost_usd=Decimal("0.5"),
        event=number + 1,
    )


@pytest.mark.parametrize("span_s", [1.0, 599.0, 601.0, 86_400.0])
def test_no_item_is_lost_and_there_are_at_most_600_stretches(span_s):
    series = Series(begin_s=100.0)
    for number in range(1000):
        series.ended(item(number, at=100.0 + span_s * number / 1000))
    found = series.as_json()
    assert len(found["at_s"]) <= MOST_STRETCHES
    assert sum(found["items_per_s"]) * found["width_s"] == pytest.approx(1000)
    assert sum(found["tokens_per_s"]) * found["width_s"] == pytest.approx(7000)
    assert found["cost_usd"][-1] == pytest.approx(500.0)
    assert len({len(column) for column in found.values() if isinstance(column, list)}) == 1


def test_failures_retries_and_latencies_fall_where_they_ended():
    series = Series(begin_s=0.0)
    series.ended(item(0, at=0.5, service_s=1.0))
    series.ended(item(1, at=0.6, service_s=9.0, attempts=3))
    series.ended(item(2, at=2.5, state="failed", service_s=2.0))
    found = series.as_json()
    assert found["failed"] == [0, 0, 1]
    assert found["retries"] == [2, 0, 0]
    assert found["p95_s"] == [9.0, None, 2.0]


def test_what_nobody_looked_at_is_unknown():
    series = Series(begin_s=0.0)
    series.ended(item(0, at=0.5))
    assert series.as_json()["in_flight"] == [None]
    assert not series.looked_at
