"""The operations of a random nest: each plays itself once and checks what it was told.

To add one, write one function and put it into ``OPERATIONS``.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import Any

import fanwise as fw
from fanwise.errors import AllFailed, OperationCancelled, QueueFull, StateError
from support.together.world import TIMES, Function, Operation, World


def children(world: World, path: str, depth: int, *, least: int = 0) -> dict[str, Function]:
    count = world.chance.choice((least, 1, 2, 2, 3, 3, 4))
    return {f"{n}": world.child(f"{path}/{n}", depth) for n in range(count)}


async def do_parallel(world: World, path: str, depth: int) -> Any:
    operations = children(world, path, depth)
    options = world.options()
    if world.chance.random() < 0.2:
        options["stagger_s"] = 0.25
    if world.chance.random() < 0.2:
        options["total_s"] = world.chance.choice((0.5, 1, 3))
    failed_at = math.inf
    try:
        got = await fw.parallel(operations, **options)
    except Exception:
        if "retry" not in options and "total_s" not in options:
            for name in operations:
                for at, end in world.ends_of(f"{path}/{name}"):
                    if isinstance(end, BaseException):
                        failed_at = min(failed_at, at)
            for name in operations:
                freely = world.freely.get(f"{path}/{name}", -1)
                world.check(freely <= failed_at, f"{path}/{name} went on after a failure")
        raise
    finally:
        world.ended(path)
    world.check(list(got) == list(operations), f"{path} lost its order")
    for name, value in got.items():
        world.check(value is not None, f"{path}/{name} failed unseen")
        world.check(value == world.value_of(f"{path}/{name}"), f"{path}/{name} lost its value")
    return str(got)


async def do_settle(world: World, path: str, depth: int) -> Any:
    operations = children(world, path, depth)
    options = world.options()
    if world.chance.random() < 0.3:
        options["total_s"] = world.chance.choice((0.5, 1, 3))
    try:
        got = await fw.settle(operations, **options)
    finally:
        world.ended(path)
    world.check(list(got) == list(operations), f"{path} lost an outcome")
    for name, outcome in got.items():
        world.check(outcome.ok == (outcome.error is None), f"{path}/{name} is of two minds")
        if outcome.ok:
            expected = world.value_of(f"{path}/{name}")
            world.check(outcome.value == expected, f"{path}/{name} lost its value")
        if isinstance(outcome.error, OperationCancelled):
            last = world.attempts[f"{path}/{name}"][-1]
            itself = last in world.selfish or last[-1].isalpha()
            world.check(itself, f"{path}/{name} was cancelled by us, and is said to have been not")
        begun = any(
            what == "begin" and p.startswith(f"{path}/{name}") for _, what, p in world.trace
        )
        world.check(begun == (outcome.attempts > 0), f"{path}/{name}: attempts {outcome.attempts}")
    return str(len(got))


async def do_race(world: World, path: str, depth: int) -> Any:
    operations = children(world, path, depth, least=1)
    options = world.options(retry=False)
    options.pop("limits", None)
    if world.chance.random() < 0.4:
        options["stagger_s"] = world.chance.choice((0.25, 1))
    try:
        got = await fw.race(operations, **options)
    except AllFailed as error:
        world.check(set(error.errors) == set(operations), f"{path} forgot a reason")
        raise
    finally:
        world.ended(path)
    values = {world.value_of(f"{path}/{name}") for name in operations} - {None}
    world.check(got in values, f"{path} was won by nobody")
    return got


async def do_fallback(world: World, path: str, depth: int) -> Any:
    count = world.chance.choice((1, 2, 3))
    chain = {f"{n}": world.child(f"{path}/{n}", depth, inline=True) for n in range(count)}
    options = world.options(retry=False)
    options.pop("limits", None)
    told: list[str] = []
    try:
        got = await fw.fallback(
            chain, on_failure=lambda name, _: told.append(name), when=Exception, **options
        )
    except AllFailed as error:
        world.check(told == list(error.errors) == list(chain), f"{path} forgot a reason")
        raise
    finally:
        world.ended(path)
    world.check(told == list(chain)[: len(told)], f"{path} tried things out of order")
    world.check(got == world.value_of(f"{path}/{len(told)}"), f"{path} lost its value")
    begun = {
        p.removeprefix(f"{path}/").split("/")[0] for p in world.ends if p.startswith(f"{path}/")
    }
    world.check(len(begun) == len(told) + 1, f"{path} tried more than it had to")
    return got


async def do_map(world: World, path: str, depth: int) -> Any:
    functions = list(children(world, path, depth).values())
    enough = world.chance.choice((1, math.inf, math.inf, math.inf))
    options = world.options()
    got: list[fw.Outcome] = []

    async def call(function: Function) -> Any:
        return await function()

    try:
        async with fw.map(call, functions, **options) as outcomes:
            async for outcome in outcomes:
                got.append(outcome)
                if len(got) >= enough:
                    break
    finally:
        world.ended(path)
    world.check(len(got) == min(len(functions), enough), f"{path} lost an item")
    world.check(len({outcome.position for outcome in got}) == len(got), f"{path} showed one twice")
    for outcome in got:
        expected = world.value_of(f"{path}/{outcome.position}")
        world.check(not outcome.ok or outcome.value == expected, f"{path} lost a value")
    return str(len(got))


async def do_background(world: World, path: str, depth: int) -> Any:
    chance = world.chance
    functions = children(world, path, depth)
    drain_s = chance.choice((0, 0.5, math.inf, math.inf))
    queue = fw.Background(
        max_running=chance.choice((1, 2, 5)), max_pending=chance.choice((1, 3)), drain_s=drain_s
    )
    accepted: list[str] = []
    cut_short = True

    async def put(name: str, function: Function) -> None:
        with contextlib.suppress(StateError):
            await queue.put(function, name=name)
            accepted.append(name)

    putters: list[asyncio.Task[None]] = []
    try:
        async with queue:
            for name, function in functions.items():
                if chance.random() < 0.5:
                    with contextlib.suppress(QueueFull):
                        queue.start(function, name=name)
                        accepted.append(name)
                else:
                    putters.append(asyncio.create_task(put(name, function)))
                if chance.random() < 0.3:
                    await asyncio.sleep(chance.choice(TIMES))
                if putters and chance.random() < 0.3:
                    chance.choice(putters).cancel()
            await asyncio.sleep(chance.choice((0, 0, 1)))
        cut_short = False
    finally:
        world.ended(path)
        for putter in putters:
            putter.cancel()
        seen = queue.statistics()
        total = seen.succeeded + seen.failed + seen.abandoned
        world.check(seen.accepted == total, f"{path}: {seen}")
        world.check(not (seen.pending or seen.running), f"{path}: {seen}")
        world.check(seen.failed == len(queue.failures), f"{path} hid a failure")
        while not all(putter.done() for putter in putters):
            await asyncio.wait(putters)
    world.check(len(accepted) <= seen.accepted, f"{path} forgot what it had accepted")
    if drain_s == math.inf and not cut_short:
        world.check(not queue.abandoned, f"{path} abandoned {queue.abandoned}")
    return str(seen)


async def do_graph(world: World, path: str, depth: int) -> Any:
    functions = children(world, path, depth, least=1)
    graph = fw.Graph()
    needs: dict[str, tuple[str, ...]] = {}

    def step_of(function: Function) -> Function:
        async def step() -> Any:
            return await function()

        return step

    for name, function in functions.items():
        needs[name] = tuple(other for other in needs if world.chance.random() < 0.4)
        graph.add(step_of(function), name=f"s{name}", needs=tuple(f"s{n}" for n in needs[name]))
    options = world.options()
    try:
        result = await graph.run({}, fail_fast=world.chance.random() < 0.3, **options)
    finally:
        world.ended(path)
    for name, before in needs.items():
        value = world.value_of(f"{path}/{name}")
        outcome = result.outcomes.get(f"s{name}")
        begun = f"{path}/{name}" in world.attempts
        failed = any(other in before for other in needs if not _succeeded(result, other))
        world.check(not (begun and failed), f"{path}/{name} ran without what it needs")
        world.check(begun or failed, f"{path}/{name} was forgotten")
        if outcome is not None and outcome.ok:
            world.check(value is not None and outcome.value == value, f"{path}/{name} lost a value")
    return str(len(result.outcomes))


def _succeeded(result: Any, name: str) -> bool:
    outcome = result.outcomes.get(f"s{name}")
    return outcome is not None and outcome.ok


OPERATIONS: dict[str, Operation] = {
    "parallel": do_parallel,
    "settle": do_settle,
    "race": do_race,
    "fallback": do_fallback,
    "map": do_map,
    "background": do_background,
    "graph": do_graph,
}
