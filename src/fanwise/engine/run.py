"""A run: maps and calls over one journal, under one set of limits."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sized
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from fanwise.engine.identity import Namer
from fanwise.engine.items import ItemRunner
from fanwise.engine.mapping import Map
from fanwise.engine.modes.journalled import moded_map
from fanwise.engine.modes.settings import GUARDED, mode_options
from fanwise.engine.ordering import WINDOW, Ahead, arranged
from fanwise.engine.spending import stored
from fanwise.engine.urgent import Urgent
from fanwise.records import Json

if TYPE_CHECKING:
    from fanwise.engine.context import Context
    from fanwise.engine.core import Core
    from fanwise.engine.graph.graph import Graph
    from fanwise.engine.graph.result import GraphResult
    from fanwise.engine.guardrails.guard import Guardrails, GuardrailsOf
    from fanwise.engine.modes.settings import AskedMode, Fallback, Never, Pack
    from fanwise.limits.budget import Budget
    from fanwise.limits.settings import Limits
    from fanwise.limits.waiting import Priority
    from fanwise.progress.live import Snapshot
    from fanwise.progress.monitor import Figures
    from fanwise.progress.report import Report

T = TypeVar("T")
R = TypeVar("R")
_AHEAD = 10_000  # places that work may be ahead of the oldest outcome not shown, at least


class Run:
    """Work that is journalled: what it has paid for, it never pays for again.

    Made by :func:`fanwise.open_run`; usable until that block is left.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    def __repr__(self) -> str:
        return f"<Run {self.run_id}: {self._core.progress!r}>"

    @property
    def run_id(self) -> str:
        """The run's id, as ``fanwise resume`` and ``fanwise show`` take it."""
        return self._core.run_id

    @property
    def resumed(self) -> bool:
        """Whether earlier sessions worked on it."""
        return self._core.resumed

    @property
    def draining(self) -> bool:
        """Whether it takes no further call."""
        return self._core.draining

    @property
    def finished(self) -> bool:
        """Whether every map that was entered saw the end of its source."""
        return self._core.finished

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._core.cancelled

    # maps

    def map(
        self,
        function: Callable[[Context, T], Awaitable[R]],
        source: Iterable[T] | AsyncIterable[T],
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
    ) -> Map[R]:
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
        core = self._core
        if total is None and isinstance(source, Sized):
            total = len(source)
        core.progress.set_total(total)
        namer = Namer(item_id=item_id, describe=describe)
        runner_of = partial(ItemRunner, core, namer=namer, model_of=model_of, priority=priority)
        found = partial(core.items, source, namer, known_total=total)
        pools = core.parts.pools
        least = _AHEAD + (0 if key is None else window)
        ahead = Ahead(lambda: least + pools.max_workers()) if ordered else None
        items = arranged(found, key=key, window=window, ahead=ahead)
        urgent = Urgent(pools) if priority == "interactive" else None
        options = mode_options(mode, pack, fallback)
        if options is not None or guardrails is not None:
            return moded_map(
                core,
                function,
                items,
                options=options or GUARDED,
                total=total,
                guardrails=guardrails,
                runner_of=runner_of,
                ahead=ahead,
                urgent=urgent,
            )
        handle = runner_of(function).handle
        return Map(
            items,
            handle if urgent is None else urgent.counting(handle),
            room=urgent or pools,
            opened=core.opened,
            read_back=core.read_back,
            ordered=ordered,
            ahead=ahead,
        )

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

    # before anything is sent

    def check_model(self, model: str) -> None:
        """Says at once whether a model can be called by this run.

        Raises:
            ConfigError: Unknown name, missing key, or unknown price under a budget of money.
        """
        parts = self._core.parts
        parts.spending.check(model)
        if not model.startswith(("sim/", "sim:", "builtin/", "builtin:")):
            parts.pools.target(model)

    def check_schema(self, schema: Any) -> None:
        """Says at once whether answers can be asked for in a schema, as ``ctx.call`` takes it.

        Raises:
            ConfigError: It is no schema, or one that no answer can satisfy.
        """
        self._core.schemas.of(schema)

    # steering

    def drain(self) -> None:
        """Takes no further item and sends no further call; what is in flight ends and is kept.

        Started items that would have to send more are left for a resume.
        """
        self._core.drain()

    def cancel(self) -> None:
        """As :meth:`drain`, and the run counts as cancelled: it is not resumed by itself."""
        self._core.cancel()

    async def set_limits(self, limits: Limits) -> None:
        """Puts new limits into force at once and notes the change in the journal."""
        self._core.parts.pools.update(limits)
        given = limits.concurrency
        at_once = list(given) if isinstance(given, tuple) else given
        await self._core.journal.control("limits.changed", {"concurrency": at_once})

    async def set_budget(self, budget: Budget) -> None:
        """Puts another budget into force at once; StateError where the old one is used up."""
        self._core.parts.spending.change(budget, counted=self._core.journal.counters)
        await self._core.journal.control("budget.set", stored(budget))

    def pause(self) -> None:
        """Sends nothing more until :meth:`resume`; what is in flight ends and is kept."""
        self._core.parts.pools.pause()

    def resume(self) -> None:
        """Ends a pause."""
        self._core.parts.pools.resume()

    # what is known

    def snapshot(self) -> Snapshot:
        """The run at this instant, for display."""
        pools, attempts = self._core.parts.pools, self._core.parts.attempts
        return replace(
            self._core.progress.snapshot(),
            in_flight=pools.in_flight,
            waiting=sum(pools.waiting_by_cause().values()) + attempts.waiting,
            budgets=self._core.parts.spending.use(),
        )

    def figures(self) -> Figures:
        """What goes wrong of late: the shares that alerts are raised from, and those raised."""
        return self._core.progress.monitor.figures()

    async def report(self) -> Report:
        """The performance report as of the last durable commit.

        Raises:
            JournalError: The journal cannot be read.
        """
        from fanwise.engine.reporting import report_of

        return await report_of(self._core.parts.home, self._core.journal)
