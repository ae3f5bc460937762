"""Modes of ``run.map``: an item's function waits in its mode; its end is journalled once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fanwise.engine.checks import check_function, in_plain_words
from fanwise.engine.context import Context
from fanwise.engine.items import TAKES
from fanwise.engine.mapping import Map
from fanwise.engine.modes.driver import Driver
from fanwise.engine.modes.entries import Entry
from fanwise.engine.modes.guarding import Guarding
from fanwise.engine.modes.settings import ModeOptions, Pack
from fanwise.engine.recognition import Unrecognised
from fanwise.engine.work import Drained
from fanwise.errors import JournalError
from fanwise.records import Outcome

if TYPE_CHECKING:
    from fanwise.engine.core import Core
    from fanwise.engine.guardrails.guard import Guardrails, GuardrailsOf
    from fanwise.engine.items import ItemFunction, ItemRunner
    from fanwise.engine.ordering import Ahead
    from fanwise.engine.urgent import Urgent
    from fanwise.engine.workers import Crew, Item, Room

_PACK_TAKES = "a run gives it a context and a mapping: async def ask(ctx, items)"
_ENDS_THE_MAP = (JournalError, Unrecognised, Drained)


class JournalledWork:
    """Carries out entries of a run's map.

    Args:
        run: The run.
        function: ``async (ctx, item) -> value``.
        pack: How several items are asked at once, where they can be.
    """

    def __init__(self, run: Core, function: ItemFunction, pack: Pack | None) -> None:
        self.peak = 0
        self._at_once = 0
        self._run = run
        self._function = function
        self._pack = pack

    async def alone(self, entry: Entry) -> Outcome:
        return await self._tried(entry, self._function, entry.value)

    async def together(self, entries: Sequence[Entry], items: Mapping[str, Any]) -> Outcome:
        pack = self._pack
        assert pack is not None
        return await self._tried(entries[0], pack.ask, items)

    async def _tried(
        self, entry: Entry, function: Callable[..., Awaitable[Any]], given: Any
    ) -> Outcome:
        clock = self._run.clock
        began = clock.monotonic()
        self._at_once += 1
        self.peak = max(self.peak, self._at_once)
        value: Any = None
        failure: Exception | None = None
        try:
            value = await function(entry.context, given)
        except _ENDS_THE_MAP:
            raise
        except Exception as error:  # noqa: BLE001 - an item's failure is data
            self._run.raise_if_fatal(error)
            failure = in_plain_words(error, function)
        finally:
            self._at_once -= 1
        return Outcome(
            item_id=entry.id,
            ok=failure is None,
            value=value,
            error=failure,
            service_s=clock.monotonic() - began,
        )


class JournalledModes:
    """The modes of one map of a run.

    Items that a resumed run knows as finished pass by while it is still being decided whether the
    work is the same, since that needs many of them and a mode may let only one through.

    Args:
        run: The run.
        function: ``async (ctx, item) -> value``.
        options: What the caller asked for. Where items can be packed, the journal knows a pack's
            calls only with its first item: items that had succeeded are answered from their end.
        total: Items of the source, where known.
        guardrails: Guardrails, where there are any.
        ahead: How far items may begin ahead of what is shown, where that has an end.
        room: What the limits say of one more worker.
    """

    def __init__(
        self,
        run: Core,
        function: ItemFunction,
        *,
        options: ModeOptions,
        total: int | None,
        guardrails: Guardrails | GuardrailsOf | None,
        ahead: Ahead | None,
        room: Room,
    ) -> None:
        pools = run.parts.pools
        self._run = run
        self._function = function
        self._packed = options.pack is not None
        self._finished: set[str] = set()
        guarding = None
        if guardrails is not None:
            guarding = Guarding(
                guardrails,
                requests=pools.requests,
                note=run.journal.control,
                adaptive=lambda: pools.adaptive,
                learning=lambda: pools.learning,
            )
        self.driver = Driver(
            options,
            work=JournalledWork(run, function, options.pack),
            room=room,
            clock=run.clock,
            concurrency=lambda: pools.limit,
            times=run.mode_times,
            total=total,
            guarding=guarding,
            ahead=ahead,
            aligned=run.resumed,
        )

    def opened(self, crew: Crew, closed: Callable[[], None]) -> Callable[[], None]:
        """The map is entered; returns what ends it."""
        ended = self.driver.opened(crew)

        def both() -> None:
            ended()
            closed()

        return both

    def handler(self, runner: ItemRunner) -> Callable[[Item], Awaitable[Outcome | None]]:
        """What the map's workers do with an item: what of it is known, may anything be sent?"""

        async def handle(item: Item) -> Outcome | None:
            known = item.known
            if known is None:
                try:
                    await self._run.recognition.strange(item.id)
                except Drained:
                    return None
            elif known.state == "succeeded" and (self._packed or self._run.recognition.open):
                self._finished.add(item.id)
            return await runner.handle(item)

        return handle

    async def function(self, ctx: Context, value: Any) -> Any:
        """The item's function, in its mode."""
        if ctx.item_id in self._finished:
            self._finished.discard(ctx.item_id)
            self.driver.passed_by(Entry(ctx.item_id, 0, value, context=ctx))
            if not self._packed:
                return await self._function(ctx, value)
            return await self._run.read_back(ctx.item_id)
        outcome = await self.driver.run(Entry(ctx.item_id, 0, value, context=ctx))
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def has_room(self) -> bool:
        """Whether one more worker would be of use; in doubt about a resumed run, always."""
        return self._run.recognition.open or self.driver.has_room()

    def max_workers(self) -> int:
        """Most workers that can be of any use."""
        return self.driver.max_workers()


def moded_map(
    run: Core,
    function: ItemFunction,
    items: Callable[[], AsyncIterator[list[Item]]],
    *,
    options: ModeOptions,
    total: int | None,
    guardrails: Guardrails | GuardrailsOf | None,
    runner_of: Callable[[ItemFunction], ItemRunner],
    ahead: Ahead | None,
    urgent: Urgent | None,
) -> Map[Any]:
    """A run's map with modes, from the parts that one without them is made of."""
    check_function(function, takes=("ctx", "item"), hint=TAKES)
    if options.pack is not None:
        check_function(options.pack.ask, takes=("ctx", "items"), hint=_PACK_TAKES)
    modes = JournalledModes(
        run,
        function,
        options=options,
        total=total,
        guardrails=guardrails,
        ahead=ahead,
        room=urgent or run.parts.pools,
    )
    handle = modes.handler(runner_of(modes.function))
    return Map(
        lambda: modes.driver.items(items()),
        handle if urgent is None else urgent.counting(handle),
        room=modes,
        opened=lambda crew: modes.opened(crew, run.opened(crew)),
        read_back=run.read_back,
        ordered=ahead is not None,
        ahead=ahead,
        modes=modes.driver.report,
    )
