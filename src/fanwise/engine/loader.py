"""``fw.Loader``: single lookups of one moment, made in one batch and remembered.

After Facebook's DataLoader: code asks for one key at a time, wherever it needs it, and what is
asked for in one turn of the event loop goes out together.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Generic, Literal, Self, TypeVar, overload

from fanwise.clock import LoopClock
from fanwise.engine.checks import check_function, check_policies, check_wait
from fanwise.engine.lookups import Batches, left
from fanwise.engine.runner import ONCE, Runner, check_seconds
from fanwise.errors import ConfigError, StateError, UsageError
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.retry.policy import Retry

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_UNKNOWN: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoaderStatistics:
    """A loader at one moment.

    Args:
        asked: Keys asked for.
        cached: Of them, answered from the cache.
        shared: Of them, answered by a lookup that was under way already.
        sent: Keys given to the batch function, in so many ``batches``.
        failed: Keys sent that failed.
        held: Values in the cache.
        under_way: Keys queued or sent and not yet answered.
    """

    asked: int
    cached: int
    shared: int
    sent: int
    batches: int
    failed: int
    held: int
    under_way: int


class Loader(Generic[K, V]):
    """Looks up single keys in batches: ``async with fw.Loader(fetch) as loader: …``.

        async def fetch(ids: Sequence[int]) -> dict[int, User]:
            return {row.id: row for row in await database.users(ids)}

        async with fw.Loader(fetch, max_batch=100) as users:
            user = await users.load(7)      # called from anywhere, as often as you like

    Keys asked for in the same turn of the event loop, nested tasks included, go out in one batch.
    A key that is under way is not asked for again, and an answer is remembered.

    Args:
        function: ``async (keys) -> mapping or sequence``. A mapping holds values by key; one that
            it leaves out fails with ``MissingKey``, and keys nobody asked for are ignored. A
            sequence holds one value for each key, in their order. A value that is an exception
            fails its own key alone. ``keys`` is a tuple without duplicates.
        max_batch: Most keys in one batch, 1 or more.
        wait_s: How long a batch waits for further keys from its first, in seconds; by default
            until a turn of the event loop brings none.
        cache: Whether values are remembered. Failures never are.
        max_cached: Most values remembered, 1 or more; the longest unused one makes room.
        limits: Limits of the batches; each counts as one request. 20 at once if omitted.
        retry: How often a failing batch is tried again; by default not at all.
        timeout_s: Deadline of one attempt of a batch, in seconds.

    Leaving the block cancels what is under way: no task of the loader outlives it. It belongs to
    one event loop and is not safe for several threads.

    Raises:
        ConfigError: A value is impossible; says which, its bounds, and what to give instead.
        UsageError: ``function`` is no function of a batch of keys.
    """

    def __init__(
        self,
        function: Callable[
            [Sequence[K]],
            Awaitable[Mapping[K, V | BaseException] | Sequence[V | BaseException]],
        ],
        *,
        max_batch: float = 100,
        wait_s: float = 0.0,
        cache: bool = True,
        max_cached: float = 10_000,
        limits: Limits | None = None,
        retry: Retry | None = None,
        timeout_s: float = math.inf,
    ) -> None:
        check_function(function, takes=("keys",), hint="it is given all keys of a batch at once")
        check_policies(limits, retry)
        _check_count("max_batch", max_batch)
        _check_count("max_cached", max_cached)
        check_wait("wait_s", wait_s)
        check_seconds("timeout_s", timeout_s)
        self._function = function
        self._max_batch = max_batch
        self._wait_s = wait_s
        self._caching = cache
        self._max_cached = max_cached
        self._limits = limits or Limits()
        self._retry = retry or ONCE
        self._timeout_s = timeout_s
        self._batches: Batches | None = None
        self._closed = False
        self._cache: OrderedDict[Hashable, Any] = OrderedDict()
        self._asked = self._hits = 0

    def __repr__(self) -> str:
        under_way = 0 if self._batches is None else len(self._batches)
        return f"<Loader: {under_way} under way, {len(self._cache)} held>"

    # the block

    async def __aenter__(self) -> Self:
        if self._batches is not None:
            raise StateError("a loader is entered once", hint="make a new one for a second block")
        clock = LoopClock()
        runner = Runner(
            self._function,
            limiter=Limiter(self._limits, clock=clock, name="loader"),
            retry=self._retry,
            timeout_s=self._timeout_s,
            clock=clock,
            chance=random.Random(),
        )
        self._batches = Batches(
            runner, max_batch=self._max_batch, wait_s=self._wait_s, found=self._found
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        if self._batches is not None:
            await self._batches.aclose()
        self._cache.clear()

    # lookups

    async def load(self, key: K) -> V:
        """The value of a key, from the cache or with the next batch.

        Args:
            key: Hashable.

        Raises:
            MissingKey: The batch function returned nothing for this key.
            LoadError: What it returned cannot be matched to its keys.
            StateError: The block is not entered, or was left meanwhile.
            Exception: What the batch function raised, or gave as this key's value.

        A caller that is cancelled leaves; a batch that nobody waits for any more is cancelled.
        """
        batches = self._usable()
        value = self._known(key)
        if value is not _UNKNOWN:
            return value
        place = batches.join(key)
        try:
            return await place.waiter
        except asyncio.CancelledError:
            await batches.leave((place,))
            raise

    @overload
    async def load_many(
        self, keys: Iterable[K], *, return_errors: Literal[False] = ...
    ) -> Sequence[V]: ...

    @overload
    async def load_many(
        self, keys: Iterable[K], *, return_errors: bool
    ) -> Sequence[V | BaseException]: ...

    async def load_many(
        self, keys: Iterable[K], *, return_errors: bool = False
    ) -> Sequence[V | BaseException]:
        """The values of several keys, in their order.

        Args:
            keys: Hashable; duplicates are looked up once.
            return_errors: Put a failed key's exception in its place; else the first failure in the
                order of the keys is raised, once all lookups have ended.

        Raises:
            As :meth:`load`.
        """
        batches = self._usable()
        values = [(key, self._known(key)) for key in keys]
        places = {
            place: batches.join(key)
            for place, (key, value) in enumerate(values)
            if value is _UNKNOWN
        }
        try:
            if places:
                await asyncio.wait([place.waiter for place in places.values()])
        except asyncio.CancelledError:
            await batches.leave(places.values())
            raise
        found: list[Any] = [value for _, value in values]
        errors: list[BaseException] = []
        for place, joined in places.items():
            error = joined.waiter.exception()
            if error is not None:
                errors.append(error)
            found[place] = joined.waiter.result() if error is None else error
        if errors and not return_errors:
            raise errors[0]
        return found

    def prime(self, key: K, value: V) -> None:
        """Remembers a value that is known already; one that is held or under way stays.

        To replace it, :meth:`clear` it first.
        """
        under_way = self._batches is not None and key in self._batches
        if key not in self._cache and not under_way:
            self._found(key, value)

    def clear(self, key: K) -> None:
        """Forgets a key: the next lookup asks again. One under way still answers who waits now."""
        self._cache.pop(key, None)
        if self._batches is not None:
            self._batches.disown(key)

    def clear_all(self) -> None:
        """Forgets every key, as :meth:`clear`."""
        self._cache.clear()
        if self._batches is not None:
            self._batches.disown_all()

    def statistics(self) -> LoaderStatistics:
        """What it has done so far."""
        batches = self._batches
        return LoaderStatistics(
            asked=self._asked,
            cached=self._hits,
            shared=batches.shared if batches is not None else 0,
            sent=batches.sent if batches is not None else 0,
            batches=batches.batches if batches is not None else 0,
            failed=batches.failed if batches is not None else 0,
            held=len(self._cache),
            under_way=len(batches) if batches is not None else 0,
        )

    def _usable(self) -> Batches:
        if self._closed:
            raise left()
        if self._batches is None:
            raise StateError(
                "this loader is not entered",
                hint="write: async with fw.Loader(function) as loader: …",
            )
        return self._batches

    def _known(self, key: K) -> Any:
        self._asked += 1
        try:
            value = self._cache.get(key, _UNKNOWN)
        except TypeError as error:
            raise UsageError(
                f"a key of type {type(key).__name__} is not hashable",
                hint="use what identifies it: a string, a number, a tuple of them",
            ) from error
        if value is not _UNKNOWN:
            self._hits += 1
            self._cache.move_to_end(key)
        return value

    def _found(self, key: Hashable, value: Any) -> None:
        if not self._caching:
            return
        self._cache[key] = value
        self._cache.move_to_end(key)
        if len(self._cache) > self._max_cached:
            self._cache.popitem(last=False)


def _check_count(name: str, value: float) -> None:
    whole = value == math.inf or (isinstance(value, int) and value is not True and value >= 1)
    if not whole:
        raise ConfigError(f"{name} is {value!r}", hint="give a whole number, 1 or more")
