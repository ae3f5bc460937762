from __future__ import annotations

import json
import math
import random
import tracemalloc
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.progress.chains import LongestChain, Union
from fanwise.progress.report import build_report, service_s, summary_json
from fanwise.progress.sketch import Sketch
from fanwise.progress.timeline import BARS, TICKS, Axis
from fanwise.records import (
    Attempt,
    CallKey,
    CallRecord,
    Counters,
    ErrorInfo,
    ItemRecord,
    RunRecord,
    RunSpec,
    SessionRecord,
    Usage,
)

RUN = RunRecord(
    run_id="20261122-042145-scan-k3f9x2",
    spec=RunSpec(name="scan"),
    status="finished",
    created_at=1000.0,
    updated_at=1010.0,
)


def session(start=1000.0, end=1010.0, *, number=1, closed=True, **account):
    return SessionRecord(number=number, started_at=start, ended_at=end, closed=closed, **account)


def attempt(start, end, *, verdict="served", number=1, queued_s=0.0, cause="nothing", status=None):
    return Attempt(
        number=number,
        verdict=verdict,
        queued_s=queued_s,
        started_at=start,
        ended_at=end,
        cause=cause,
        status=status,
    )


def call(item_id, *attempts, model="sim/default", state="served", **more):
    first = attempts[0].started_at if attempts else 1000.0
    return CallRecord(
        key=CallKey(item_id, "0" * 32),
        state=state,
        model=model,
        attempts=attempts,
        started_at=first,
        ended_at=attempts[-1].ended_at if attempts else first,
        **more,
    )


def report_of(calls=(), items=(), *, sessions=None, counters=None, **more):
    return build_report(
        RUN,
        counters or Counters(),
        sessions=[session()] if sessions is None else sessions,
        calls=iter(calls),
        items=iter(items),
        **more,
    )


def test_the_gain_over_one_call_after_another():
    report = report_of(
        [call(f"i{n}", attempt(1000.0 + n % 4, 1004.0 + n % 4)) for n in range(10)],
        sessions=[session(in_flight_s=40.0, limit_s=100.0)],
    )
    assert report.wall_s == pytest.approx(10.0)
    assert report.sequential_s == pytest.approx(40.0)
    assert report.savings_s == pytest.approx(30.0)
    assert report.speedup == pytest.approx(4.0)
    assert report.efficiency == pytest.approx(0.75)
    assert report.utilisation == pytest.approx(0.4)
    assert report.critical_path_s == pytest.approx(4.0)


def test_only_served_attempts_are_service():
    record = call(
        "i",
        attempt(1000.0, 1001.0, verdict="rate", status=429),
        attempt(1002.0, 1005.0, verdict="infrastructure", number=2, queued_s=1.0),
        attempt(1006.0, 1008.0, number=3),
    )
    assert service_s(record) == pytest.approx(2.0)
    report = report_of([record])
    assert report.sequential_s == pytest.approx(2.0)
    assert (report.refusals, report.retries) == (1, 2)


def test_wall_time_is_that_of_the_sessions_without_the_pauses():
    report = report_of(
        [call("i", attempt(1000.0, 1003.0)), call("j", attempt(5001.0, 5002.0))],
        sessions=[session(1000.0, 1004.0, closed=False), session(5000.0, 5006.0, number=2)],
    )
    assert report.wall_s == pytest.approx(10.0)
    assert report.kills == 1
    assert report.seams == [4.0]
    assert [bar.begin_s for bar in report.bars] == pytest.approx([0.0, 5.0])


def test_a_session_that_goes_on_is_not_cut_short():
    sessions = [session(closed=False), session(2000.0, 2001.0, number=2, closed=False)]
    dead = report_of(sessions=sessions)
    alive = replace(dead, run=replace(RUN, live=True))
    assert (dead.kills, alive.kills) == (2, 1)


def test_a_busy_machine_is_said_to_flatter_the_speedup():
    busy = report_of(sessions=[session(limited_by={"cpu": 1.0, "nothing": 8.0})])
    idle = report_of(sessions=[session(limited_by={"cpu": 0.5, "nothing": 8.0})])
    assert busy.machine_bound
    assert not idle.machine_bound


def test_a_run_without_time_or_service_has_no_ratios():
    report = report_of(sessions=[])
    assert report.speedup is None
    assert report.efficiency is None
    assert report.utilisation is None
    assert report.timeline == ()
    assert report.limited_by == {"nothing": 1.0}


def test_waits_can_outweigh_the_gain_and_the_report_says_so():
    report = report_of([call("i", attempt(1000.0, 1002.0))])
    assert report.savings_s == pytest.approx(-8.0)
    assert report.efficiency == pytest.approx(-4.0)


def test_the_causes_of_all_sessions_add_to_one():
    report = report_of(
        sessions=[
            session(limited_by={"rate": 3.0, "nothing": 1.0}),
            session(2000.0, 2006.0, number=2, limited_by={"rate": 1.5, "cpu": 0.3}),
        ]
    )
    assert abs(math.fsum(report.limited_by.values()) - 1.0) < 1e-9
    assert next(iter(report.limited_by)) == "rate"
    assert report.limited_by["rate"] == pytest.approx(4.5 / 5.8)


def test_figures_by_model():
    calls = [
        call(
            f"a{n}",
            attempt(1000.0, 1000.0 + n / 100),
            model="sim/a",
            usage=Usage(input_tokens=10, output_tokens=2),
            cost_usd=Decimal("0.01"),
        )
        for n in range(1, 101)
    ]
    calls.append(
        call(
            "b1",
            attempt(1000.0, 1001.0, verdict="capacity"),
            model="sim/b",
            state="failed",
        )
    )
    calls.append(call("b2", model="sim/b", cached=True))
    a, b = report_of(calls).models
    assert (a.model, a.calls, a.served, a.failed) == ("sim/a", 100, 100, 0)
    assert a.p50_s == pytest.approx(0.50, rel=0.01)
    assert a.p95_s == pytest.approx(0.95, rel=0.01)
    assert a.p99_s == pytest.approx(0.99, rel=0.01)
    assert (a.input_tokens, a.output_tokens, a.cost_usd) == (1000, 200, Decimal("1.00"))
    assert (b.calls, b.cached, b.failed, b.refusals) == (2, 1, 1, 1)
    assert b.p50_s is None
    assert b.cost_usd is None


def test_every_ambiguous_call_is_listed():
    calls = [
        call("was resent", attempt(1000.0, 1001.0), resends=2),
        call("is held", state="ambiguous"),
        call("is plain", attempt(1000.0, 1001.0)),
    ]
    report = report_of(calls)
    assert [(c.item_id, c.resends, c.state) for c in report.ambiguous] == [
        ("was resent", 2, "served"),
        ("is held", 0, "ambiguous"),
    ]
    assert report.ambiguous_count == 2


def failed(item_id, message, *, kind="timeout", status=None):
    error = ErrorInfo(kind=kind, message=message, status=status, hint="Try later")
    return ItemRecord(item_id=item_id, position=0, state="failed", error=error)


def test_errors_are_grouped_whatever_figures_they_name():
    items = [failed(f"i{n}", f"no answer after {n}.5 s") for n in range(9)]
    items.append(failed("x", "wrong key", kind="rejected", status=401))
    items.append(ItemRecord(item_id="fine", position=1, state="succeeded"))
    first, second = report_of(items=items).errors
    assert (first.kind, first.count, first.message) == ("timeout", 9, "no answer after 0.5 s")
    assert first.item_ids == ("i0", "i1", "i2", "i3", "i4")
    assert (second.kind, second.status, second.item_ids) == ("rejected", 401, ("x",))


def test_error_groups_are_bounded():
    words = [f"message {'x' * (n + 1)}" for n in range(250)]
    groups = report_of(items=[failed(str(n), word) for n, word in enumerate(words)]).errors
    assert len(groups) == 101
    assert sum(group.count for group in groups) == 250
    assert groups[0].kind == "other"
    assert groups[0].count == 150


def test_the_summary_has_the_agreed_keys_and_is_json():
    calls = [call("i", attempt(1000.0, 1004.0), cost_usd=Decimal("0.25"))]
    counters = Counters(
        succeeded=3, failed=1, cached=1, calls=4, attempts=5, cost_usd=Decimal("0.25")
    )
    report = report_of(calls, [failed("f", "late")], counters=counters, items_total=7)
    summary = summary_json(report, "out.jsonl")
    agreed = [
        "run_id",
        "status",
        "items",
        "calls",
        "attempts",
        "rate_limited",
        "tokens",
        "cost_usd",
        "wall_s",
        "sequential_s",
        "savings_s",
        "speedup",
        "efficiency",
        "utilisation",
        "critical_path_s",
        "limited_by",
        "output_file",
    ]
    assert set(agreed) <= set(summary)
    assert (
        summary["items"].items()
        >= {
            "total": 7,
            "succeeded": 3,
            "failed": 1,
            "cached": 1,
        }.items()
    )
    assert summary["cost_usd"] == 0.25
    assert summary["limited_by"] == [{"cause": "nothing", "share": 1.0}]
    assert summary["output_file"] == "out.jsonl"
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_a_summary_with_an_unknown_price_says_null():
    summary = summary_json(report_of(counters=Counters(unpriced_calls=1, cost_usd=Decimal(3))))
    assert summary["cost_usd"] is None
    assert summary["output_file"] is None


def test_items_in_all_are_those_that_ended_where_no_total_is_known():
    report = report_of(counters=Counters(succeeded=2, failed=1, cancelled=4))
    assert report.items_total == 7


def test_parallelism_over_time_has_the_area_of_the_attempts():
    chance = random.Random(3)
    calls = []
    for n in range(500):
        start = 1000.0 + chance.random() * 9.0
        calls.append(call(f"i{n}", attempt(start, start + chance.random())))
    report = report_of(calls)
    step_s = report.wall_s / TICKS
    assert len(report.timeline) == TICKS
    area = math.fsum(tick.in_flight * step_s for tick in report.timeline)
    assert area == pytest.approx(report.sequential_s, rel=1e-6)
    assert sum(tick.served for tick in report.timeline) == 500
    assert all(tick.in_flight > -1e-9 for tick in report.timeline)


def test_the_waterfall_shows_waits_backoff_and_every_attempt():
    record = call(
        "i",
        attempt(1002.0, 1003.0, verdict="rate", queued_s=2.0, cause="rate", status=429),
        attempt(1006.0, 1007.0, number=2, queued_s=3.0, cause="retry wait"),
    )
    (bar,) = report_of([record]).bars
    assert [(s.kind, s.begin_s, s.end_s) for s in bar.segments] == [
        ("limit wait", 0.0, 2.0),
        ("refused", 2.0, 3.0),
        ("backoff", 3.0, 6.0),
        ("served", 6.0, 7.0),
    ]
    assert (bar.begin_s, bar.end_s) == (0.0, 7.0)


def test_a_large_run_is_sampled_evenly_and_in_bounded_memory():
    def calls():
        for n in range(60_000):
            start = 1000.0 + n / 6000
            yield call(f"i{n}", attempt(start, start + 0.01), value="x" * 2000)

    tracemalloc.start()
    report = report_of(calls())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.calls_sent == 60_000
    assert len(report.bars) == BARS
    assert peak < 25_000_000
    halves = sum(1 for bar in report.bars if bar.begin_s < 5.0)
    assert 800 < halves < 1200


def test_calls_that_were_never_sent_have_no_bar():
    report = report_of([call("i", cached=True)])
    assert report.bars == []
    assert report.calls_sent == 0


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=80))
def test_a_union_of_intervals_covers_each_second_once(pairs):
    union = Union()
    seconds = set()
    for begin, length in pairs:
        union.add(float(begin), float(begin + length))
        seconds.update(range(begin, begin + length))
    assert union.length_s == pytest.approx(len(seconds))


def test_the_longest_chain_counts_parallel_calls_of_an_item_once():
    chain = LongestChain()
    chain.add("a", [(0.0, 4.0)])
    chain.add("b", [(0.0, 5.0)])
    chain.add("a", [(1.0, 3.0), (6.0, 8.0)])
    assert chain.longest_s == pytest.approx(6.0)


def test_the_longest_chain_holds_a_bounded_number_of_items():
    chain = LongestChain()
    for n in range(12_000):
        chain.add(str(n), [(float(n), n + 1.0)])
    assert len(chain._open) == 10_000
    assert chain.longest_s == pytest.approx(1.0)


@given(st.lists(st.floats(1e-5, 1e5), min_size=1, max_size=300), st.floats(0.01, 1.0))
def test_a_quantile_is_within_one_percent(values, q):
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    exact = sorted(values)[max(1, math.ceil(q * len(values))) - 1]
    assert sketch.quantile(q) == pytest.approx(exact, rel=0.0101)


def test_a_sketch_is_bounded_whatever_comes():
    sketch = Sketch()
    for value in (0.0, -1.0, 1e-12, 1e300):
        sketch.add(value)
    for n in range(20_000):
        sketch.add(1e-6 * 1.002**n if n < 13_000 else n)
    assert len(sketch._counts) <= 1397
    assert Sketch().quantile(0.5) is None


def test_an_instant_in_a_pause_counts_as_its_beginning():
    axis = Axis([session(100.0, 110.0), session(200.0, 205.0, number=2)])
    assert [axis.at(t) for t in (50.0, 104.0, 150.0, 201.0, 300.0)] == [0.0, 4.0, 10.0, 11.0, 15.0]
