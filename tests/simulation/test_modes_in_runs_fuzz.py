"""Runs in random modes, left and resumed at random: nothing lost, nothing paid for twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import fanwise as fw
from fanwise.clock import LoopClock
from fanwise.errors import Rejected
from fanwise.journal.memory_home import MemoryHome
from fanwise.limits.settings import Limits
from fanwise.records import Response
from fanwise.testing.virtual import run_virtual
from support.scripted import Scripted, answered, ask, failing, open_scripted

COUNT = 40


def luck(text: str, seed: int) -> float:
    """Chance that is the same for a prompt every time, as a model at temperature 0 would be."""
    return random.Random(f"{seed} {text}").random()


class World:
    """A model that rejects some prompts for ever, and a pack that loses some of its items."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.seed = seed
        self.bad_alone = chance.choice([0.0, 0.2, 0.8, 1.0])
        self.bad_packs = chance.choice([0.0, 0.2, 0.8])
        self.model = Scripted(self.script, service_s=chance.choice([0.0, 1.0]))
        self.served: set[str] = set()
        self.twice: list[str] = []

    def script(self, prompt: str, _: int) -> Response:
        packed = prompt.startswith("pack")
        if luck(prompt, self.seed) < (self.bad_packs if packed else self.bad_alone):
            return failing(Rejected("not this one", status=400))
        if prompt in self.served:
            self.twice.append(prompt)
        self.served.add(prompt)
        return answered(prompt)

    async def pack(self, ctx: fw.Context, items: Mapping[str, Any]) -> Mapping[str, Any]:
        text = await ctx.call("test/model", "pack " + " ".join(str(n) for n in items.values()))
        return {
            key: f"{text} / {item}"
            for key, item in items.items()
            if luck(f"{text} {item}", self.seed) > 0.1
        }


async def session(world: World, home: MemoryHome, chance: random.Random, mode: Any) -> bool:
    """Some work on the run; whether it has come to its end."""
    stops_after = chance.choice([None, 1, 3, 10, 25])
    gently = chance.random() < 0.5
    pack = fw.types.Pack(world.pack, size=4)
    before = asyncio.all_tasks()
    seen = 0
    async with open_scripted(
        world.model, home=home, limits=Limits(concurrency=chance.choice([1, 3, 20]))
    ) as run:
        async with run.map(ask, range(COUNT), mode=mode, pack=pack) as outcomes:
            async for outcome in outcomes:
                seen += 1
                kept = {item.item_id for item in home.reader(run.run_id).items()}
                assert outcome.item_id in kept, "shown before it was durable"
                if seen == stops_after:
                    if not gently:
                        break
                    run.drain()
        finished = run.finished
    assert asyncio.all_tasks() == before, "a task outlived the run"
    return finished


async def play(seed: int) -> None:
    chance = random.Random(seed)
    world, home = World(seed), MemoryHome(clock=LoopClock())
    mode = chance.choice(["auto", "parallel", "batch", "sequential"])
    for _ in range(40):
        if await session(world, home, chance, mode):
            break
    else:
        raise AssertionError("the run never came to its end")
    (run,) = home.runs()
    assert not world.twice
    items = list(home.reader(run.run_id).items())
    assert len(items) == len({item.item_id for item in items}) == COUNT
    for item in items:
        if item.state == "succeeded":
            assert str(item.input) in str(item.value).replace("q", " ").split()


def test_runs_in_any_mode_survive_being_left_and_resumed() -> None:
    for seed in range(60):
        try:
            run_virtual(play(seed))
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
