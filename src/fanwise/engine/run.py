"""A run: maps and calls over one journal, under one set of limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from fanwise.engine.idempotency import named
from fanwise.engine.identity import Namer
from fanwise.engine.items import ItemFunction, ItemRunner
from fanwise.engine.mapping import Map
from fanwise.engine.modes.choice import ModeTimes
from fanwise.engine.modes.journalled import moded_map
from fanwise.engine.modes.settings import GUARDED, mode_options
from fanwise.engine.ordering import WINDOW, Ahead, arranged
from fanwise.engine.sources import chunks_of
from fanwise.engine.spending import stored
from fanwise.engine.work import Call, Drained, ItemWork, make_call
from fanwise.engine.workers import Crew, Item
from fanwise.errors import BudgetExhausted, CallError, FanwiseError, JournalError, StateError
from fanwise.models.identity import content_key
from fanwise.models.schemas import Schemas
from fanwise.records import CallKey, Json, Request
from fanwise.records.quick import maker

if TYPE_CHECKING:
    from fanwise.engine.graph.graph import Graph
    from fanwise.engine.graph.result import GraphResult
    from fanwise.engine.guardrails.guard import Guardrails, GuardrailsOf
    from fanwise.engine.modes.settings import AskedMode, Fallback, Never, Pack
    from fanwise.engine.parts import Parts
    from fanwise.limits.budget import Budget
    from fanwise.limits.settings import Limits
    from fanwise.limits.waiting import Priority
    from fanwise.models.rules import Rules
    from fanwise.progress.live import Snapshot
    from fanwise.progress.report import Report

_RECALL = 500  # items looked up at once when a run is resumed
_READ_AHEAD = 64  # items read at once in a new run
_AHEAD = 10_000  # places that work may be ahead of the oldest outcome not shown, at least
_make_key = maker(CallKey)


class Run:
    """Work that is journalled: what it has paid for, it never pays for again.

    Made by :func:`fanwise.open_run`; usable until that block is left.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.journal = parts.journal
        self._run_id = parts.journal.run.run_id
        self.clock = parts.clock
        self.caller = parts.caller
        self.progress = parts.progress
        self.recognition = parts.recognition
        self.schemas = Schemas()
        self.mode_times = ModeTimes()
        self.repeat_ambiguous = parts.repeat_ambiguous
        self._crews: list[Crew] = []
        self._unfinished = False
        self._draining = False
        self._cancelled = False
        self._fatal: BaseException | None = None

    def __repr__(self) -> str:
        return f"<Run {self.run_id}: {self.progress!r}>"

    @property
    def run_id(self) -> str:
        """The run's id, as ``fanwise resume`` and ``fanwise show`` take it."""
        return self._run_id

    @property
    def resumed(self) -> bool:
        """Whether earlier sessions worked on it."""
        return self.journal.resumed

    @property
    def draining(self) -> bool:
        """Whether it takes no further call."""
        return self._draining

    @property
    def finished(self) -> bool:
        """Whether every map that was entered saw the end of its source."""
        return not (self._unfinished or self._draining or self._cancelled or self._crews)

    @property
    def untouched(self) -> bool:
        """Whether no item was ever begun, in this session or an earlier one."""
        shown = self.progress.snapshot()
        return not (self.resumed or shown.calls or shown.items_done or shown.items_in_progress)

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled

    def crews(self) -> Sequence[Crew]:
        """The maps under way."""
        return self._crews

    # maps

    def map(
        self,
        function: ItemFunction,
        source: Any,
        *,
        item_id: Callable[[Any], str] | None = None,
        describe: Callable[[Any], Json] | None = None,
        model_of: Callable[[Any], str] | None = None,
        ordered: bool = False,
        total: int | None = None,
        mode: AskedMode | None = None,
        pack: Pack | None = None,
        fallback: Fallback | Never | None = None,
        guardrails: Guardrails | GuardrailsOf | None = None,
        key: Callable[[Any], Any] | None = None,
        window: int = WINDOW,
        priority: Priority = "background",
    ) -> Map:
        """One function over many items, as many at once as the limits allow.

        Args:
            function: ``async (ctx, item) -> value``; its calls go through ``ctx``. The value must
                have a JSON form.
            source: Any iterable or asynchronous iterable, endless ones too. A generator is read in
                a thread of its own, only as far ahead as there are workers for its items.
            item_id: From an item to its id; by default its ``id`` key or attribute, else a hash of
                its content.
            describe: From an item to what the journal keeps of it; by default all of it.
            model_of: The model an item stands for, for reports.
            ordered: Outcomes in the order of the source instead of as they complete. Where more
                than 1000 wait for an earlier one, their values are read back from the journal and
                are plain JSON then. Where more than 10 000 would (and the calls at once, and
                ``window`` where there is a ``key``), no further item begins.
            total: How many items there are, where the source does not know (for progress).
            mode: As in :func:`fanwise.map`; ``"auto"`` predicts from what this run has measured.
            pack: As there, with ``ask(ctx, items)``; calls are journalled with its first item. In
                a resumed run, items that had succeeded have their journalled value: plain JSON.
            fallback: As there.
            guardrails: As there; what they do is an event of the journal too.
            key: As there.
            window: As there.
            priority: ``"interactive"`` goes ahead of what other maps of this run have waiting.

        Returns:
            A :class:`Map`, to be entered or collected. Cancelling it closes what is in flight.

        Raises:
            ConfigError: The options of modes do not fit together; nothing was spent.
        """
        if total is None and hasattr(source, "__len__"):
            total = len(source)
        self.progress.set_total(total)
        namer = Namer(item_id=item_id, describe=describe)
        runner_of = partial(ItemRunner, self, namer=namer, model_of=model_of, priority=priority)
        found = partial(self._items, source, namer, known_total=total)
        pools = self._parts.pools
        least = _AHEAD + (0 if key is None else window)
        ahead = Ahead(lambda: least + pools.max_workers()) if ordered else None
        items = arranged(found, key=key, window=window, ahead=ahead)

        async def read_back(found: str) -> Any:
            record = await self.journal.item(found)
            return None if record is None else record.value

        options = mode_options(mode, pack, fallback)
        if options is not None or guardrails is not None:
            return moded_map(
                self,
                function,
                items,
                options=options or GUARDED,
                pools=pools,
                total=total,
                guardrails=guardrails,
                runner_of=runner_of,
                opened=self._opened,
                read_back=read_back,
                ahead=ahead,
            )
        return Map(
            items,
            runner_of(function).handle,
            room=pools,
            opened=self._opened,
            read_back=read_back,
            ordered=ordered,
            ahead=ahead,
        )

    async def _items(
        self, source: Any, namer: Namer, *, known_total: int | None
    ) -> AsyncIterator[list[Item]]:
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

    def _opened(self, crew: Crew) -> Callable[[], None]:
        if self._draining or self._cancelled:
            raise self._parts.spending.exhausted or StateError(
                "the run takes no further work", hint="resume it to go on"
            )
        self._crews.append(crew)
        no_more_room = self._parts.pools.on_room(crew.kick)

        def closed() -> None:
            no_more_room()
            self._crews.remove(crew)
            if not crew.exhausted:
                self._unfinished = True

        return closed

    async def graph(
        self, graph: Graph, inputs: Mapping[str, Any] | None = None, *, item_id: str, **options: Any
    ) -> GraphResult:
        """Runs a graph as one item: calls of its steps (``ctx.call``) are journalled and resumed.

        Resuming is running it again: calls that were served answer from the journal at once.

        Args:
            graph: The graph.
            inputs: Its inputs by name.
            item_id: The item's id, the same when the run is resumed.
            options: As :meth:`fanwise.Graph.run` takes them.

        Returns:
            Its result, also where steps have failed: the item then counts as failed.

        Raises:
            PlanError, UsageError: As :meth:`fanwise.Graph.run`.
            Drained: The run was drained before the graph had ended.
            JournalUnavailable: What was done could not be made durable.
        """
        from fanwise.engine.graph.journalled import run_graph

        return await run_graph(self, graph, inputs or {}, item_id=item_id, options=options)

    # calls

    async def ready_for(self, request: Request, rules: Rules | None) -> None:
        """Waits until the simulated provider stands, where the request is for it.

        Raises:
            ConfigError: It can answer no such request; nothing was spent.
        """
        try:
            await self._parts.simulated.ready_for(request, rules)
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
            target = self._parts.pools.target(request.model, rules=rules)
            self._parts.spending.check(request.model)
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

    def check_model(self, model: str) -> None:
        """Says at once whether a model can be called by this run.

        Raises:
            ConfigError: Unknown name, missing key, or unknown price under a budget of money.
        """
        self._parts.spending.check(model)
        if not model.startswith(("sim/", "sim:", "builtin/", "builtin:")):
            self._parts.pools.target(model)

    def raise_if_fatal(self, error: BaseException) -> None:
        """Raises an error that no item of this run can escape, so that the map ends with it."""
        if error is self._fatal:
            raise error
        if isinstance(error, CallError):
            refused = self._parts.pools.all_dead()
            if refused is not None and not self.progress.snapshot().items_succeeded:
                raise refused

    # steering

    def drain(self) -> None:
        """Takes no further item and sends no further call; what is in flight ends and is kept.

        Started items that would have to send more are left for a resume.
        """
        self._stop(Drained("the run is being drained", hint="resume it to go on"))
        self._draining = True

    def cancel(self) -> None:
        """As :meth:`drain`, and the run counts as cancelled: it is not resumed by itself."""
        self.drain()
        self._cancelled = True

    def _stop(self, error: FanwiseError) -> None:
        for crew in self._crews:
            crew.stop()
        self._parts.pools.refuse_all(error)
        self._parts.attempts.refuse_all(error)
        self.recognition.refuse_all(error)

    def budget_reached(self, error: BudgetExhausted) -> None:
        """No further call is sent; the maps raise this once what is in flight has ended."""
        for crew in self._crews:
            crew.verdict = error
        self._stop(Drained(error.message, hint=error.hint))
        self._draining = True

    def journal_failed(self, error: JournalError) -> None:
        """The journal cannot be written any more: admission stops."""
        self._stop(error)

    async def set_limits(self, limits: Limits) -> None:
        """Puts new limits into force at once and notes the change in the journal."""
        self._parts.pools.update(limits)
        given = limits.concurrency
        at_once = list(given) if isinstance(given, tuple) else given
        await self.journal.control("limits.changed", {"concurrency": at_once})

    async def set_budget(self, budget: Budget) -> None:
        """Puts another budget into force at once; StateError where the old one is used up."""
        self._parts.spending.change(budget)
        await self.journal.control("budget.set", stored(budget))

    def pause(self) -> None:
        """Sends nothing more until :meth:`resume`; what is in flight ends and is kept."""
        self._parts.pools.pause()

    def resume(self) -> None:
        """Ends a pause."""
        self._parts.pools.resume()

    # what is known

    def snapshot(self) -> Snapshot:
        """The run at this instant, for display."""
        pools, attempts = self._parts.pools, self._parts.attempts
        return replace(
            self.progress.snapshot(),
            in_flight=pools.in_flight,
            waiting=sum(pools.waiting_by_cause().values()) + attempts.waiting,
            budgets=self._parts.spending.use(),
        )

    async def report(self) -> Report:
        """The performance report as of the last durable commit.

        Raises:
            JournalError: The journal cannot be read.
        """
        from fanwise.engine.reporting import report_of

        return await report_of(self._parts.home, self.journal)
