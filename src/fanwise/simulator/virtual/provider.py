"""A provider as events in virtual time: it admits or refuses, works, and answers.

Records go in and out: a :class:`Work` comes with what it costs, a :class:`Reply` brings what the
limiter is told of a real answer (verdict, usage, headers, stated limits).
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from fanwise.records import NO_USAGE, NOTHING, StatedLimit, Usage, Verdict
from fanwise.simulator.admission import retry_headers
from fanwise.simulator.virtual.course import latency_course, limit_course, outages
from fanwise.simulator.virtual.quota import Quotas
from fanwise.simulator.virtual.sharing import Sharing
from fanwise.simulator.virtual.spec import Busy

if TYPE_CHECKING:
    from fanwise.simulator.virtual.spec import Advice, ProviderSpec

_SERVED: Final = Verdict(kind="served")
_BARE: Final = Verdict(
    kind="capacity", reason="429: refused without a word about when", counted=True
)
_FULL: Final = Verdict(kind="capacity", reason="503: the provider has no capacity")
_BROKEN: Final = Verdict(kind="infrastructure", reason="500: the provider failed")
_SILENT: Final = Verdict(kind="infrastructure", reason="timeout (first byte)")
_LEAST_ADVICE_S: Final = 0.001


class Work(NamedTuple):
    """One request.

    Args:
        number: Which one it is, from 0.
        input_tokens: Tokens it brings.
        output_tokens: Tokens its answer will have.
        reserved_tokens: Output tokens it asks for at most.
        first_token_s: Time to its first token, when nothing is in its way.
        service_s: Time to its last token, when nothing is in its way.
        heavy: Whether it is one of the large ones.
    """

    number: int
    input_tokens: int
    output_tokens: int
    reserved_tokens: int
    first_token_s: float
    service_s: float
    heavy: bool = False


class Reply(NamedTuple):
    """What an attempt brought.

    ``status`` is 0 where no answer came. ``service_s`` is the time for which it was worked on;
    0 of what was refused.
    """

    status: int
    verdict: Verdict
    usage: Usage = NO_USAGE
    headers: Mapping[str, str] = NOTHING
    stated: Sequence[StatedLimit] = ()
    first_token_s: float | None = None
    service_s: float = 0.0


class Timers(Protocol):
    """Of an event loop: time, and a callback at an instant."""

    def time(self) -> float: ...
    def call_at(self, when: float, callback: Callable[..., object], /, *args: object) -> object: ...


class VirtualProvider:
    """A provider at work.

    Args:
        spec: What it is like.
        timers: Virtual time.
        seed: The same seed and the same requests at the same instants give the same answers.
    """

    def __init__(self, spec: ProviderSpec, *, timers: Timers, seed: int = 0) -> None:
        self.spec = spec
        self._timers = timers
        self._chance = random.Random(f"provider {seed}")
        self._quotas = Quotas(spec, now=timers.time())
        self._slots = limit_course(spec.events, "slots")
        self._slowness = latency_course(spec.events)
        self._outages = deque(outages(spec.events))
        self._bursts = tuple(event for event in spec.events if isinstance(event, Busy))
        self._busy = spec.busy_share > 0.0 or bool(self._bursts)
        self._sharing = (
            Sharing(spec.sharing, timers=timers, course=self._slots)
            if spec.sharing < math.inf
            else None
        )
        self._queue: deque[tuple[Work, Callable[[Reply], object]]] = deque()
        self.in_work = 0
        self.admitted = 0
        self.refused = 0

    def send(self, work: Work, reply: Callable[[Reply], object]) -> None:
        """Sends a request; ``reply`` is called once, at the instant its answer is there."""
        timers = self._timers
        timers.call_at(timers.time() + self.spec.speed.network_s, self._arrive, work, reply)

    @property
    def slots(self) -> float:
        """Requests that may be in work now."""
        slots = self.spec.slots
        if slots is None:
            return math.inf
        return max(1.0, round(slots.count * self._slots.at(self._timers.time())))

    def _arrive(self, work: Work, reply: Callable[[Reply], object]) -> None:
        now = self._timers.time()
        if self._out(now, reply):
            return
        if self._busy and self._chance.random() < self._busy_share(now):
            self._refuse(503, _FULL, reply, now=now)
            return
        slots = self.spec.slots
        full = self.in_work >= self.slots
        if (
            slots is not None
            and full
            and (slots.when_full != "queue" or len(self._queue) >= slots.queue)
        ):
            busy = slots.when_full == "503"
            self._refuse(503 if busy else 429, _FULL if busy else _BARE, reply, now=now)
            return
        wait_s = self._quotas.wait_s(work, now)
        if wait_s > 0.0:
            self._refuse_rate(wait_s, reply, now=now)
            return
        self._quotas.take(work, now)
        self.admitted += 1
        if full:
            self._queue.append((work, reply))
        else:
            self._begin(work, reply, now)

    def _busy_share(self, now: float) -> float:
        bursts = (e.share for e in self._bursts if e.from_s <= now < e.until_s)
        return max(self.spec.busy_share, *bursts, 0.0)

    def _out(self, now: float, reply: Callable[[Reply], object]) -> bool:
        while self._outages and self._outages[0].until_s <= now:
            self._outages.popleft()
        if not self._outages or now < self._outages[0].from_s:
            return False
        answer = self._outages[0].answer
        if answer == "503":
            self._refuse(503, _FULL, reply, now=now)
        elif answer == "500":
            self._refuse(500, _BROKEN, reply, now=now)
        else:
            self._timers.call_at(now + self.spec.silence_s, reply, Reply(0, _SILENT))
        return True

    # refusals

    def _refuse(
        self,
        status: int,
        verdict: Verdict,
        reply: Callable[[Reply], object],
        *,
        now: float,
        headers: Mapping[str, str] = NOTHING,
        stated: Sequence[StatedLimit] = (),
    ) -> None:
        self.refused += 1
        told = Reply(status, verdict, NO_USAGE, headers, stated)
        self._timers.call_at(now + self.spec.speed.refusal_s, reply, told)

    def _refuse_rate(self, wait_s: float, reply: Callable[[Reply], object], *, now: float) -> None:
        spec = self.spec
        headers = dict(advice_headers(wait_s, advice=spec.advice, coarse_s=spec.coarse_s))
        stated: Sequence[StatedLimit] = ()
        if spec.states_limits:
            headers |= self._quotas.headers(now)
            stated = self._quotas.stated(now)
        if not headers:
            self._refuse(429, _BARE, reply, now=now)
            return
        asked_s = headers.get("retry-after-ms")
        seconds = headers.get("retry-after")
        verdict = Verdict(
            kind="rate",
            retry_after_s=float(asked_s) / 1000.0
            if asked_s
            else float(seconds)
            if seconds
            else None,
            reason="429: rate limit",
        )
        self._refuse(429, verdict, reply, now=now, headers=headers, stated=stated)

    # work

    def _begin(self, work: Work, reply: Callable[[Reply], object], now: float) -> None:
        self.in_work += 1
        slowness = self._slowness.at(now)
        service_s = work.service_s * slowness
        fails = self.spec.error_share > 0.0 and self._chance.random() < self.spec.error_share
        if fails:
            service_s *= self._chance.random()
        if self._sharing is not None:
            self._sharing.add(service_s, self._end, (work, reply, now, fails))
        else:
            self._timers.call_at(now + service_s, self._end, work, reply, now, fails)

    def _end(
        self, work: Work, reply: Callable[[Reply], object], began_at: float, fails: bool
    ) -> None:
        now = self._timers.time()
        self.in_work -= 1
        if self._queue and self.in_work < self.slots:
            queued, their_reply = self._queue.popleft()
            self._begin(queued, their_reply, now)
        self._quotas.charge(work, now)
        service_s = now - began_at
        if fails:
            reply(Reply(500, _BROKEN, service_s=service_s))
            return
        share = work.first_token_s / work.service_s if work.service_s else 1.0
        spec = self.spec
        headers: Mapping[str, str] = NOTHING
        stated: Sequence[StatedLimit] = ()
        if spec.states_limits:
            headers, stated = self._quotas.headers(now), self._quotas.stated(now)
        usage = Usage(input_tokens=work.input_tokens, output_tokens=work.output_tokens)
        reply(Reply(200, _SERVED, usage, headers, stated, service_s * share, service_s))


def advice_headers(wait_s: float, *, advice: Advice, coarse_s: float) -> Mapping[str, str]:
    """What a refusal says of Retry-After, when the truth is ``wait_s``."""
    if advice == "coarse":
        return retry_headers(coarse_s, form="integer", wall_s=0.0)
    if advice == "short":
        return retry_headers(max(_LEAST_ADVICE_S, wait_s / 10.0), form="exact", wall_s=0.0)
    if advice == "long":
        return retry_headers(wait_s * 5.0, form="exact", wall_s=0.0)
    return retry_headers(wait_s, form=advice, wall_s=0.0)
