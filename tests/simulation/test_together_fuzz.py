"""Random nests of everything that runs things together, checked against what each promises.

A schedule is a tree: operations (one function each, under ``OPERATIONS``) over leaves that return,
fail, miss their deadline, cancel themselves, or take their time to end. It is played in virtual
time, on a coarse grid so that things coincide, and cancelled from outside at random. To add an
operation, write one function and put it into ``OPERATIONS``.

Each safeguard is also taken out once: a fuzz that does not notice proves nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

import fanwise as fw
from fanwise.engine import plain, runner
from fanwise.engine.graph import execution
from fanwise.engine.together import background, gathering, parallel, race
from fanwise.engine.together.books import Account, Job
from fanwise.engine.together.scope import Scope
from fanwise.engine.workers import Crew
from fanwise.errors import AllFailed, FanwiseError, OperationCancelled, QueueFull, StateError
from fanwise.limits.limiter import Limiter
from fanwise.limits.permit import Permit
from fanwise.testing.virtual import run_virtual

CHUNKS, CHUNK = 10, 300
DEEPEST = 3
TIMES = (0, 0, 0.25, 0.25, 0.5, 0.5, 1, 1, 2, 4)

Function = Callable[[], Awaitable[Any]]


class Broken(BaseException):
    """A promise that did not hold; no operation takes it for a failure of its own."""


class LeafError(Exception):
    """A leaf fails as it was meant to."""


class World:
    """One schedule: its chance, its trace, and what it knows of every part under way."""

    def __init__(self, seed: int, limiters: list[Limiter]) -> None:
        self.chance = random.Random(seed)
        self.limiters = limiters
        self.trace: list[tuple[float, str, str]] = []
        self.open: dict[str, float] = {}
        self.over: set[str] = set()
        self.ends: dict[str, tuple[float, Any]] = {}
        self.freely: dict[str, float] = {}  # leaves that returned without having been cancelled
        self.attempts: dict[str, list[str]] = {}  # of each child
        self.selfish: set[str] = set()  # leaves that cancelled themselves
        self.broken: list[str] = []

    def note(self, what: str, path: str) -> None:
        self.trace.append((asyncio.get_running_loop().time(), what, path))

    def check(self, holds: object, what: str) -> None:
        if not holds:
            self.broken.append(what)
            raise Broken(what)

    def child(self, path: str, depth: int, *, inline: bool = False) -> Function:
        """A leaf or a further operation, that is watched from its begin to its end.

        ``inline`` says that it runs in the task of whoever asks, so that a cancellation which it
        kept to itself would be lost by rights.
        """
        if depth < DEEPEST and self.chance.random() < 0.3:
            kind = self.chance.choice(list(OPERATIONS))

            def begin() -> Awaitable[Any]:
                part = self.fresh(path, f"/{kind}")
                return self.watched(part, lambda: OPERATIONS[kind](self, part, depth + 1))

            return begin

        def begin_leaf() -> Awaitable[Any]:
            part = self.fresh(path, "")
            return self.watched(part, lambda: self.leaf(part, inline=inline))

        return begin_leaf

    def fresh(self, path: str, kind: str) -> str:
        """What to call the next attempt at a child."""
        attempts = self.attempts.setdefault(path, [])
        attempts.append(f"{path}#{len(attempts)}{kind}" if attempts else f"{path}{kind}")
        return attempts[-1]

    async def watched(self, path: str, function: Function) -> Any:
        for outer in _outer(path):
            self.check(outer not in self.over, f"{path} begins after {outer} has ended")
        self.note("begin", path)
        self.open[path] = asyncio.get_running_loop().time()
        try:
            end = await function()
        except BaseException as error:
            end = error
            raise
        finally:
            self.open.pop(path, None)
            self.ends[path] = asyncio.get_running_loop().time(), end
            self.note(f"end {type(end).__name__}", path)
        return end

    async def leaf(self, path: str, *, inline: bool) -> str:
        chance = self.chance
        takes_s, ends_s = chance.choice(TIMES), chance.choice((0, 0, 0, 0.25, 1))
        how = chance.choices(("value", "error", "cancels itself"), (70, 25, 5))[0]
        cancelled = chance.choices(("obeys", "holds on", "fails", "returns"), (70, 12, 9, 9))[0]
        try:
            if takes_s:
                await asyncio.sleep(takes_s)
            if how == "error":
                raise LeafError(path)
            if how == "cancels itself":
                self.selfish.add(path)
                _cancel_itself()
        except asyncio.CancelledError:
            if ends_s:
                await _whatever_happens(ends_s) if not inline else await asyncio.sleep(ends_s)
            if how == "cancels itself" or inline or cancelled in {"obeys", "holds on"}:
                raise
            if cancelled == "fails":
                raise LeafError(f"{path}, cancelled") from None
            return f"value of {path}"
        self.freely[path] = asyncio.get_running_loop().time()
        return f"value of {path}"

    def ended(self, path: str) -> None:
        """An operation has returned or raised: nothing of it is left, and nothing may follow."""
        self.over.add(path)
        left = [inner for inner in self.open if inner.startswith(f"{path}/")]
        self.check(not left, f"{path} has ended, and {left} have not")

    def value_of(self, path: str) -> Any:
        """What a child returned at last; ``None`` where it failed. No child returns that."""
        ends = self.ends_of(path)
        return None if not ends or isinstance(ends[-1][1], BaseException) else ends[-1][1]

    def ends_of(self, path: str) -> list[tuple[float, Any]]:
        return [self.ends[part] for part in self.attempts.get(path, ()) if part in self.ends]

    def options(self, *, retry: bool = True) -> dict[str, Any]:
        """Random limits, deadlines and retries, as most operations take them."""
        chance = self.chance
        options: dict[str, Any] = {}
        if chance.random() < 0.3:
            options["timeout_s"] = chance.choice((0.25, 0.5, 1, 3))
        if chance.random() < 0.3:
            options["limits"] = fw.Limits(concurrency=chance.choice((1, 2, 3)))
        if retry and chance.random() < 0.25:
            options["retry"] = fw.Retry(max_attempts=2, base_s=0.25, retry_on=(LeafError,))
            options["chance"] = random.Random(chance.random())
        return options


def _cancel_itself() -> None:
    raise asyncio.CancelledError


def _outer(path: str) -> Iterator[str]:
    parts = path.split("/")
    for end in range(1, len(parts)):
        yield "/".join(parts[:end])


async def _whatever_happens(seconds: float) -> None:
    """Waits, and does not hear a cancellation until it has."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(until - loop.time())


# the operations: each one plays itself once and checks what it was told


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


OPERATIONS: dict[str, Callable[[World, str, int], Awaitable[Any]]] = {
    "parallel": do_parallel,
    "settle": do_settle,
    "race": do_race,
    "fallback": do_fallback,
    "map": do_map,
    "background": do_background,
    "graph": do_graph,
}


async def play(world: World) -> None:
    """One operation with all that is in it, disturbed from outside or not."""
    chance = world.chance
    kind = chance.choice(list(OPERATIONS))
    disturbed = chance.choice(("not", "cancelled", "cancelled", "timed out"))
    stop_s = chance.choice(TIMES)

    async def whole() -> Any:
        return await world.watched(kind, lambda: OPERATIONS[kind](world, kind, 0))

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


@pytest.fixture
def limiters(monkeypatch: pytest.MonkeyPatch) -> list[Limiter]:
    """Every limiter that the operations make, so that none keeps a permit.

    Intents of background work take their time, as under a journal.
    """
    made: list[Limiter] = []

    class Seen(Limiter):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            made.append(self)

    class Slow(Account):
        async def intend(self, job: Job) -> None:
            await asyncio.sleep(0.25 * (job.number % 2))

    monkeypatch.setattr(background, "Account", Slow)
    monkeypatch.setattr(gathering, "Limiter", Seen)
    monkeypatch.setattr(execution, "Limiter", Seen)
    monkeypatch.setattr(plain, "Limiter", Seen)
    return made


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("fanwise.background", "asyncio")]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    yield
    gc.collect()  # what a missing safeguard has left behind is complained about here, and not later
    for logger in loggers:
        logger.setLevel(logging.NOTSET)


def played(seed: int, limiters: list[Limiter]) -> list[tuple[float, str, str]]:
    """The trace of a schedule; raises Broken, naming its seed, where a promise did not hold."""
    limiters.clear()
    world = World(seed, limiters)
    try:
        run_virtual(play(world))
    except Broken as broken:
        raise Broken(f"seed {seed}: {broken}") from None
    except RuntimeError as error:
        raise Broken(f"seed {seed}: {error}") from error
    return world.trace


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_promise_holds_in_random_nests(chunk: int, limiters: list[Limiter]) -> None:
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        played(seed, limiters)


def test_the_same_seed_gives_the_same_trace(limiters: list[Limiter]) -> None:
    for seed in range(CHUNK):
        assert played(seed, limiters) == played(seed, limiters), f"seed {seed}"


def test_the_schedules_do_what_they_are_for(limiters: list[Limiter]) -> None:
    seen: set[str] = set()
    for seed in range(CHUNK):
        seen |= {f"{what} {path.split('/')[-1]}" for _, what, path in played(seed, limiters)}
    for kind in OPERATIONS:
        assert f"begin {kind}" in seen
    for how in ("LeafError", "CancelledError", "str"):
        assert any(what.startswith(f"end {how}") for what in seen)
    assert "end AllFailed race" in seen


# the safeguards, each taken out once

Patch = Callable[[pytest.MonkeyPatch], None]


def losers_are_not_awaited(patch: pytest.MonkeyPatch) -> None:
    async def end(self: Scope) -> None:
        for task in tuple(self._tasks):
            task.cancel()

    patch.setattr(Scope, "end", end)


def losers_are_not_cancelled(patch: pytest.MonkeyPatch) -> None:
    async def end(self: Scope) -> None:
        self.ending = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    patch.setattr(Scope, "end", end)


def cancellation_of_the_clean_up_is_swallowed(patch: pytest.MonkeyPatch) -> None:
    end = Scope.end

    async def deaf(self: Scope) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await end(self)

    patch.setattr(Scope, "end", deaf)


def a_map_that_is_cancelled_twice_leaves_its_workers(patch: pytest.MonkeyPatch) -> None:
    async def end(self: Crew) -> None:
        self.stop()
        for task in tuple(self._tasks):
            task.cancel()
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    patch.setattr(Crew, "end", end)


def the_cancelled_keep_their_permits(patch: pytest.MonkeyPatch) -> None:
    settle = Permit.settle

    def forgets(self: Permit, verdict: Any, **details: Any) -> None:
        if verdict.kind != "cancelled":
            settle(self, verdict, **details)

    patch.setattr(Permit, "settle", forgets)


class _Careless(gathering.Gathering):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "decides": lambda _: True})


def a_failure_wins_a_race(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(race, "Gathering", _Careless)
    patch.setattr(race, "all_failed", lambda *_: Broken("no winner"))


class _Patient(gathering.Gathering):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "decides": lambda _: False})


def the_first_failure_ends_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parallel, "Gathering", _Patient)


def a_failure_passes_for_a_value(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parallel, "_failed", lambda _: False)


def the_next_start_is_not_called_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gathering.Gathering, "_stop_starting", lambda _: None)


def a_chain_goes_on_after_its_cancellation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(race, "cancel_requests", lambda: 0)


def an_item_that_cancels_itself_takes_its_worker_along(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(runner, "cancel_requests", lambda: 1)


def every_cancellation_counts_as_a_failure(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(runner, "cancel_requests", lambda: 0)


def background_work_is_not_drained(patch: pytest.MonkeyPatch) -> None:
    async def drain(self: fw.Background, patience_s: float) -> None:
        return

    patch.setattr(background.Background, "_drain", drain)


def a_place_dies_with_the_one_who_waited_for_it(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(background.Background, "_release", lambda _: None)


def abandoned_work_is_not_counted(patch: pytest.MonkeyPatch) -> None:
    done = background.Background._done

    def forgets(self: Any, job: Any, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            done(self, job, task)

    patch.setattr(background.Background, "_done", forgets)


@pytest.mark.parametrize(
    "sabotage",
    [
        losers_are_not_awaited,
        losers_are_not_cancelled,
        cancellation_of_the_clean_up_is_swallowed,
        a_map_that_is_cancelled_twice_leaves_its_workers,
        the_cancelled_keep_their_permits,
        a_failure_wins_a_race,
        the_first_failure_ends_nothing,
        a_failure_passes_for_a_value,
        the_next_start_is_not_called_off,
        a_chain_goes_on_after_its_cancellation,
        an_item_that_cancels_itself_takes_its_worker_along,
        every_cancellation_counts_as_a_failure,
        background_work_is_not_drained,
        a_place_dies_with_the_one_who_waited_for_it,
        abandoned_work_is_not_counted,
    ],
)
def test_the_fuzz_notices_a_missing_safeguard(
    sabotage: Patch, limiters: list[Limiter], monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotage(monkeypatch)
    with pytest.raises(Broken):
        for seed in range(CHUNKS * CHUNK):
            played(seed, limiters)
