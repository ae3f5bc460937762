"""Random functions that fail, over all modes: one final outcome an item, and true reports."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

import fanwise as fw
from fanwise.engine.modes import driver as driving
from fanwise.engine.modes import packs as packing
from fanwise.engine.modes.choice import ModeTimes
from fanwise.engine.modes.entries import Entry, Way
from fanwise.engine.modes.report import ModeReport
from fanwise.errors import ConfigError
from fanwise.testing.virtual import run_virtual

SEEDS = 1200
ORDER = ("parallel", "batch", "sequential", "batch_fallback", "sequential_fallback")


@dataclass
class Call:
    """A call as it was really made."""

    ids: tuple[str, ...]
    packed: bool
    began: float
    ended: float = float("inf")
    good: frozenset[str] = frozenset()
    overlapped: bool = False


@dataclass
class World:
    """A function and a pack that fail by chance, and a record of what was called."""

    chance: random.Random
    share: float
    calls: list[Call] = field(default_factory=list)
    under_way: list[Call] = field(default_factory=list)
    final: set[str] = field(default_factory=set)

    def begin(self, ids: tuple[str, ...], *, packed: bool) -> Call:
        assert not self.final & set(ids), "called again after its outcome was shown"
        call = Call(ids, packed, asyncio.get_running_loop().time())
        call.overlapped = bool(self.under_way)
        for other in self.under_way:
            other.overlapped = True
        self.under_way.append(call)
        self.calls.append(call)
        return call

    def end(self, call: Call, good: Mapping[str, Any]) -> None:
        self.under_way.remove(call)
        call.ended = asyncio.get_running_loop().time()
        call.good = frozenset(good)

    async def one(self, item: Any) -> Any:
        call = self.begin((str(item["id"]),), packed=False)
        good: dict[str, Any] = {}
        try:
            await asyncio.sleep(self.chance.choice([0, 0.5, 1.0, 3.0]))
            if self.chance.random() < self.share:
                raise self.chance.choice([ValueError, ConfigError, RuntimeError])("by chance")
            good[str(item["id"])] = True
            return item["id"]
        finally:
            self.end(call, good)

    async def many(self, items: Mapping[str, Any]) -> Mapping[str, Any]:
        call = self.begin(tuple(items), packed=True)
        good: dict[str, Any] = {}
        try:
            await asyncio.sleep(self.chance.choice([0, 1.0, 2.0]))
            if self.chance.random() < self.share:
                raise ValueError("the pack failed by chance")
            answer: dict[str, Any] = {}
            for key, item in items.items():
                luck = self.chance.random()
                if luck < 0.1:
                    continue
                if luck < 0.2:
                    answer[key] = ValueError("this one failed")
                    continue
                answer[key] = good[key] = item["id"]
            if self.chance.random() < 0.2:
                answer["surplus"] = "nobody asked"
            return answer
        finally:
            self.end(call, good)


async def slowly(items: list[Any], chance: random.Random) -> AsyncIterator[Any]:
    for item in items:
        if chance.random() < 0.3:
            await asyncio.sleep(chance.choice([0.1, 1.0]))
        yield item


def options(chance: random.Random) -> dict[str, Any]:
    mode = chance.choice([None, "auto", "parallel", "batch", "sequential"])
    packed = mode == "batch" or chance.random() < 0.5
    policy = fw.types.Fallback(
        failure_share=chance.choice([0.0, 0.3, 0.5, 0.9]),
        min_items=chance.choice([1, 3, 10]),
        window=chance.choice([10, 20, 1000]),
        deadline_s=chance.choice([float("inf"), 2.0, 10.0]),
    )
    return {
        "mode": mode,
        "fallback": chance.choice(["never", None, policy]),
        "packed": packed,
        "size": chance.choice([2, 3, 7]),
        "guarded": chance.random() < 0.3,
        "ordered": chance.random() < 0.4,
        "key": (lambda item: -int(item["id"])) if chance.random() < 0.3 else None,
        "window": chance.choice([1, 5, 1000]),
        "limits": fw.Limits(concurrency=chance.choice([1, 2, 5, 20])),
        "retry": fw.Retry(max_attempts=1),
    }


async def play(
    seed: int, *, leave: int | None = None
) -> tuple[World, ModeReport | None, list[Any]]:
    chance = random.Random(seed)
    world = World(chance, share=chance.choice([0.0, 0.1, 0.5, 0.9, 1.0]))
    items = [{"id": n} for n in range(chance.choice([0, 1, 2, 3, 5, 17, 60]))]
    given = options(chance)
    if given.pop("guarded"):
        given["guardrails"] = fw.Guardrails(window_s=5, min_samples=chance.choice([3, 10]), env={})
    if given.pop("packed"):
        given["pack"] = fw.types.Pack(world.many, size=given["size"])
    given.pop("size")
    source: Any = items if chance.random() < 0.5 else slowly(items, chance)
    outcomes: list[Any] = []
    the_map = fw.map(world.one, source, times=ModeTimes(), chance=chance, **given)
    async with the_map as shown:
        async for outcome in shown:
            world.final.add(outcome.item_id)
            outcomes.append(outcome)
            if leave is not None and len(outcomes) >= leave:
                break
    assert len(asyncio.all_tasks()) == 1, "a task outlived the map"
    if leave is None:
        found = [outcome.item_id for outcome in outcomes]
        assert Counter(found) == Counter(str(item["id"]) for item in items)
        if given["ordered"]:
            assert found == [str(item["id"]) for item in items]
    return world, the_map.mode_report(), outcomes


def check(world: World, report: ModeReport | None, outcomes: list[Any]) -> None:
    """What the report says of modes, against what was called."""
    last = {key: call for call in world.calls for key in call.ids}
    for outcome in outcomes:
        assert outcome.ok == (outcome.item_id in last[outcome.item_id].good)
        tries = [call for call in world.calls if outcome.item_id in call.ids]
        assert not any(outcome.item_id in call.good for call in tries[:-1]), "run again for nothing"
        assert outcome.attempts == len(tries)
    if report is None:
        assert not any(call.packed for call in world.calls)
        return
    for counts, ok in ((report.answers, True), (report.failures, False)):
        ended = [last[o.item_id] for o in outcomes if o.ok == ok]
        assert sum(counts.values()) == len(ended)
        packed = sum(counts.get(mode, 0) for mode in ORDER if mode.startswith("batch"))
        assert packed == sum(call.packed for call in ended)
        assert sum(call.overlapped for call in ended if not call.packed) <= counts.get(
            "parallel", 0
        ), "something went on beside an item of sequential mode"
    counted = report.answers or report.failures
    if counted:
        assert report.processing_mode_used == max(ORDER, key=lambda mode: counted.get(mode, 0))
    fell = any(mode.endswith("fallback") for mode in {**report.answers, **report.failures})
    assert not fell or report.fallback_reason or report.degraded
    assert not report.reruns or report.fallback_reason
    packs = [call for call in world.calls if call.packed]
    assert report.packs.requests == len(packs)
    assert report.packs.items == sum(len(call.ids) for call in packs)
    assert report.packs.singles == sum(len(call.ids) == 1 for call in packs)


def fuzz(seeds: range) -> None:
    for seed in seeds:
        try:
            check(*run_virtual(play(seed)))
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.parametrize("part", range(4))
def test_every_item_has_one_final_outcome_and_the_report_is_true(part: int) -> None:
    fuzz(range(part * SEEDS // 4, (part + 1) * SEEDS // 4))


def test_the_same_seed_gives_the_same_trace() -> None:
    for seed in range(60):
        first, second = run_virtual(play(seed)), run_virtual(play(seed))
        assert first[0].calls == second[0].calls
        assert first[1] == second[1]


def test_leaving_early_ends_everything() -> None:
    for seed in range(300):
        world, report, outcomes = run_virtual(play(seed, leave=seed % 7 + 1))
        assert not world.under_way
        if report is not None:
            assert sum((*report.answers.values(), *report.failures.values())) >= len(outcomes)


def test_a_map_that_is_cancelled_from_outside_leaves_nothing() -> None:
    async def cancelled(seed: int) -> None:
        task = asyncio.ensure_future(play(seed))
        await asyncio.sleep(random.Random(seed).choice([0, 0.5, 1.0, 2.5]))
        task.cancel()
        await asyncio.wait([task])
        assert len(asyncio.all_tasks()) == 1

    for seed in range(300):
        run_virtual(cancelled(seed))


def _not_exclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    def advance(self: Any) -> None:
        self._current = self._wanted()  # without waiting for what is under way
        while self._queue and self._current.mode != "batch":
            self._running += self._queue.pop().tell(driving.Start(self._current))
        original(self)

    original = driving.Driver._advance
    monkeypatch.setattr(driving.Driver, "_advance", advance)


def _rerun_all(monkeypatch: pytest.MonkeyPatch) -> None:
    original = driving.Driver._ended

    def ended(self: Any, start: Any, entry: Any, outcome: Any) -> None:
        original(self, start, entry, outcome)
        if outcome.ok and start.way.mode == "parallel" and entry.waker is None:
            entry.waker = asyncio.get_running_loop().create_future()
            self._queue.push(entry)
            self._look()

    monkeypatch.setattr(driving.Driver, "_ended", ended)


def _wrong_label(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "used", lambda mode, fallback: "sequential")


def _missing_unnoticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def missing(self: Any, entry: Any, reply: Any, size: int) -> Any:
        return packing._share(reply, entry, size)

    monkeypatch.setattr(packing.Packer, "_missing", missing)


def _held_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    tell = Entry.tell
    monkeypatch.setattr(Entry, "tell", lambda self, start: start is not None and tell(self, start))


def _shared_way(monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = Way("parallel")
    monkeypatch.setattr(driving.Driver, "_wanted", lambda self: fixed)


@pytest.mark.parametrize(
    "sabotage",
    [_not_exclusive, _rerun_all, _wrong_label, _missing_unnoticed, _held_for_ever, _shared_way],
)
def test_the_fuzz_notices_a_safeguard_that_is_gone(
    sabotage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotage(monkeypatch)
    with pytest.raises((AssertionError, RuntimeError)):
        fuzz(range(200))
