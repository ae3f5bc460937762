"""Random graphs whose steps fail, time out and are cancelled: everything ends, nothing is left."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest

import fanwise as fw
from fanwise.limits.limiter import Limiter
from fanwise.testing.virtual import run_virtual

SCHEDULES = 800


@dataclass
class Drawn:
    """A graph and what has been decided about its steps."""

    graph: fw.Graph = field(default_factory=fw.Graph)
    broken: set[str] = field(default_factory=set)
    optional: set[str] = field(default_factory=set)
    needs: dict[str, list[str]] = field(default_factory=dict)


def draw(chance: random.Random) -> Drawn:
    drawn = Drawn()
    for number in range(chance.randrange(1, 25)):
        name = f"s{number}"
        needs = chance.sample(list(drawn.needs), min(number, chance.randrange(4)))
        kind = chance.choice(
            ["ok", "ok", "ok", "fan", "fan fails", "fail", "slow", "self", "flaky"]
        )
        optional = chance.random() < 0.3
        drawn.needs[name] = needs
        if kind in {"fan fails", "fail", "slow", "self"}:
            drawn.broken.add(name)
        if optional:
            drawn.optional.add(name)
        drawn.graph.add(
            step_of(kind, chance.uniform(0, 3), stubborn=chance.random() < 0.1),
            name=name,
            needs=needs,
            timeout_s=4 if kind == "slow" else None,
            retry=fw.Retry(retry_on=(LookupError,)) if kind == "flaky" else None,
            optional=optional,
            priority=chance.randrange(3),
        )
    return drawn


def step_of(kind: str, seconds: float, *, stubborn: bool):
    async def part(item: int) -> int:
        try:
            await asyncio.sleep(seconds * item / 5)
            if kind == "fan fails" and item == 2:
                raise ValueError
        finally:
            if stubborn:
                await asyncio.sleep(3)
        return item

    errors = {"fail": ValueError, "self": asyncio.CancelledError, "flaky": LookupError}

    async def step(ctx: fw.types.StepContext) -> None:
        try:
            await asyncio.sleep(seconds)
            if kind.startswith("fan"):
                await ctx.map(part, range(4))
            elif kind == "slow":
                await asyncio.sleep(10_000)
            elif kind in errors and (kind != "flaky" or ctx.attempt < 3):
                raise errors[kind]
        finally:
            if stubborn:
                await asyncio.sleep(1)

    return step


def expected_skips(drawn: Drawn) -> set[str]:
    """Descendants of failures, but for those that an optional step has shielded."""
    gone: set[str] = set()
    for name, needs in drawn.needs.items():
        missing = (drawn.broken | gone) - drawn.optional
        if any(source in missing for source in needs):
            gone.add(name)
    return gone


async def one(seed: int, limiters: list[Limiter]) -> list[tuple[object, ...]]:
    """One schedule; returns its trace, after looking at everything that must hold."""
    chance = random.Random(seed)
    drawn = draw(chance)
    limits = chance.choice([None, fw.Limits(concurrency=chance.randrange(1, 4))])
    end = chance.choice(["none", "none", "cancel", "total", "fail_fast"])
    loop = asyncio.get_running_loop()
    trace: list[tuple[object, ...]] = []
    running: set[str] = set()

    def note(event: fw.types.StepEvent) -> None:
        trace.append((event.kind, event.step, round(event.at_s, 9), type(event.error).__name__))
        if event.kind == "started":
            running.add(event.step)
        elif event.kind != "retried":
            running.discard(event.step)

    task = loop.create_task(
        drawn.graph.run(
            limits=limits,
            total_s=chance.uniform(0.1, 8) if end == "total" else 1e5,
            fail_fast=end == "fail_fast",
            on_event=note,
            chance=chance,
        )
    )
    if end == "cancel":
        loop.call_later(chance.uniform(0, 8), task.cancel)
    try:
        result = await task
    except (asyncio.CancelledError, ValueError, fw.errors.FanwiseError) as error:
        assert end in {"cancel", "fail_fast"}
        trace.append((type(error).__name__, loop.time()))
    else:
        assert set(result.outcomes) == set(drawn.needs)
        if end in {"none", "cancel"}:
            skipped = expected_skips(drawn)
            assert set(result.skipped) == skipped
            failed = {name for name in result if result.outcomes[name].error is not None}
            assert failed == skipped | (drawn.broken - skipped)
        assert result.report.wall_s <= loop.time()
    assert not running, "a step that began has not ended"
    assert asyncio.all_tasks() == {asyncio.current_task()}, "a task is left"
    assert all(limiter.in_flight == 0 == limiter.waiting for limiter in limiters), "a permit is"
    return trace


def traces(seeds: range, monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[object, ...]]]:
    limiters: list[Limiter] = []
    made = Limiter.__init__

    def noted(self: Limiter, *args: object, **options: object) -> None:
        made(self, *args, **options)  # type: ignore[arg-type]
        limiters.append(self)

    monkeypatch.setattr(Limiter, "__init__", noted)
    found: list[list[tuple[object, ...]]] = []
    for seed in seeds:
        limiters.clear()
        found.append(run_virtual(one(seed, limiters)))
    return found


def test_everything_ends_and_nothing_is_left_whatever_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert len(traces(range(SCHEDULES), monkeypatch)) == SCHEDULES


def test_the_same_seed_gives_the_same_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = range(100)
    assert traces(seeds, monkeypatch) == traces(seeds, monkeypatch)


async def _cancel_only(tasks: object) -> None:
    for task in list(tasks):  # type: ignore[call-overload]
        task.cancel()


SABOTAGE = {
    "the tasks that are left are not awaited": (
        "fanwise.engine.graph.execution.end_all",
        _cancel_only,
    ),
    "sub-steps are not awaited": ("fanwise.engine.graph.fanout.end_all", _cancel_only),
    "optional steps are not": (
        "fanwise.engine.graph.execution.Execution._cannot_do_without",
        lambda self, name, source: True,
    ),
    "a permit that nobody took is kept": (
        "fanwise.engine.graph.admission.Ticket.withdraw",
        lambda self: None,
    ),
    "a split step keeps its place while it waits for its parts": (
        "fanwise.engine.graph.admission.Seat.lend",
        lambda self: None,
    ),
    "failures skip nothing": (
        "fanwise.engine.graph.execution.Execution._cannot_do_without",
        lambda self, name, source: False,
    ),
}


@pytest.mark.parametrize("what", SABOTAGE)
def test_the_fuzz_notices_when_a_safeguard_is_gone(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, replacement = SABOTAGE[what]
    monkeypatch.setattr(place, replacement)
    with pytest.raises((AssertionError, RuntimeError)):
        traces(range(SCHEDULES), monkeypatch)
