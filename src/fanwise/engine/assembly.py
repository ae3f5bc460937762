"""Puts a run together from the packages below the engine."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from itertools import islice
from typing import TYPE_CHECKING

from fanwise.clock import Clock
from fanwise.engine.admission import Admission
from fanwise.engine.attempts import Attempts
from fanwise.engine.calls import Caller
from fanwise.engine.facts import option_of
from fanwise.engine.flights import Flights
from fanwise.engine.hedging import Hedging
from fanwise.engine.parts import Parts
from fanwise.engine.pools import Pools
from fanwise.engine.recognition import SAMPLE, Recognition
from fanwise.engine.simulated import PROVIDER, Simulated
from fanwise.engine.spending import Spending
from fanwise.limits.budget import UNBOUNDED
from fanwise.models.endpoint import Endpoint
from fanwise.models.http.transport import Transport, open_transport
from fanwise.models.prices import Prices
from fanwise.models.registry import Registry
from fanwise.progress.live import Progress
from fanwise.progress.monitor import Monitor
from fanwise.progress.words import LimitFacts

_SPARE = 10  # workers that go on while all the others hold items back

if TYPE_CHECKING:
    from fanwise.engine.opening import OpenRun
    from fanwise.journal.home import Home
    from fanwise.journal.memory import Journal
    from fanwise.journal.memory_home import MemoryHome


def assemble(
    stack: AsyncExitStack, options: OpenRun, home: Home | MemoryHome, journal: Journal
) -> Parts:
    """Makes what a run needs; what has to be closed is pushed on the stack."""
    clock = options.clock
    transport = _LazyTransport()
    stack.push_async_callback(transport.aclose)
    simulated = Simulated(
        profile=options.simulator, answers=options.answers, transport=transport.get, clock=clock
    )
    stack.push_async_callback(simulated.aclose)
    pools = Pools(
        _resolver(options, simulated, transport, clock), limits=options.limits, clock=clock
    )
    progress = Progress(clock, before=journal.counters, facts=_facts(options))
    progress.monitor = Monitor(options.alerts)
    recognition = Recognition(
        finished=_finished_ids(home, journal),
        accept_changes=options.accept_changes,
        patience=pools.max_workers() - _SPARE,
    )
    prices = Prices()
    spending = _spending(stack, options, home, journal, prices=prices)
    admission = Admission(
        spending=spending, retry=options.retry, total_s=options.total_s, clock=clock
    )
    attempts = Attempts(
        journal=journal,
        retry=options.retry,
        timeouts=options.timeouts,
        admission=admission,
        prices=prices,
        progress=progress,
        clock=clock,
        chance=options.chance,
        key_env=options.api_key_env,
        hedging=_hedging(options, admission, spending),
    )
    caller = _caller(
        stack, options, home, journal, attempts=attempts, progress=progress, recognition=recognition
    )
    return Parts(
        home=home,
        journal=journal,
        clock=clock,
        pools=pools,
        simulated=simulated,
        attempts=attempts,
        spending=spending,
        caller=caller,
        recognition=recognition,
        progress=progress,
        repeat_ambiguous=options.ambiguous == "retry",
    )


def _hedging(options: OpenRun, admission: Admission, spending: Spending) -> Hedging | None:
    """Who sends what stalls a second time."""
    hedge = options.hedge
    if hedge is None:
        return None
    return Hedging(hedge, admission=admission, spending=spending, clock=options.clock)


def _caller(
    stack: AsyncExitStack,
    options: OpenRun,
    home: Home | MemoryHome,
    journal: Journal,
    *,
    attempts: Attempts,
    progress: Progress,
    recognition: Recognition,
) -> Caller:
    """Who answers calls: from the journal, the cache, an equal call, or by sending."""
    cache = home.cache() if options.cache else None
    if cache is not None:
        stack.push_async_callback(cache.close)
    flights = Flights()
    stack.push_async_callback(flights.aclose)
    return Caller(
        journal=journal,
        attempts=attempts,
        flights=flights,
        recognition=recognition,
        cache=cache,
        scope=f"{options.base_url or ''} {options.api_key_env or ''}",
        progress=progress,
        clock=options.clock,
    )


def _spending(
    stack: AsyncExitStack,
    options: OpenRun,
    home: Home | MemoryHome,
    journal: Journal,
    *,
    prices: Prices,
) -> Spending:
    """Who keeps the run within its budget."""
    spending = Spending(
        options.budget or UNBOUNDED,
        before=journal.counters,
        worked_s=_worked_s(home, journal),
        prices=prices,
        clock=options.clock,
        priced=options.hedge is not None and options.hedge.max_usd is not None,
    )
    stack.callback(spending.stop)
    return spending


def _worked_s(home: Home | MemoryHome, journal: Journal) -> float:
    """How long earlier sessions worked, in seconds."""
    if not journal.resumed:
        return 0.0
    reader = home.reader(journal.run.run_id)
    try:
        return math.fsum(s.ended_at - s.started_at for s in reader.sessions()[:-1])
    finally:
        reader.close()


def _finished_ids(home: Home | MemoryHome, journal: Journal) -> Sequence[str]:
    """The first items that earlier sessions finished."""
    if not (journal.resumed and journal.counters.succeeded):
        return ()
    reader = home.reader(journal.run.run_id)
    try:
        items = reader.items(state="succeeded", order="position")
        return [item.item_id for item in islice(items, SAMPLE)]
    finally:
        reader.close()


class _LazyTransport:
    """The transport, made when the first model needs it."""

    def __init__(self) -> None:
        self._transport: Transport | None = None

    def get(self) -> Transport:
        if self._transport is None:
            self._transport = open_transport()
        return self._transport

    async def aclose(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()


def _resolver(
    options: OpenRun, simulated: Simulated, transport: _LazyTransport, clock: Clock
) -> Callable[[str], Endpoint | tuple[Endpoint, ...]]:
    registry: list[Registry] = []

    def resolve(model: str, /) -> Endpoint | tuple[Endpoint, ...]:
        if model.startswith((f"{PROVIDER}/", f"{PROVIDER}:")):
            return simulated.endpoint(model)
        if not registry:
            env = os.environ if options.env is None else options.env
            registry.append(Registry(transport.get, env=env, callables=options.models, clock=clock))
        return registry[0].resolve_all(
            model, base_url=options.base_url, api_key_env=options.api_key_env
        )

    return resolve


def _facts(options: OpenRun) -> LimitFacts:
    limits = options.limits
    return LimitFacts(
        concurrency=limits.stated_concurrency,
        rpm=limits.rpm,
        tpm=limits.tpm,
        input_tpm=limits.input_tpm,
        output_tpm=limits.output_tpm,
        concurrency_option=option_of(options.command),
    )
