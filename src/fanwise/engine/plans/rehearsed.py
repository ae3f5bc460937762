"""A planned run in virtual time: the engine's own crew, pools, limiters and retry policy, in front
of providers made of events.

What the run will ask for is known, or a fair part of it is; what the providers do is drawn from
what is known of them. Nothing waits and nothing is sent.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fanwise.clock import LoopClock
from fanwise.engine.plans.knowledge import Fault, Knowledge
from fanwise.engine.plans.machine import Desk, Machine
from fanwise.engine.pools import Pools, Target
from fanwise.engine.workers import Crew, Item
from fanwise.limits.estimate import output_cap
from fanwise.limits.settings import Limits
from fanwise.models.endpoint import OnToken
from fanwise.records import NO_USAGE, Failure, Json, Request, Response, Timeouts, Usage, Verdict
from fanwise.retry.policy import GiveUp, Retry, decide
from fanwise.simulator.virtual.loop import EventLoop
from fanwise.simulator.virtual.provider import Reply, VirtualProvider, Work

if TYPE_CHECKING:
    from fanwise.simulator.virtual.spec import ProviderSpec

_LONGEST_S: Final = 14 * 86_400.0
_FAILED: Final = Verdict(kind="infrastructure", reason="500: the provider failed")
_FULL: Final = Verdict(kind="capacity", reason="503: the provider has no capacity")


class Ask(NamedTuple):
    """A call to come, and the tokens that it is thought to bring and to be answered with."""

    request: Request
    given: int
    written: int


Chain = Sequence[Ask]
"""The calls of one item, one after another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Under what a run is rehearsed.

    Args:
        limits: The run's limits.
        retry: Its retry policy.
        known: What is known of each model.
        machine: What this machine adds.
        seed: The same seed gives the same rehearsal.
    """

    limits: Limits
    retry: Retry
    known: Mapping[str, Knowledge]
    machine: Machine = field(default_factory=Machine)
    seed: int = 0


@dataclass(slots=True)
class Rehearsed:
    """What happened.

    Args:
        ended_at: When each item ended, in order of time.
        sent: Attempts, by model.
        refused: Those that were refused for rate or capacity.
        failed: Items that were given up.
        given, written: Tokens that were paid for, by model.
        overdue: Whether it was ended before all items were done.
    """

    ended_at: list[float] = field(default_factory=list[float])
    sent: dict[str, int] = field(default_factory=dict[str, int])
    refused: int = 0
    failed: int = 0
    given: dict[str, int] = field(default_factory=dict[str, int])
    written: dict[str, int] = field(default_factory=dict[str, int])
    overdue: bool = False


def rehearse(items: Sequence[Chain], setting: Setting) -> Rehearsed:
    """Rehearses a run. Computes without a pause until it is done.

    Args:
        items: What it asks for.
        setting: Under what.

    Raises:
        StateError: An event loop runs in this thread.
    """

    async def carry_out() -> Rehearsed:
        return await _Rehearsal(setting).carry_out(items)

    return EventLoop().run(carry_out())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stand:
    """Stands where the engine has an endpoint: its names are all that is asked of it."""

    name: str
    provider: str
    origin: str

    @classmethod
    def of(cls, known: Knowledge) -> _Stand:
        """The stand of a model, named as its quota pool is."""
        provider, _, origin = known.pool.partition(" ")
        return cls(name=known.model, provider=provider, origin=origin)

    async def send(
        self, request: Request, *, timeouts: Timeouts, on_token: OnToken | None = None
    ) -> Response | Failure:
        return Failure(kind="connect", message="nothing is sent in a rehearsal")


@dataclass(slots=True)
class _Tries:
    """How one call has gone so far."""

    begun: bool = False
    failures: int = 0
    refusals: int = 0
    invalid: int = 0
    full: int = 0  # refused although there was room
    waited_s: float = 0.0


class _Rehearsal:
    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._chance = random.Random(f"plan {setting.seed}")
        self._timers = asyncio.get_running_loop()
        self._desk = Desk(setting.machine)
        self._providers: dict[str, VirtualProvider] = {}
        self._pools = Pools(
            lambda model: _Stand.of(setting.known[model]), limits=setting.limits, clock=LoopClock()
        )
        self.found = Rehearsed()
        self._count = 0

    async def carry_out(self, items: Sequence[Chain]) -> Rehearsed:
        """Goes through all items as the engine does."""
        crew = Crew(_source(items), self._item, room=self._pools)
        stop = self._timers.call_later(_LONGEST_S, self._overdue, crew)
        ended = self._pools.on_room(crew.kick)
        crew.start()
        try:
            await crew.next_outcome()
        except TimeoutError:
            if not self.found.overdue:
                raise
        finally:
            await crew.end()
            ended()
            stop.cancel()
        return self.found

    def _overdue(self, crew: Crew) -> None:
        self.found.overdue = True
        crew.error = TimeoutError("the rehearsal took too long")
        crew.stop()

    async def _item(self, item: Item) -> None:
        chain: Chain = item.value
        for ask in chain:
            if not await self._call(ask):
                self.found.failed += 1
                break
        await self._desk.commits(1)
        self.found.ended_at.append(self._timers.time())

    async def _call(self, ask: Ask) -> bool:
        """Makes one call; whether it was served."""
        setting, found = self._setting, self.found
        known = setting.known[ask.request.model]
        target = self._pools.target(ask.request.model, rules=_no_rules)
        tries = _Tries()
        while True:
            permit = await target.pool.limiter.acquire(target.cost(ask.request))
            tries.waited_s += permit.queued_s
            found.sent[known.model] = found.sent.get(known.model, 0) + 1
            reply, fault = await self._send(ask, known, tries)
            verdict, usage = reply.verdict, reply.usage
            served = verdict.kind == "served"
            counted = target.counted(ask.request, usage) if served else NO_USAGE
            permit.settle(verdict, usage=counted, headers=reply.headers, stated=reply.stated)
            if served:
                target.pool.last_success = self._timers.time()
                target.learn(ask.request, usage)
                self._pay(known.model, usage)
                if fault is None or ask.request.schema is None:
                    await self._desk.commits(1)
                    return True
                tries.invalid += 1
                if tries.invalid < setting.retry.content_attempts:
                    continue
                await self._desk.commits(1)
                return False
            if not await self._again(target, verdict, tries):
                await self._desk.commits(1)
                return False

    def _pay(self, model: str, usage: Usage) -> None:
        found = self.found
        found.given[model] = found.given.get(model, 0) + (usage.input_tokens or 0)
        found.written[model] = found.written.get(model, 0) + (usage.output_tokens or 0)

    async def _again(self, target: Target, verdict: Verdict, tries: _Tries) -> bool:
        """Waits out the backoff; whether there is another attempt."""
        if verdict.kind == "infrastructure":
            tries.failures += 1
        else:
            tries.refusals += 1
            self.found.refused += 1
        decision = decide(
            self._setting.retry,
            verdict=verdict,
            transient_failures=tries.failures,
            refusals=tries.refusals,
            waited_s=tries.waited_s,
            now=self._timers.time(),
            deadline=math.inf,
            last_success=target.pool.last_success,
            chance=self._chance,
        )
        if isinstance(decision, GiveUp):
            return False
        tries.waited_s += decision.wait_s
        pause: asyncio.Future[None] = self._timers.create_future()
        self._timers.call_later(decision.wait_s, _give, pause, None)
        await pause
        return True

    async def _send(self, ask: Ask, known: Knowledge, tries: _Tries) -> tuple[Reply, Fault | None]:
        """Sends an attempt; the reply, and what was wrong with a served one."""
        fault, service_s = self._drawn(ask, known, tries)
        if fault is not None:
            service_s += fault.extra_s
            if fault.durations_s:
                service_s = self._chance.choice(fault.durations_s)
        self._count += 1
        work = Work(self._count, ask.given, ask.written, self._reserved(ask), service_s, service_s)
        answer: asyncio.Future[Reply] = self._timers.create_future()
        at = self._desk.sent_at(durable=not tries.begun)
        tries.begun = True
        self._timers.call_at(at, self._provider(known).send, work, partial(_give, answer))
        reply = await answer
        if fault is None or reply.status != 200:
            return reply, None
        if fault.kind == "invalid":
            return reply, fault
        tries.full += fault.kind == "full"
        verdict = _FULL if fault.kind == "full" else _FAILED
        status = 503 if fault.kind == "full" else 500
        return _spoilt(reply, status=status, verdict=verdict), fault

    def _reserved(self, ask: Ask) -> int:
        return output_cap(ask.request)[0] or 0

    def _drawn(self, ask: Ask, known: Knowledge, tries: _Tries) -> tuple[Fault | None, float]:
        """What goes wrong with an attempt, if anything, and how long it is worked on."""
        latency = known.latency
        if known.lots is None:
            return self._fault(known.faults), latency.draw(self._chance, ask.written)
        lot = known.lots(ask.request, tries.failures + tries.invalid + tries.full)
        fault = next((one for one in known.faults if one.name == lot.fault), None)
        return fault, known.slowness * lot.latency_s + latency.per_token_s * ask.written

    def _fault(self, faults: Sequence[Fault]) -> Fault | None:
        if not faults:
            return None
        place = self._chance.random()
        for fault in faults:
            place -= fault.share
            if place < 0.0:
                return fault
        return None

    def _provider(self, known: Knowledge) -> VirtualProvider:
        name = known.pool if known.shared else known.model
        provider = self._providers.get(name)
        if provider is None:
            spec: ProviderSpec = replace(known.spec, error_share=0.0)
            provider = VirtualProvider(spec, timers=self._timers, seed=self._setting.seed)
            self._providers[name] = provider
        return provider


def _spoilt(reply: Reply, *, status: int, verdict: Verdict) -> Reply:
    """The reply of a request that was let in and came to nothing."""
    return Reply(status, verdict, NO_USAGE, reply.headers, reply.stated, None, reply.service_s)


def _give(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():  # cancelled, where the rehearsal was ended
        future.set_result(value)


def _no_rules(_: Request) -> Json:
    return None


async def _source(items: Sequence[Chain]) -> AsyncIterator[list[Item]]:
    for start in range(0, len(items), 64):
        piece = items[start : start + 64]
        yield [Item(str(start + n), start + n, chain) for n, chain in enumerate(piece)]
