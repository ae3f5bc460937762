"""One schedule of a random nest: its chance, its trace, and what it knows of every part.

A schedule is a tree: operations over leaves that return, fail, miss their deadline, cancel
themselves, or take their time to end. It is played in virtual time, on a coarse grid so that things
coincide.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import fanwise as fw
from fanwise.limits.limiter import Limiter

DEEPEST = 3


TIMES = (0, 0, 0.25, 0.25, 0.5, 0.5, 1, 1, 2, 4)


Function = Callable[[], Awaitable[Any]]


class Broken(BaseException):
    """A promise that did not hold; no operation takes it for a failure of its own."""


class LeafError(Exception):
    """A leaf fails as it was meant to."""


Operation = Callable[["World", str, int], Awaitable[Any]]


class World:
    """One schedule: its chance, its trace, and what it knows of every part under way."""

    def __init__(
        self, seed: int, *, limiters: list[Limiter], operations: Mapping[str, Operation]
    ) -> None:
        self.chance = random.Random(seed)
        self.limiters = limiters
        self.operations = operations
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
            kind = self.chance.choice(list(self.operations))

            def begin() -> Awaitable[Any]:
                part = self.fresh(path, f"/{kind}")
                return self.watched(part, lambda: self.operations[kind](self, part, depth + 1))

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
