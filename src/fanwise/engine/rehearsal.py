"""A run in virtual time: a limiter as it is, the retry policy as it is, a provider made of events.

The limiter and the provider do not know each other; here the one's permits meet the other's
answers. Nothing waits and nothing is sent, so that an hour passes in a second or less, and always
in the same way for the same seed.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from fanwise.clock import Clock, LoopClock
from fanwise.records import Cost, StatedLimit, Usage, Verdict, VerdictKind
from fanwise.retry.policy import GiveUp, Retry, decide
from fanwise.simulator.virtual.loop import EventLoop
from fanwise.simulator.virtual.provider import VirtualProvider
from fanwise.simulator.virtual.scenario import works

if TYPE_CHECKING:
    from fanwise.simulator.virtual.provider import Reply, Work
    from fanwise.simulator.virtual.scenario import Scenario


class AnyPermit(Protocol):
    """Of a permit: it is settled once, with what really happened."""

    def settle(
        self,
        verdict: Verdict,
        *,
        usage: Usage = ...,
        headers: Mapping[str, str] = ...,
        sent: bool = ...,
        stated: Sequence[StatedLimit] = ...,
    ) -> None: ...


class AnyLimiter(Protocol):
    """Of a limiter: it gives permits, in whatever order and at whatever pace it thinks right."""

    async def acquire(self, cost: Cost = ..., /) -> AnyPermit: ...


class Sent(NamedTuple):
    """One attempt.

    Args:
        client: Who sent it.
        work: What was asked.
        attempt: The how-many-th of its request, from 1.
        asked_at: When a permit was asked for.
        granted_at: When it was given.
        ended_at: When the answer was there.
        kind: What the answer meant.
        service_s: How long it was worked on.
    """

    client: int
    work: Work
    attempt: int
    asked_at: float
    granted_at: float
    ended_at: float
    kind: VerdictKind
    service_s: float


class Sample(NamedTuple):
    """A limiter at an instant: permits held, and the limit it reports itself, where it has one."""

    at_s: float
    in_flight: int
    limit: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What happened in a rehearsal.

    Args:
        scenario: What was rehearsed.
        sent: Every attempt, in the order of their ends.
        failed: Requests that were given up, by client.
        samples: The first client's limiter, second by second.
        ended_at: Virtual seconds until the last answer.
    """

    scenario: Scenario
    sent: Sequence[Sent]
    failed: Sequence[int]
    samples: Sequence[Sample]
    ended_at: float


def rehearse(
    scenario: Scenario,
    limiter: Callable[[Clock], AnyLimiter],
    *,
    seed: int = 0,
    retry: Retry | None = None,
) -> Trace:
    """Runs a scenario in virtual time. Computes without a pause until it is done.

    Args:
        scenario: What to rehearse.
        limiter: Makes the limiter of one client.
        seed: The same seed gives the same trace.
        retry: What refused and failed requests do; the default policy if omitted.

    Raises:
        StateError: An event loop runs in this thread.
        RuntimeError: The limiter waits for something that never comes.
    """
    loop = EventLoop()
    return loop.run(_rehearse(scenario, limiter, seed=seed, retry=retry or Retry()))


async def _rehearse(
    scenario: Scenario, limiter: Callable[[Clock], AnyLimiter], *, seed: int, retry: Retry
) -> Trace:
    loop = asyncio.get_running_loop()
    provider = VirtualProvider(scenario.provider, timers=loop, seed=seed)
    clients = [
        _Client(scenario, number, limiter(LoopClock()), provider, seed=seed, retry=retry)
        for number in range(scenario.clients)
    ]
    samples: list[Sample] = []
    clients[0].sample_into(samples)
    for client in clients:
        loop.call_at(client.number * scenario.stagger_s, client.start)
    for client in clients:
        await client.done
    sent = [one for client in clients for one in client.sent]
    if len(clients) > 1:
        sent.sort(key=lambda one: one.ended_at)
    return Trace(
        scenario=scenario,
        sent=sent,
        failed=[client.failed for client in clients],
        samples=samples,
        ended_at=max((one.ended_at for one in sent), default=0.0),
    )


@dataclass(slots=True)
class _Tries:
    """How one request has gone so far."""

    attempt: int = 0
    failures: int = 0
    refusals: int = 0
    waited_s: float = 0.0


class _Client:
    """Sends the requests of one client, each in a task of its own, until its time is up."""

    def __init__(
        self,
        scenario: Scenario,
        number: int,
        limiter: AnyLimiter,
        provider: VirtualProvider,
        *,
        seed: int,
        retry: Retry,
    ) -> None:
        self.number = number
        self.sent: list[Sent] = []
        self.failed = 0
        self._scenario = scenario
        self._limiter = limiter
        self._provider = provider
        self._retry = retry
        self._closed = scenario.load.arrivals_per_s is None
        self._chance = random.Random(f"client {seed} {number}")
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()
        speed = scenario.provider.speed
        self._works: Iterator[Work] = works(scenario.load, speed, seed=seed, client=number)
        self._tasks: dict[asyncio.Task[None], None] = {}  # in order, for determinism
        self._under_way: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._fresh = 0  # requests that were never sent yet
        self._last_success = 0.0

    def start(self) -> None:
        """Begins; the client ends by itself."""
        load = self._scenario.load
        self._last_success = self._loop.time()
        self._loop.call_at(self._scenario.duration_s, self._stop)
        if self._closed:
            for _ in range(load.standing):
                self._next()
        else:
            self._arrive()

    def sample_into(self, samples: list[Sample]) -> None:
        """Looks at the limiter every second from now on, as long as requests are sent."""
        if self._stopped:
            return
        limit: Any = getattr(self._limiter, "concurrency", None)
        samples.append(Sample(self._loop.time(), len(self._under_way), limit))
        self._loop.call_later(1.0, self.sample_into, samples)

    def _arrive(self) -> None:
        if not self._stopped:
            self._next()
            mean = self._scenario.load.arrivals_per_s or 1.0
            self._loop.call_later(self._chance.expovariate(mean), self._arrive)

    def _next(self) -> None:
        """Brings the next request, unless all workers have one."""
        load = self._scenario.load
        full = len(self._tasks) >= load.workers or self._fresh >= load.standing
        if full and self._closed:
            return
        work = None if self._stopped else next(self._works, None)
        if work is None:
            self._stopped = self._stopped or not self._tasks
            self._look_whether_done()
            return
        self._fresh += 1
        task = self._loop.create_task(self._make(work))
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    def _stop(self) -> None:
        """The time is up: whoever waits leaves, whatever is under way is still answered."""
        self._stopped = True
        for task in self._tasks:
            if task not in self._under_way:
                task.cancel()
        self._look_whether_done()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and task.exception() is not None and not self.done.done():
            self.done.set_exception(task.exception() or RuntimeError())
        if not self._stopped and self._closed:
            self._next()
        self._look_whether_done()

    def _look_whether_done(self) -> None:
        finite = self._scenario.load.items < math.inf
        if not self._tasks and (self._stopped or finite) and not self.done.done():
            self._stopped = True
            self.done.set_result(None)

    async def _make(self, work: Work) -> None:
        """Makes one request: permit, send, settle, decide; until it is served or given up."""
        loop = self._loop
        cost = Cost(requests=1, input_tokens=work.input_tokens, output_tokens=work.reserved_tokens)
        tries = _Tries()
        while True:
            tries.attempt += 1
            asked_at = loop.time()
            permit = await self._limiter.acquire(cost)
            granted_at = loop.time()
            tries.waited_s += granted_at - asked_at
            if tries.attempt == 1:
                self._fresh -= 1
                if self._closed:
                    self._next()
            reply = await self._send(work, permit)
            times = (asked_at, granted_at, loop.time())
            kind = reply.verdict.kind
            self.sent.append(Sent(self.number, work, tries.attempt, *times, kind, reply.service_s))
            if kind == "served":
                self._last_success = loop.time()
                return
            wait_s = self._wait_s(reply.verdict, tries)
            if wait_s is None:
                self.failed += 1
            if wait_s is None or self._stopped:
                return
            await self._sleep(wait_s)
            tries.waited_s += wait_s

    def _wait_s(self, verdict: Verdict, tries: _Tries) -> float | None:
        """What the retry policy says: seconds until the next attempt, or that there is none."""
        if verdict.kind == "infrastructure":
            tries.failures += 1
        else:
            tries.refusals += 1
        decision = decide(
            self._retry,
            verdict=verdict,
            transient_failures=tries.failures,
            refusals=tries.refusals,
            waited_s=tries.waited_s,
            now=self._loop.time(),
            deadline=math.inf,
            last_success=self._last_success,
            chance=self._chance,
        )
        return None if isinstance(decision, GiveUp) else decision.wait_s

    async def _send(self, work: Work, permit: AnyPermit) -> Reply:
        future: asyncio.Future[Reply] = self._loop.create_future()
        task = asyncio.current_task(self._loop)
        assert task is not None
        self._under_way.add(task)
        self._provider.send(work, future.set_result)
        reply = await future
        self._under_way.discard(task)
        permit.settle(reply.verdict, usage=reply.usage, headers=reply.headers, stated=reply.stated)
        return reply

    async def _sleep(self, wait_s: float) -> None:
        pause: asyncio.Future[None] = self._loop.create_future()
        self._loop.call_later(wait_s, _wake, pause)
        await pause


def _wake(pause: asyncio.Future[None]) -> None:
    if not pause.done():
        pause.set_result(None)
