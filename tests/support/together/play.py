"""Plays a random nest: disturbed from outside or not, then checked for what is left."""

from __future__ import annotations

import asyncio
from typing import Any

from fanwise.errors import FanwiseError
from fanwise.limits.limiter import Limiter
from fanwise.testing.virtual import run_virtual
from support.together.operations import OPERATIONS
from support.together.world import TIMES, Broken, LeafError, World

CHUNKS, CHUNK = 10, 300


async def play(world: World) -> None:
    """One operation with all that is in it, disturbed from outside or not."""
    chance = world.chance
    kind = chance.choice(list(world.operations))
    disturbed = chance.choice(("not", "cancelled", "cancelled", "timed out"))
    stop_s = chance.choice(TIMES)

    async def whole() -> Any:
        return await world.watched(kind, lambda: world.operations[kind](world, kind, 0))

    async def driven() -> Any:
        task = asyncio.current_task()
        assert task is not None
        try:
            if disturbed != "timed out":
                return await whole()
            async with asyncio.timeout(stop_s):
                return await whole()
        finally:
            if disturbed == "timed out":
                world.check(not task.cancelling(), "a request to cancel was left behind")

    task = asyncio.create_task(driven(), name="driven")
    asked = False
    if disturbed == "cancelled":
        await asyncio.sleep(stop_s)
        for _ in range(chance.choice((0, 0, 1, 3))):
            await asyncio.sleep(0)
        asked = task.cancel()
        world.note(f"cancel {asked}", kind)
        if chance.random() < 0.3:
            await asyncio.sleep(chance.choice((0, 0.25, 0.5)))
            task.cancel()
    await asyncio.wait([task])
    world.check(not asked or task.cancelled(), f"{kind} did not let a cancellation through")
    if not task.cancelled() and (error := task.exception()) is not None:
        meant = isinstance(error, LeafError | FanwiseError | TimeoutError)
        if not meant:
            raise error
    if world.broken:
        raise Broken(world.broken[0])
    left = asyncio.all_tasks() - {asyncio.current_task()}
    world.check(not left, f"tasks are left: {left}")
    world.check(not world.open, f"still open: {list(world.open)}")
    for limiter in world.limiters:
        world.check(not (limiter.in_flight or limiter.waiting), f"{limiter!r} at the end")


def played(seed: int, limiters: list[Limiter]) -> list[tuple[float, str, str]]:
    """The trace of a schedule; raises Broken, naming its seed, where a promise did not hold."""
    limiters.clear()
    world = World(seed, limiters=limiters, operations=OPERATIONS)
    try:
        run_virtual(play(world))
    except Broken as broken:
        raise Broken(f"seed {seed}: {broken}") from None
    except RuntimeError as error:
        raise Broken(f"seed {seed}: {error}") from error
    return world.trace
