"""``fw.map``: one function over many items, with limits and retry, and no journal."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sized
from typing import TYPE_CHECKING, Any, TypeVar

from fanwise.clock import LoopClock
from fanwise.engine.checks import check_function, check_policies
from fanwise.engine.identity import own_id
from fanwise.engine.mapping import HELD, Map
from fanwise.engine.modes.choice import ModeTimes
from fanwise.engine.modes.settings import (
    GUARDED,
    AskedMode,
    Fallback,
    ModeOptions,
    Never,
    Pack,
    mode_options,
)
from fanwise.engine.ordering import WINDOW, Ahead, arranged
from fanwise.engine.runner import ONCE, Runner, check_seconds
from fanwise.engine.sources import chunks_of
from fanwise.engine.workers import Crew, Item
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits
from fanwise.retry.policy import Retry

if TYPE_CHECKING:
    from fanwise.engine.guardrails.guard import Guardrails, GuardrailsOf

T = TypeVar("T")
R = TypeVar("R")
_TAKES = "fw.map gives it the item; in a run, run.map gives it a context and the item"
_PACK_TAKES = "fw.map gives it a mapping of items by id: async def ask(items)"
_READ_AHEAD = 64
_SPARE_WORKERS = 64
_MOST_WORKERS = 20_000


def map(  # noqa: A001 - it is what the builtin does, at once
    function: Callable[[T], Awaitable[R]],
    source: Iterable[T] | AsyncIterable[T],
    *,
    limits: Limits | None = None,
    retry: Retry | None = None,
    timeout_s: float = math.inf,
    ordered: bool = False,
    mode: AskedMode | None = None,
    pack: Pack | None = None,
    fallback: Fallback | Never | None = None,
    times: ModeTimes | None = None,
    guardrails: Guardrails | GuardrailsOf | None = None,
    key: Callable[[Any], Any] | None = None,
    window: int = WINDOW,
    chance: random.Random | None = None,
) -> Map[R]:
    """One asynchronous function over many items, as many at once as the limits allow.

    Nothing is journalled: for work that must not be paid for twice, use ``run.map``.

    Args:
        function: ``async (item) -> value``.
        source: Any iterable or asynchronous iterable, endless ones too; read only as far ahead as
            there are workers for its items.
        limits: Concurrency (20 by default), and requests a minute.
        retry: How often and after what waits a failure is tried again; by default not at all.
            ``retry_on`` names the exceptions that a further attempt may mend.
        timeout_s: Deadline of one attempt in seconds; the function is cancelled then.
        ordered: Outcomes in the order of the source instead of as they complete. No item begins
            more than 1000 places (and the calls at once, and ``window`` where there is a ``key``)
            behind the oldest one without an outcome, so that memory is bounded.
        mode: ``"parallel"``, ``"batch"`` (with a pack), ``"sequential"``, or ``"auto"``: by the
            number of items, and by predicted time once ``times`` knows enough. With a mode, what
            fails is run again in the next one, as ``fallback`` says. Without, items go side by
            side (packed, where there is a pack) and nothing is run again.
        pack: How several items are asked in one request (:class:`fanwise.types.Pack`).
        fallback: When another mode takes over (:class:`fanwise.types.Fallback`), or ``"never"``.
        times: What calls have taken in earlier maps (:class:`fanwise.types.ModeTimes`).
        guardrails: Make new work go one after another while too much goes wrong.
        key: From an item to its sort key: the smallest of the next ``window`` items goes first.
        window: Items that ``key`` chooses from, at least 1.
        chance: Source of jitter, for tests.

    Returns:
        A :class:`~fanwise.types.Map`, to be entered (``async with``) or collected
        (``await ….collect()``). What the function raises is an outcome's ``error``. Leaving the
        block cancels what still runs.

    Raises:
        ConfigError: ``timeout_s`` is not above 0, an option is something else, the options of modes
            do not fit together, or (by the iteration) the source cannot be iterated. Nothing was
            begun.
        UsageError: ``function`` is no function of one item; nothing was begun. One that turns out
            not to be asynchronous is an outcome.
    """
    check_function(function, takes=("item",), hint=_TAKES)
    check_policies(limits, retry)
    check_seconds("timeout_s", timeout_s)
    clock = LoopClock()
    limiter = Limiter(limits or Limits(concurrency=20), clock=clock, name="map")
    chance = chance or random.Random()

    def runner_of(work: Callable[[Any], Awaitable[Any]]) -> Runner:
        return Runner(
            work,
            limiter=limiter,
            retry=retry or ONCE,
            timeout_s=timeout_s,
            clock=clock,
            chance=chance,
        )

    room = PlainRoom(limiter)
    least = HELD + (0 if key is None else window)
    ahead = Ahead(lambda: least + room.max_workers()) if ordered else None
    items = arranged(lambda: plain_items(source), key=key, window=window, ahead=ahead)
    if pack is not None:
        check_function(pack.ask, takes=("items",), hint=_PACK_TAKES)
    options = mode_options(mode, pack, fallback)
    if options is not None or guardrails is not None:
        return _moded(
            function,
            items,
            options=options or GUARDED,
            runner_of=runner_of,
            total=len(source) if isinstance(source, Sized) else None,
            times=times or ModeTimes(),
            guardrails=guardrails,
            room=room,
            ahead=ahead,
        )
    runner = runner_of(function)
    return Map(
        items,
        runner.handle,
        room=room,
        opened=lambda crew: room.opened(crew, runner.begin),
        ordered=ordered,
        ahead=ahead,
    )


def _moded(
    function: Callable[[Any], Awaitable[Any]],
    items: Callable[[], AsyncIterator[list[Item]]],
    *,
    options: ModeOptions,
    runner_of: Callable[[Callable[[Any], Awaitable[Any]]], Runner],
    total: int | None,
    times: ModeTimes,
    guardrails: Guardrails | GuardrailsOf | None,
    room: PlainRoom,
    ahead: Ahead | None,
) -> Map[Any]:
    from fanwise.engine.modes.driver import Driver
    from fanwise.engine.modes.guarding import Guarding
    from fanwise.engine.modes.plainly import PlainWork, handler

    work = PlainWork(runner_of, function, options.pack.ask if options.pack else None)
    guarding = None
    if guardrails is not None:
        guarding = Guarding(guardrails, requests=lambda: requests_of(room.limiter))
    driver = Driver(
        options,
        work=work,
        room=room,
        clock=LoopClock(),
        concurrency=lambda: room.limiter.concurrency,
        times=times,
        total=total,
        guarding=guarding,
        ahead=ahead,
    )

    def opened(crew: Crew) -> Callable[[], None]:
        room.opened(crew, work.begin)
        return driver.opened(crew)

    return Map(
        lambda: driver.items(items()),
        handler(driver),
        room=driver,
        opened=opened,
        ordered=ahead is not None,
        ahead=ahead,
        modes=driver.report,
    )


def requests_of(limiter: Limiter) -> tuple[int, int]:
    """Requests that a limiter has let through, and those of them that were refused."""
    counts = limiter.statistics()
    return counts.granted, counts.refused


async def plain_items(source: Any) -> AsyncIterator[list[Item]]:
    """Items by position or by the id they carry, in chunks."""
    chunks = chunks_of(source, size=_READ_AHEAD)
    position = 0
    try:
        async for chunk in chunks:
            items: list[Item] = []
            for value in chunk:
                items.append(Item(own_id(value) or str(position), position, value))
                position += 1
            yield items
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


class PlainRoom:
    """Says whether one more worker would be of use."""

    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter

    def has_room(self) -> bool:
        """Nobody waits for a permit."""
        return not self.limiter.waiting

    def max_workers(self) -> int:
        """Most workers that can be of any use."""
        concurrency = self.limiter.concurrency
        if not math.isfinite(concurrency):
            return _MOST_WORKERS
        return min(_MOST_WORKERS, 2 * int(concurrency) + _SPARE_WORKERS)

    def opened(self, crew: Crew, begin: Callable[[], None]) -> Callable[[], None]:
        """The map is entered, and its work begins; returns what ends it."""
        self.limiter.on_room(crew.kick)
        begin()
        return _nothing


def _nothing() -> None:
    """The limiter goes with the map, and its callbacks with it."""
