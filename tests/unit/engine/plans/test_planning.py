"""Plans: what they count, what they know, and how they compare with the run that follows."""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import asdict

import orjson
import pytest

import fanwise as fw
from fanwise.cli.display import to_json
from fanwise.clock import LoopClock
from fanwise.engine.plans.machine import Machine, measured
from fanwise.errors import RateLimited
from fanwise.journal.memory_home import MemoryHome
from fanwise.records import Usage
from fanwise.simulator.profile import Faults, SimProfile
from fanwise.testing.virtual import run_virtual

SWIFT = Machine()


def planned(function, source, **options):
    options.setdefault("journal", ":memory:")
    return asyncio.run(fw.plan(function, source, machine=SWIFT, **options))


def ask_of(model: str):
    async def ask(ctx: fw.Context, text: str) -> str:
        return await ctx.call(model, f"Say it again: {text}")

    return ask


class Laboratory:
    """A model of virtual time behind a token bucket."""

    def __init__(self, *, per_s: float = math.inf, burst: float = 1.0, seed: int = 0) -> None:
        self.per_s, self.burst, self.level = per_s, burst, burst
        self.chance = random.Random(seed)
        self.at = 0.0

    async def __call__(self, request: fw.Request) -> fw.Response:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self.per_s < math.inf:
            self.level = min(self.burst, self.level + (now - self.at) * self.per_s)
            self.at = now
            if self.level < 1.0:
                await asyncio.sleep(0.02)
                raise RateLimited("too fast", retry_after_s=(1.0 - self.level) / self.per_s)
            self.level -= 1.0
        words = self.chance.randint(20, 60)
        await asyncio.sleep(0.5 * self.chance.lognormvariate(0, 0.4) + 0.01 * words)
        return fw.Response(text="word " * words, usage=Usage(input_tokens=30, output_tokens=words))


def took_s(home: MemoryHome, laboratory: Laboratory, count: int, **options) -> float:
    async def main() -> float:
        clock = LoopClock()
        models = {"openai/gpt-4o-mini": laboratory}
        async with fw.open_run(
            "lab", journal=home, models=models, clock=clock, resume="never", **options
        ) as run:
            started = clock.monotonic()
            await run.map(ask_of("openai/gpt-4o-mini"), texts(count)).collect()
            return clock.monotonic() - started

    return run_virtual(main())


def texts(count: int) -> list[str]:
    return [f"text number {n}" for n in range(count)]


@pytest.mark.parametrize(
    ("laboratory", "limits"),
    [
        (lambda: Laboratory(seed=1), fw.Limits(concurrency=10)),
        (lambda: Laboratory(per_s=8, burst=10, seed=2), fw.Limits()),
        (lambda: Laboratory(seed=3), fw.Limits(rpm=300)),
    ],
    ids=["concurrency of one's own", "a bucket nobody told of", "a rate of one's own"],
)
def test_a_plan_that_knows_one_run_foretells_the_next(laboratory, limits):
    home = MemoryHome(clock=LoopClock())
    took_s(home, laboratory(), 120, limits=limits)
    plan = planned(
        ask_of("openai/gpt-4o-mini"),
        texts(600),
        journal=home,
        limits=limits,
        models={"openai/gpt-4o-mini": laboratory()},
    )
    assert plan.basis == "measured"
    assert plan.outlook is not None
    real_s = took_s(home, laboratory(), 600, limits=limits)
    assert plan.outlook.likely_s == pytest.approx(real_s, rel=0.1)
    assert plan.output_tokens.likely == pytest.approx(600 * 40, rel=0.05)
    assert plan.input_tokens.likely == pytest.approx(600 * 30, rel=0.05)


def test_a_simulated_model_is_planned_by_its_profile():
    profile = SimProfile(rpm=600, burst=10, latency_s=0.2)
    plan = planned(
        ask_of("sim/gpt-4o-mini"), texts(200), simulator=profile, limits=fw.Limits(concurrency=50)
    )
    assert plan.basis == "profile"
    assert plan.outlook is not None
    assert plan.outlook.binds == "provider's requests"
    assert plan.outlook.likely_s == pytest.approx(20.0, rel=0.05)
    assert plan.cost_usd is not None
    low, likely, high = plan.cost_usd
    assert 0 < low <= likely <= high


def test_answers_that_faults_spoil_are_part_of_the_bill():
    faults = Faults(wrong_schema=0.2)

    async def ask(ctx, text):
        return await ctx.call("sim/gpt-4o-mini", text, schema={"type": "object", "properties": {
            "mood": {"type": "string"}}, "required": ["mood"]})  # fmt: skip

    whole = planned(ask, texts(300))
    spoilt = planned(ask, texts(300), simulator=SimProfile(faults=faults))
    assert spoilt.input_tokens.likely == pytest.approx(1.2 * whole.input_tokens.likely, rel=0.05)
    assert spoilt.outlook is not None
    assert spoilt.outlook.failures == pytest.approx(0.04, abs=0.03)


def test_what_nobody_knows_is_assumed_and_said_so():
    plan = planned(ask_of("openai/gpt-4o-mini"), texts(20))
    assert plan.basis == "assumed"
    assert "typical" in plan.known["openai/gpt-4o-mini"]
    assert plan.outlook is not None
    assert plan.outlook.high_s > 3 * plan.outlook.low_s


def test_a_long_source_is_counted_whole_and_looked_at_in_part():
    plan = planned(ask_of("sim/gpt-4o-mini"), (f"text {n}" for n in range(5000)))
    part = planned(ask_of("sim/gpt-4o-mini"), (f"text {n}" for n in range(500)))
    assert plan.calls == 5000
    assert plan.outlook is not None
    assert plan.outlook.rehearsed < 2100
    assert plan.output_tokens.likely == pytest.approx(10 * part.output_tokens.likely, rel=0.05)
    assert plan.cost_usd is not None
    assert part.cost_usd is not None
    assert float(plan.cost_usd[1]) == pytest.approx(10 * float(part.cost_usd[1]), rel=0.05)


def test_models_share_a_plan():
    async def ask(ctx, text):
        return await ctx.call(text, "hello")

    plan = planned(ask, ["sim/fast", "builtin/rules", "openai/gpt-4o-mini", "sim/fast"])
    assert plan.models == {"sim/fast": 2, "builtin/rules": 1, "openai/gpt-4o-mini": 1}
    assert plan.basis == "assumed"
    assert plan.unpriced == ["sim/fast"]


def test_items_that_fail_before_a_call_are_found():
    async def ask(ctx, text):
        if text == "bad":
            raise ValueError("no")
        return await ctx.call("sim/fast", text)

    plan = planned(ask, ["good", "bad"])
    assert (plan.items, plan.calls, plan.failures) == (2, 1, 1)
    assert plan.first_failure == "ValueError: no"


def test_where_nothing_is_called_there_is_nothing_to_wait_for():
    async def nothing(ctx, text):
        return text

    plan = planned(nothing, texts(3))
    assert plan.outlook is None
    assert plan.cost_usd == (0, 0, 0)


def test_a_plan_is_plain_json():
    plan = planned(ask_of("sim/fast"), texts(3))
    told = orjson.loads(to_json(asdict(plan)))
    assert told["outlook"]["likely_s"] > 0
    assert told["known"] == {"sim/fast": "sim/fast is simulated: its profile says what it does"}


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match="speed"):
        planned(ask_of("sim/fast"), texts(3), speed=1)


def test_a_machine_is_measured_without_leaving_a_trace(tmp_path):
    found = measured(tmp_path / "not" / "there", simulated=True)
    assert found.call_s > 0
    assert found.commit_s > 0
    assert measured(None, simulated=False).commit_s == 0.0
    assert not list(tmp_path.iterdir())


def test_a_run_notes_what_it_learned_of_limits():
    home = MemoryHome(clock=LoopClock())
    took_s(home, Laboratory(per_s=8, burst=10), 60)
    (run,) = home.runs()
    notes = [event for event in home.reader(run.run_id).events() if "learned" in event.kind]
    assert len(notes) == 1
    assert notes[0].data["openai callable"]["refused"] > 0
    took_s(home, Laboratory(), 10)
    quiet = home.runs()[0].run_id if home.runs()[0].run_id != run.run_id else home.runs()[1].run_id
    assert not [event for event in home.reader(quiet).events() if "learned" in event.kind]


def test_a_simulated_models_luck_is_known_beforehand():
    async def measured_run(ctx, text):
        return await ctx.call("sim/gpt-4o-mini", f"Say it again: {text}")

    profile = SimProfile(latency_s=0.02, latency_sigma=1.0, seed=5)
    plan = planned(measured_run, texts(20), simulator=profile, limits=fw.Limits(concurrency=1))

    async def main() -> float:
        async with fw.open_run(
            "lab", journal=":memory:", simulator=profile, limits=fw.Limits(concurrency=1)
        ) as run:
            await run.map(measured_run, texts(20)).collect()
            return (await run.report()).models[0].service_s

    assert plan.outlook is not None
    drawn_s = plan.outlook.likely_s
    other = planned(
        measured_run,
        texts(20),
        simulator=SimProfile(latency_s=0.02, latency_sigma=1.0, seed=6),
        limits=fw.Limits(concurrency=1),
    )
    assert other.outlook is not None
    assert other.outlook.likely_s != pytest.approx(drawn_s, rel=0.01)
    # What was served cannot have taken less than what was dealt to it.
    assert asyncio.run(main()) >= 0.9 * drawn_s


def test_calls_that_go_ahead_are_planned_like_all_others():
    async def urgent(ctx, text):
        return await ctx.call("sim/default", text, priority="interactive")

    assert planned(urgent, texts(20)).calls == planned(ask_of("sim/default"), texts(20)).calls
