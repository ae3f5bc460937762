"""Which mode is taken: by count, by predicted time, and what is measured for that."""

from __future__ import annotations

import math

import pytest

from fanwise.engine.modes.choice import Measured, ModeTimes, choose, predicted_s

UNKNOWN = Measured()


@pytest.mark.parametrize(
    ("count", "pack_size", "mode", "reason"),
    [
        (0, 5, "sequential", "no items"),
        (1, 5, "sequential", "1 item"),
        (2, 5, "batch", "2 items"),
        (2, None, "parallel", "no pack"),
        (3, 5, "parallel", "3 items"),
        (None, 5, "parallel", "3 items or more"),
    ],
)
def test_without_measurements_the_count_decides(
    count: int | None, pack_size: int | None, mode: str, reason: str
) -> None:
    choice = choose(count=count, concurrency=5, pack_size=pack_size, measured=UNKNOWN)
    assert choice.mode == mode
    assert reason in choice.reason


def test_predictions_are_waves_and_overhead() -> None:
    measured = Measured(latency_s=2.0, overhead_s=0.1, pack_base_s=1.0, pack_item_s=0.5)
    times = predicted_s(count=10, concurrency=4, pack_size=5, measured=measured)
    assert times["parallel"] == pytest.approx(3 * 2.0 + 10 * 0.1)
    assert times["sequential"] == pytest.approx(10 * 2.1)
    assert times["batch"] == pytest.approx(1.0 + 5 * 0.5 + 2 * 0.1)
    unlimited = predicted_s(count=10, concurrency=math.inf, pack_size=None, measured=measured)
    assert unlimited["parallel"] == pytest.approx(3.0)
    assert "batch" not in unlimited


def test_measured_times_beat_the_count() -> None:
    slow_alone = Measured(latency_s=4.0, overhead_s=0.0, pack_base_s=1.0, pack_item_s=0.1)
    choice = choose(count=40, concurrency=2, pack_size=20, measured=slow_alone)
    assert choice.mode == "batch"
    assert "predicted for 40 items" in choice.reason
    slow_packs = Measured(latency_s=1.0, overhead_s=0.0, pack_base_s=9.0, pack_item_s=1.0)
    assert choose(count=2, concurrency=2, pack_size=20, measured=slow_packs).mode == "parallel"


def test_a_pack_that_was_never_measured_leaves_the_choice_to_the_count() -> None:
    calls_only = Measured(latency_s=1.0, overhead_s=0.0)
    assert choose(count=2, concurrency=2, pack_size=20, measured=calls_only).mode == "batch"


def test_a_pack_s_latency_is_fitted_as_a_base_and_a_part_an_item() -> None:
    times = ModeTimes()
    for items in (1, 4, 10, 20):
        times.pack(items, 0.5 + 0.2 * items)
    measured = times.measured()
    assert measured.pack_base_s == pytest.approx(0.5)
    assert measured.pack_item_s == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("points", "base_s", "item_s"),
    [
        ([(10, 5.0), (10, 7.0)], 0.0, 0.6),
        ([(2, 8.0), (10, 4.0)], 6.0, 0.0),
        ([(2, 1.0), (4, 4.0)], 0.0, 0.9),
    ],
)
def test_neither_part_is_ever_negative(
    points: list[tuple[int, float]], base_s: float, item_s: float
) -> None:
    times = ModeTimes()
    for items, seconds in points:
        times.pack(items, seconds)
    measured = times.measured()
    assert measured.pack_base_s == pytest.approx(base_s)
    assert measured.pack_item_s == pytest.approx(item_s)


def test_overhead_is_what_the_waves_do_not_explain() -> None:
    times = ModeTimes()
    assert times.measured() == UNKNOWN
    for _ in range(10):
        times.call(1.0)
    times.stretch(calls=10, wall_s=6.0, service_s=10.0, at_once=2)
    assert times.measured().overhead_s == pytest.approx(0.1)
    assert times.measured().latency_s == pytest.approx(1.0)
    assert repr(times) == "<ModeTimes of 10 calls and 0 packs>"
