"""Modes of a map in virtual time: choice, fallback and its triggers, guardrails, reports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import fanwise as fw
from fanwise.engine.modes import succession
from fanwise.engine.modes.report import ModeReport
from fanwise.errors import ConfigError
from fanwise.testing.virtual import run_virtual
from support.modes import Work, mapped

ENV: dict[str, str] = {}


@pytest.mark.parametrize(
    ("count", "mode"), [(1, "sequential"), (2, "batch"), (3, "parallel"), (50, "parallel")]
)
@pytest.mark.parametrize("sized", [True, False])
def test_auto_goes_by_count_even_where_the_source_does_not_know_it(
    count: int, mode: str, sized: bool
) -> None:
    async def unsized() -> AsyncIterator[int]:
        for n in range(count):
            yield n

    work = Work()
    source = list(range(count)) if sized else unsized()
    report, outcomes = mapped(work, source, mode="auto", pack=fw.types.Pack(work.many))
    assert report.processing_mode_used == mode
    assert report.answers == {mode: count}
    assert len(outcomes) == count
    assert bool(work.packs) == (mode == "batch")


def test_sequential_is_one_after_another_in_the_order_of_the_source() -> None:
    work = Work()
    report, _ = mapped(work, range(20), mode="sequential")
    assert work.singles == list(range(20))
    assert work.peak == report.peak_at_once == 1
    assert report.wall_s == pytest.approx(20.0)
    assert report.gain == pytest.approx(1.0)


def test_packs_go_side_by_side_and_are_full() -> None:
    work = Work()
    pack = fw.types.Pack(work.many, size=10)
    report, outcomes = mapped(
        work, range(45), mode="batch", pack=pack, limits=fw.Limits(concurrency=3), ordered=True
    )
    assert [len(items) for items in work.packs] == [10, 10, 10, 10, 5]
    assert [outcome.value for outcome in outcomes] == list(range(45))
    assert report.wall_s == pytest.approx(4.0)
    assert report.packs.requests == 5


def all_fail(**options: Any) -> tuple[ModeReport, Work]:
    work = Work(alone=lambda item: False)
    report, outcomes = mapped(
        work, range(6), mode="parallel", pack=fw.types.Pack(work.many), **options
    )
    assert len(outcomes) == 6
    return report, work


def test_where_all_failed_the_next_mode_runs_them_again() -> None:
    report, work = all_fail()
    assert report.processing_mode_used == "batch_fallback"
    assert report.fallback_reason == "parallel to batch: all 6 failed in parallel mode"
    assert report.answers == {"batch_fallback": 6}
    assert report.reruns == 6
    assert work.packs == [list(range(6))]


def most_fail(count: int = 60, **policy: Any) -> tuple[ModeReport, Work]:
    work = Work(alone=lambda item: item % 5 == 0)
    report, _ = mapped(
        work,
        range(count),
        mode="parallel",
        pack=fw.types.Pack(work.many),
        fallback=fw.types.Fallback(**policy) if policy else None,
        limits=fw.Limits(concurrency=5),
    )
    return report, work


def test_a_large_share_of_failures_turns_to_the_next_mode_in_midway() -> None:
    report, work = most_fail()
    good = sum(item % 5 == 0 for item in work.singles)
    assert len(work.singles) < 15, "ten, and what was under way by then"
    assert report.answers == {"parallel": good, "batch_fallback": 60 - good}
    assert "8 of 10 failed in parallel mode, more than 50%" in report.fallback_reason
    assert report.reruns == len(work.singles) - good
    assert not {0, 5} & {item for pack in work.packs for item in pack}, "only what failed"


def test_the_share_and_its_minimum_are_configurable() -> None:
    assert "batch_fallback" not in most_fail(failure_share=0.95)[0].answers
    late, _ = most_fail(min_items=50)
    assert "40 of 50 failed" in late.fallback_reason
    assert most_fail(count=4)[0].answers == {"parallel": 1, "batch_fallback": 3}


def behind(**policy: Any) -> ModeReport:
    work = Work()
    report, _ = mapped(
        work,
        range(100),
        mode="parallel",
        pack=fw.types.Pack(work.many, size=20),
        fallback=fw.types.Fallback(**policy),
        limits=fw.Limits(concurrency=2),
    )
    return report


def test_a_deadline_that_cannot_be_met_turns_to_packs() -> None:
    report = behind(deadline_s=30)
    assert report.processing_mode_used == "batch_fallback"
    assert "and the deadline is" in report.fallback_reason
    assert report.wall_s < 30
    assert behind(deadline_s=60).answers == {"parallel": 100}


def test_the_chain_ends_one_after_another_and_failures_there_are_final() -> None:
    work = Work(alone=lambda item: item % 2 == 0 and work.at_once == 0, packed=False)
    work.alone = lambda item: bool(work.packs) and item % 2 == 0
    report, outcomes = mapped(
        work, range(6), mode="parallel", pack=fw.types.Pack(work.many, size=6)
    )
    assert report.processing_mode_used == "sequential_fallback"
    assert report.answers == {"sequential_fallback": 3}
    assert report.failures == {"sequential_fallback": 3}
    assert report.reruns == 12
    assert report.fallback_reason.count(" to ") == 2
    assert len(outcomes) == 6
    assert sorted(work.singles) == sorted([*range(6), *range(6)])


def test_nothing_is_run_again_unless_a_mode_is_asked_for() -> None:
    work = Work(alone=lambda item: False)

    async def main() -> None:
        the_map = fw.map(work.one, range(5))
        outcomes = await the_map.collect()
        assert not any(outcome.ok for outcome in outcomes)
        assert the_map.mode_report() is None
        assert (the_map.processing_mode_used, the_map.fallback_reason) == ("parallel", "")

    run_virtual(main())
    assert len(work.singles) == 5
    report, _ = mapped(work, range(5), mode="parallel", fallback="never")
    assert report.failures == {"parallel": 5}
    assert len(work.singles) == 10


def test_misuse_is_not_run_again() -> None:
    async def misused(item: int) -> int:
        raise ConfigError("no such model")

    async def main() -> None:
        the_map = fw.map(misused, range(12), mode="parallel")
        outcomes = await the_map.collect()
        assert {outcome.attempts for outcome in outcomes} == {1}
        assert the_map.fallback_reason == ""

    run_virtual(main())


def test_an_early_failure_of_a_long_source_does_not_wait_for_its_end() -> None:
    async def endless() -> AsyncIterator[int]:
        n = 0
        while True:
            yield n
            n += 1

    work = Work(alone=lambda item: item != 0, one_s=0.1)

    async def main() -> None:
        policy = fw.types.Fallback(window=50)
        async with fw.map(work.one, endless(), mode="parallel", fallback=policy) as outcomes:
            async for outcome in outcomes:
                if not outcome.ok:
                    break
        assert len(work.singles) < 400

    run_virtual(main())


def test_auto_predicts_once_times_are_known() -> None:
    work = Work(one_s=3.0, pack_s=0.5)
    times = fw.types.ModeTimes()
    pack = fw.types.Pack(work.many, size=20)
    limits = fw.Limits(concurrency=2)
    options = {"mode": "auto", "pack": pack, "times": times, "limits": limits}
    assert mapped(work, range(4), **options)[0].reason == "4 items"
    mapped(work, range(2), **options)
    report, _ = mapped(work, range(40), **options)
    assert report.processing_mode_used == "batch"
    assert "predicted for 40 items: parallel 60 s" in report.reason


# guardrails


def guarded(
    guard: fw.Guardrails, *, count: int = 300, fails: Callable[[int], bool] = lambda n: False
) -> tuple[ModeReport, Work]:
    work = Work(alone=lambda item: not fails(item), one_s=0.5)
    report, outcomes = mapped(
        work, range(count), guardrails=guard, limits=fw.Limits(concurrency=10)
    )
    assert len(outcomes) == count
    return report, work


def test_guardrails_make_new_work_go_one_after_another_until_it_is_calm() -> None:
    events: list[fw.types.GuardrailEvent] = []
    guard = fw.Guardrails(min_samples=20, window_s=10, env=ENV, on_event=events.append)
    report, work = guarded(guard, fails=lambda n: 20 <= n < 40)
    assert [event.kind for event in events] == ["tripped", "recovered"]
    assert events[0].reason.startswith("failures")
    assert events[1].at_s - events[0].at_s >= 10
    assert report.degraded == (events[0].reason,)
    assert report.answers["sequential_fallback"] >= 20
    assert report.answers["parallel"] > 100, "it recovered"
    assert work.peak == 10
    assert "degraded: failures" in str(report)


def test_a_flag_or_a_rollout_forces_one_after_another() -> None:
    off = fw.Guardrails(env={"FANWISE_PARALLEL": "false"})
    report, work = guarded(off, count=10)
    assert work.peak == 1
    assert report.answers == {"sequential": 10}
    assert report.reason == "FANWISE_PARALLEL is off"
    nobody = fw.Guardrails(rollout_percent=0, env=ENV)
    assert guarded(nobody.of(user="u"), count=10)[1].peak == 1  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="cannot tell whose work"):
        guarded(nobody)


def test_refused_requests_count_for_guardrails() -> None:
    guard = fw.Guardrails(min_samples=10, window_s=1000, env=ENV)
    refused = set(range(0, 40, 4))

    async def work(item: int) -> int:
        await asyncio.sleep(0.5)
        if item in refused:
            refused.discard(item)
            raise fw.errors.RateLimited("slow down")
        return item

    async def main() -> None:
        options: dict[str, Any] = {"retry": fw.Retry(), "guardrails": guard}
        outcomes = await fw.map(work, range(60), **options).collect()
        assert all(outcome.ok for outcome in outcomes)

    run_virtual(main())
    assert guard.degraded.startswith("rate-limited")


# each trigger removed


def _lost(name: str, scenario: Callable[[], Any]) -> Callable[[pytest.MonkeyPatch], Any]:
    def lost(monkeypatch: pytest.MonkeyPatch) -> Any:
        nothing: Any = "" if name == "failing" else None
        monkeypatch.setattr(succession, name, lambda *_: nothing)
        return scenario()

    return lost


@pytest.mark.parametrize(
    "scenario",
    [
        _lost("failing", lambda: all_fail()[0]),
        _lost("failing", lambda: most_fail()[0]),
        _lost("too_slow", lambda: behind(deadline_s=30)),
    ],
)
def test_without_its_trigger_no_scenario_falls_back(
    scenario: Callable[[pytest.MonkeyPatch], ModeReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = scenario(monkeypatch)
    assert report.fallback_reason == ""
    assert report.reruns == 0
