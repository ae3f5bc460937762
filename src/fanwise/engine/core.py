"""What the items and calls of a run share, below what its user sees."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from fanwise.engine.idempotency import named
from fanwise.engine.modes.choice import ModeTimes
from fanwise.engine.sources import chunks_of
from fanwise.engine.work import Call, Drained, ItemWork, make_call
from fanwise.engine.workers import Crew, Item
from fanwise.errors import BudgetExhausted, CallError, FanwiseError, JournalError, StateError
from fanwise.models.identity import content_key
from fanwise.models.schemas import Schemas
from fanwise.records import CallKey, Request
from fanwise.records.quick import maker

if TYPE_CHECKING:
    from fanwise.engine.identity import Namer
    from fanwise.engine.parts import Parts
    from fanwise.engine.run import Run
    from fanwise.models.rules import Rules

_RECALL = 500  # items looked up at once when a run is resumed
_READ_AHEAD = 64  # items read at once in a new run
_make_key = maker(CallKey)


class Core:
    """A run as the engine knows it: its parts, its maps under way, and how far it has stopped."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.journal = parts.journal
        self.run_id = parts.journal.run.run_id
        self.resumed = parts.journal.resumed
        self.clock = parts.clock
        self.caller = parts.caller
        self.progress = parts.progress
        self.recognition = parts.recognition
        self.repeat_ambiguous = parts.repeat_ambiguous
        self.schemas = Schemas()
        self.mode_times = ModeTimes()
        self.crews: list[Crew] = []
        self.draining = False
        self.cancelled = False
        self._unfinished = False
        self._fatal: BaseException | None = None

    @property
    def finished(self) -> bool:
        """Whether every map that was entered saw the end of its source."""
        return not (self._unfinished or self.draining or self.cancelled or self.crews)

    @property
    def untouched(self) -> bool:
        """Whether no item was ever begun, in this session or an earlier one."""
        shown = self.progress.snapshot()
        return not (self.resumed or shown.calls or shown.items_done or shown.items_in_progress)

    # maps

    async def items(
        self, source: Any, namer: Namer, *, known_total: int | None
    ) -> AsyncIterator[list[Item]]:
        """A source's items in chunks, named, with what the journal knows of them."""
        chunks = chunks_of(source, size=_RECALL if self.resumed else _READ_AHEAD)
        position = 0
        try:
            async for chunk in chunks:
                items = [
                    Item(namer.name(value), position + offset, value)
                    for offset, value in enumerate(chunk)
                ]
                position += len(items)
                if self.resumed:
                    ids = [item.id for item in items]
                    self.recognition.met(ids)
                    recalled = await self.journal.recall(ids)
                    for item in items:
                        item.known = recalled.get(item.id)
                yield items
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()
        self.recognition.source_ended()
        if known_total is None:
            self.progress.set_total(position)

    def opened(self, crew: Crew) -> Callable[[], None]:
        """A map is entered; returns what ends it.

        Raises:
            StateError: The run takes no further work.
        """
        if self.draining or self.cancelled:
            raise self.parts.spending.exhausted or StateError(
                "the run takes no further work", hint="resume it to go on"
            )
        self.crews.append(crew)
        no_more_room = self.parts.pools.on_room(crew.kick)

        def closed() -> None:
            no_more_room()
            self.crews.remove(crew)
            if not crew.exhausted:
                self._unfinished = True

        return closed

    async def read_back(self, item_id: str) -> Any:
        """An item's value as the journal keeps it."""
        record = await self.journal.item(item_id)
        return None if record is None else record.value

    # calls

    async def ready_for(self, request: Request, rules: Rules | None) -> None:
        """Waits until the simulated provider stands, where the request is for it.

        Raises:
            ConfigError: It can answer no such request; nothing was spent.
        """
        try:
            await self.parts.simulated.ready_for(request, rules)
        except FanwiseError as error:
            self._fatal = error
            raise

    def prepare(
        self,
        work: ItemWork,
        request: Request,
        *,
        rules: Rules | None,
        sample: int,
        **options: Any,
    ) -> Call:
        """A call as the engine makes it: its target found, its identity computed.

        ``options`` are its label, ``on_delta``, ``single_flight`` and ``priority``.

        Raises:
            ConfigError: No such model, no key, no rules; nothing was spent.
        """
        try:
            target = self.parts.pools.target(request.model, rules=rules)
            self.parts.spending.check(request.model)
        except FanwiseError as error:
            self._fatal = error
            raise
        key = content_key(request, origin=target.endpoint.origin)
        return make_call(
            work=work,
            request=named(request, f"fanwise-{self.run_id}-{work.item_id}-{key}-{sample}"),
            target=target,
            key=_make_key(work.item_id, key, sample),
            **options,
        )

    def raise_if_fatal(self, error: BaseException) -> None:
        """Raises an error that no item of this run can escape, so that the map ends with it."""
        if error is self._fatal:
            raise error
        if isinstance(error, CallError):
            refused = self.parts.pools.all_dead()
            if refused is not None and not self.progress.snapshot().items_succeeded:
                raise refused

    # the end of it

    def drain(self) -> None:
        """No further item is taken and no further call sent; what is in flight ends."""
        self._stop(Drained("the run is being drained", hint="resume it to go on"))
        self.draining = True

    def cancel(self) -> None:
        """It is drained, and is not resumed by itself."""
        self.drain()
        self.cancelled = True

    def budget_reached(self, error: BudgetExhausted) -> None:
        """No further call is sent; the maps raise this once what is in flight has ended."""
        for crew in self.crews:
            crew.verdict = error
        self._stop(Drained(error.message, hint=error.hint))
        self.draining = True

    def journal_failed(self, error: JournalError) -> None:
        """The journal cannot be written any more: admission stops."""
        self._stop(error)

    def _stop(self, error: FanwiseError) -> None:
        for crew in self.crews:
            crew.stop()
        self.parts.pools.refuse_all(error)
        self.parts.attempts.refuse_all(error)
        self.recognition.refuse_all(error)


def core_of(run: Run) -> Core:
    """What the engine works with, of a run that a user hands it."""
    return run._core  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
