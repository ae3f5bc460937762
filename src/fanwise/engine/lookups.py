"""Batches of single lookups: what is asked for in one turn of the event loop goes out together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Final, cast

from fanwise.ending import end_all
from fanwise.engine.runner import Runner, cancelled_itself
from fanwise.engine.workers import Item
from fanwise.errors import LoadError, MissingKey, StateError

_UNKNOWN: Final = object()
# A batch is closed by a turn of the loop that brings no further key, at the latest after so many.
_MOST_TURNS: Final = 8


class _Lookup:
    """A key under way and those who wait for it."""

    __slots__ = ("batch", "ended", "keep", "key", "waiters", "waiting")

    def __init__(self, key: Any, batch: _Batch) -> None:
        self.key = key
        self.batch = batch
        self.waiters: list[asyncio.Future[Any]] = []
        self.waiting = 0
        self.keep = True
        self.ended = False


class _Batch:
    """Lookups that go out together; ``alive`` of them have somebody waiting."""

    __slots__ = ("alive", "lookups", "task", "timer")

    def __init__(self) -> None:
        self.lookups: dict[_Lookup, None] = {}
        self.alive = 0
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.Handle | None = None


class Place:
    """One who waits for a lookup."""

    __slots__ = ("lookup", "waiter")

    def __init__(self, lookup: _Lookup, waiter: asyncio.Future[Any]) -> None:
        self.lookup = lookup
        self.waiter = waiter
        lookup.waiters.append(waiter)


class Batches:
    """Keys under way, and the tasks that look them up. Belongs to the running event loop.

    Args:
        runner: Runs the batch function over the keys of a batch.
        max_batch: Most keys in one batch.
        wait_s: How long a batch waits for further keys from its first; 0 for turns of the loop.
        found: Is given each key and its value, unless it was disowned meanwhile.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        max_batch: float,
        wait_s: float,
        found: Callable[[Hashable, Any], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._runner = runner
        self._max_batch = max_batch
        self._wait_s = wait_s
        self._found = found
        self._open: dict[Hashable, _Lookup] = {}
        self._filling: _Batch | None = None
        self._flying: dict[asyncio.Task[None], _Batch] = {}
        self.shared = self.sent = self.batches = self.failed = 0

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._open

    def join(self, key: Hashable) -> Place:
        """A place among those who wait for a key, which is queued where it is not under way."""
        lookup = self._open.get(key)
        if lookup is None:
            lookup = self._open[key] = self._queue(key)
        else:
            self.shared += 1
        if not lookup.waiting:
            lookup.batch.alive += 1
        lookup.waiting += 1
        return Place(lookup, self._loop.create_future())

    async def leave(self, places: Iterable[Place]) -> None:
        """Waiters go; what nobody waits for any more is not sent, or is cancelled and awaited."""
        stopped: list[asyncio.Task[None]] = []
        for place in places:
            lookup, waiter = place.lookup, place.waiter
            if not waiter.cancel() and not waiter.cancelled():
                waiter.exception()  # nobody is left to be told of it
            lookup.waiting -= 1
            if lookup.waiting or lookup.ended:
                continue
            batch = lookup.batch
            batch.alive -= 1
            if batch.task is None:
                del batch.lookups[lookup]
                del self._open[lookup.key]
            elif not batch.alive:
                # Who asks for these keys from now on must not join a batch that is being stopped.
                for other in batch.lookups:
                    if self._open.get(other.key) is other:
                        del self._open[other.key]
                stopped.append(batch.task)
        await end_all(stopped)

    def disown(self, key: Hashable) -> None:
        """A key that was sent answers those who wait now, and nobody who comes later."""
        lookup = self._open.get(key)
        if lookup is not None and lookup.batch.task is not None:
            lookup.keep = False
            del self._open[key]

    def disown_all(self) -> None:
        """As :meth:`disown`, every key."""
        for key in list(self._open):
            self.disown(key)

    async def aclose(self) -> None:
        """Cancels what is under way and awaits it; who still waits is told so."""
        if self._filling is not None:
            self._drop(self._filling, left())
        await end_all(self._flying)

    def _queue(self, key: Any) -> _Lookup:
        batch = self._filling
        if batch is None:
            batch = self._filling = _Batch()
            if self._wait_s > 0.0:
                batch.timer = self._loop.call_later(self._wait_s, self._send, batch)
            else:
                batch.timer = self._loop.call_soon(self._turn, batch, 0, 1)
        lookup = _Lookup(key, batch)
        batch.lookups[lookup] = None
        if len(batch.lookups) >= self._max_batch:
            self._send(batch)
        return lookup

    def _turn(self, batch: _Batch, size: int, turns: int) -> None:
        """Closes the batch once a whole turn of the loop brought no further key."""
        now = len(batch.lookups)
        if now > size and turns < _MOST_TURNS:
            batch.timer = self._loop.call_soon(self._turn, batch, now, turns + 1)
        else:
            self._send(batch)

    def _send(self, batch: _Batch) -> None:
        self._close(batch)
        if batch.lookups:
            task = self._loop.create_task(self._fly(batch), name="fanwise-loader")
            batch.task = task
            self._flying[task] = batch
            task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        batch = self._flying.pop(task)
        if task.cancelled():
            # Perhaps before it had begun, so that it could tell nobody.
            self._drop(batch, left())
        elif (error := task.exception()) is not None:
            self.failed += sum(not lookup.ended for lookup in batch.lookups)
            self._drop(batch, error)

    def _close(self, batch: _Batch) -> None:
        """No further key joins the batch."""
        if self._filling is batch:
            self._filling = None
        if batch.timer is not None:
            batch.timer.cancel()
            batch.timer = None

    def _drop(self, batch: _Batch, error: BaseException) -> None:
        """Ends a batch that will bring no answer."""
        self._close(batch)
        for lookup in batch.lookups:
            if not lookup.ended:
                self._end(lookup, error=error)

    async def _fly(self, batch: _Batch) -> None:
        keys = tuple(lookup.key for lookup in batch.lookups)
        self.batches += 1
        self.sent += len(keys)
        number = self.batches
        outcome = await self._runner.handle(Item(f"batch {number}", number, keys))
        if outcome.error is None:
            answers = answers_of(keys, outcome.value)
        else:
            answers = [outcome.error] * len(keys)
        for lookup, answer in zip(batch.lookups, answers, strict=True):
            if isinstance(answer, BaseException):
                self.failed += 1
                self._end(lookup, error=_for_its_key(answer))
            else:
                self._end(lookup, value=answer)

    def _end(
        self, lookup: _Lookup, *, value: Any = None, error: BaseException | None = None
    ) -> None:
        lookup.ended = True
        if self._open.get(lookup.key) is lookup:
            del self._open[lookup.key]
        if error is None and lookup.keep:
            self._found(lookup.key, value)
        for waiter in lookup.waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(value)
            else:
                waiter.set_exception(error)


def _for_its_key(error: BaseException) -> BaseException:
    """The failure of one key, as it can be raised where somebody waits for that key."""
    if isinstance(error, asyncio.CancelledError):  # as gather gives it, and who waits was not
        failure = cancelled_itself()
    elif isinstance(error, StopIteration):  # no coroutine can raise it
        failure = LoadError("the batch function gave StopIteration for a key")
    else:
        return error
    failure.__cause__ = error
    return failure


def answers_of(keys: Sequence[Any], returned: Any) -> Sequence[Any]:
    """What a batch function returned, as one value or exception for each key."""
    if isinstance(returned, Mapping):
        found = cast("Mapping[Any, Any]", returned)
        return [found[key] if key in found else _missing(key, found) for key in keys]
    if isinstance(returned, Sequence) and not isinstance(returned, str | bytes | bytearray):
        values = cast("Sequence[Any]", returned)
        if len(values) == len(keys):
            return values
        message = f"the batch function returned {len(values)} values for {len(keys)} keys"
        hint = "return one value for each key in their order, or a mapping from keys to values"
    else:
        message = f"the batch function returned {type(returned).__name__}"
        hint = "return a mapping from keys to values, or a sequence of them in the keys' order"
    return [LoadError(message, hint=hint)] * len(keys)


def _missing(key: Any, found: Mapping[Any, Any]) -> MissingKey:
    alike = next((other for other in found if str(other) == str(key)), _UNKNOWN)
    if alike is _UNKNOWN:
        hint = "return None for a key that has no value, if that is what it means"
    else:
        hint = f"it returned {alike!r}, a {type(alike).__name__}: give the keys back as they came"
    return MissingKey(f"the batch function returned nothing for the key {key!r}", hint=hint)


def left() -> StateError:
    """What is raised where the loader's block was left."""
    return StateError("the loader's block was left", hint="await lookups inside the block")
