"""Models by name, each behind the limiter of its quota pool."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from fanwise.engine.keyring import KeyRing
from fanwise.errors import CallError, ConfigError
from fanwise.limits.estimate import TokenEstimator
from fanwise.limits.limiter import Limiter
from fanwise.limits.profiles.known import profile_of
from fanwise.limits.profiles.stated import StatedReader
from fanwise.limits.settings import Limits
from fanwise.models.rules import RULES_MODEL, Rules, RulesEndpoint
from fanwise.records import Cause, Cost, Failure, Json, Request, Response, StatedLimit, Usage

if TYPE_CHECKING:
    from fanwise.clock import Clock
    from fanwise.limits.machine import Load
    from fanwise.models.endpoint import Endpoint

LEARNED: Final = "limits.learned"
"""The kind of event in which the journal keeps :meth:`Pools.learned` at the end of a session."""

_SPARE_WORKERS = 64
_MOST_WORKERS = 20_000
_BUILTIN_AT_ONCE = 20


@dataclass(slots=True)
class Pool:
    """One quota pool: what shares a provider's limits.

    ``last_success`` is the monotonic instant of its last served call (of its start before that).
    ``dead`` is set where its key was refused, or nobody was there, before anything was served:
    nothing more is sent then. ``joined`` is the pool that takes its place where its key turned out
    to belong to the same account.
    """

    name: str
    limiter: Limiter
    last_success: float
    served: bool = False
    dead: CallError | None = None
    joined: Pool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A model that can be called: its endpoint, its pool, its token estimates, what reads its
    answers' statements of limits, and the other keys, where there are several.
    """

    endpoint: Endpoint
    pool: Pool
    estimator: TokenEstimator
    stated: StatedReader
    key_name: str = ""
    ring: KeyRing | None = None

    def cost(self, request: Request) -> Cost:
        """What a request takes from the quotas."""
        if self.pool.limiter.counts_tokens:
            return self.estimator.estimate(request)
        return _ONE_REQUEST

    def counted(self, request: Request, usage: Usage) -> Usage:
        """What a served request has taken from the quotas, as its provider counts."""
        if self.pool.limiter.counts_tokens:
            return self.estimator.counted(request, usage)
        return usage

    def heard(self, reply: Response | Failure, *, wall_s: float) -> Sequence[StatedLimit]:
        """What an attempt's end says of the provider's limits; and of whose key it was sent with.

        Args:
            reply: The answer, or what came instead of one.
            wall_s: Seconds since the Unix epoch.
        """
        if self.ring is not None:
            self.ring.heard(self, reply.headers)
        body = reply.body if isinstance(reply, Failure) else ""
        return self.stated.read(reply.headers, wall_s=wall_s, body=body)

    def learn(self, request: Request, usage: Usage) -> None:
        """Takes the tokens that were really used into the estimates."""
        if self.pool.limiter.counts_tokens:
            self.estimator.learn(request, usage)


_ONE_REQUEST = Cost()


class Resolve(Protocol):
    """Finds the endpoint of a model's name, or one for each of its keys."""

    def __call__(self, model: str, /) -> Endpoint | tuple[Endpoint, ...]: ...


class Pools:
    """Every model of a run and the limiters they share.

    Args:
        resolve: Finds an endpoint; raises ConfigError for a name it does not know.
        limits: The limits of each pool; of ``builtin/…`` only the concurrency counts.
        clock: Time.
    """

    def __init__(self, resolve: Resolve, *, limits: Limits, clock: Clock) -> None:
        self._resolve = resolve
        self._limits = limits
        self._paused = False
        self._clock = clock
        self._pools: dict[str, Pool] = {}
        self._targets: dict[str, Target] = {}
        self._rings: list[KeyRing] = []
        self._room_callbacks: list[Callable[[], None]] = []

    def target(self, model: str, *, rules: Rules | None = None) -> Target:
        """The target of a model's name; the same object for the same name.

        Args:
            model: ``provider/model``.
            rules: What ``builtin/rules`` runs for this call.

        Raises:
            ConfigError: Unknown model, missing key, or ``builtin/rules`` without rules.
        """
        if model in (RULES_MODEL, "builtin:rules"):
            if rules is None:
                raise ConfigError(
                    "builtin/rules has no rules for this call",
                    hint="the ready pipelines bring their own; pass rules=… with your call, or "
                    "name a model such as openai/gpt-4o-mini or sim/default",
                )
            return self._add(RulesEndpoint(rules))
        found = self._targets.get(model)
        if found is None:
            endpoints = self._resolve(model)
            if not isinstance(endpoints, tuple):
                endpoints = (endpoints,)
            first, *others = endpoints
            found = self._ring(endpoints) if others else self._add(first)
            self._targets[model] = found
        return found

    def _ring(self, endpoints: tuple[Endpoint, ...]) -> Target:
        """A model behind several keys. Stated limits hold for all of them together."""
        limits = self._limits
        apart = limits.stated_concurrency is None and not any(limits.quotas())
        ring = KeyRing(
            [self._add(endpoint, apart=apart) for endpoint in endpoints], clock=self._clock
        )
        self._rings.append(ring)
        return ring.first

    def _add(self, endpoint: Endpoint, *, apart: bool = False) -> Target:
        limits = self._limits
        if endpoint.provider == "builtin":
            limits = _of_builtin(limits)
        name = f"{endpoint.provider} {endpoint.origin}".strip()
        key_name: str = getattr(endpoint, "key_name", "")
        if apart:
            name = f"{name} {key_name}"
        pool = self._pools.get(name)
        if pool is None:
            limiter = Limiter(limits, clock=self._clock, name=name)
            limiter.on_room(self._tell_room)
            if self._paused:
                limiter.pause()
            pool = self._pools[name] = Pool(name, limiter, self._clock.monotonic())
        profile = profile_of(endpoint.provider, origin=endpoint.origin)
        return Target(
            endpoint=endpoint,
            pool=pool,
            estimator=TokenEstimator(profile),
            stated=StatedReader(profile),
            key_name=key_name,
        )

    def on_room(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back when a limiter has room again; returns what ends that."""
        self._room_callbacks.append(callback)
        return lambda: self._room_callbacks.remove(callback)

    def _tell_room(self) -> None:
        for callback in tuple(self._room_callbacks):
            callback()

    def has_room(self) -> bool:
        """Whether nobody waits for a permit anywhere; of several keys' pools one is enough."""
        if not self._rings:
            return all(not pool.limiter.waiting for pool in self._pools.values())
        ringed = [ring.pools for ring in self._rings]
        held = {pool.name for pools in ringed for pool in pools}
        return all(any(not pool.limiter.waiting for pool in pools) for pools in ringed) and all(
            not pool.limiter.waiting for pool in self._in_use() if pool.name not in held
        )

    def _in_use(self) -> list[Pool]:
        return [pool for pool in self._pools.values() if pool.joined is None]

    def max_workers(self) -> int:
        """Workers beyond which a further one could only queue."""
        concurrency = self.limit
        if not math.isfinite(concurrency):
            return _MOST_WORKERS
        return min(_MOST_WORKERS, 4 * int(concurrency) + _SPARE_WORKERS)

    def all_dead(self) -> CallError | None:
        """The last refusal of a key, where no pool is left that could serve anything."""
        dead = [pool.dead for pool in self._in_use()]
        return dead[-1] if dead and all(dead) else None

    def bear(self, load: Load) -> None:
        """Takes in how busy this machine is."""
        for pool in self._pools.values():
            pool.limiter.bear(load)

    def refuse_all(self, error: Exception) -> None:
        """Everybody who waits for a permit, now or later, gets this error instead."""
        for pool in self._pools.values():
            pool.limiter.close(error)

    def requests(self) -> tuple[int, int]:
        """Requests let through until now, and those of them that were refused, over all pools."""
        counts = [pool.limiter.statistics() for pool in self._pools.values()]
        return sum(count.granted for count in counts), sum(count.refused for count in counts)

    @property
    def learning(self) -> bool:
        """Whether a limit of any pool is still being learned."""
        return any(limiter.statistics().learning for limiter in self.limiters)

    @property
    def adaptive(self) -> bool:
        """Whether how many are in flight is learned, and not stated."""
        return self._limits.stated_concurrency is None

    def waiting_by_cause(self) -> Mapping[Cause, int]:
        """Requests that wait for a permit, by what they wait for, over all pools."""
        total: dict[Cause, int] = {}
        for pool in self._pools.values():
            for cause, count in pool.limiter.waiting_by_cause().items():
                total[cause] = total.get(cause, 0) + count
        return total

    @property
    def in_flight(self) -> int:
        """Requests that hold a permit, over all pools."""
        return sum(pool.limiter.in_flight for pool in self._pools.values())

    @property
    def limit(self) -> float:
        """The concurrency limits in force, stated or learned, summed over the pools in use."""
        if not self._pools:
            return float(self._limits.concurrency_range.start)
        return sum(pool.limiter.concurrency for pool in self._in_use())

    def learned(self) -> Mapping[str, Mapping[str, Json]]:
        """By pool: what its provider stated of its limits, and what its refusals taught.

        Pools that learned nothing are left out.
        """
        found: dict[str, Mapping[str, Json]] = {}
        for pool in self._pools.values():
            seen = pool.limiter.statistics()
            if not seen.told and not seen.refused:
                continue
            said: dict[str, Json] = {"stated": {**seen.told}, "refused": seen.refused}
            if seen.refused:
                at_once = seen.concurrency if math.isfinite(seen.concurrency) else None
                said |= {"rpm": seen.learned_rpm, "concurrency": at_once}
                if seen.learned_tpm is not None:
                    said["tpm"] = seen.learned_tpm
            found[pool.name] = said
        return found

    @property
    def limits(self) -> Limits:
        """The limits in force, as stated for each pool."""
        return self._limits

    @property
    def limiters(self) -> Sequence[Limiter]:
        """The limiters of the pools in use."""
        return [pool.limiter for pool in self._in_use()]

    @property
    def models(self) -> Sequence[str]:
        """The models that were called, by name."""
        return list(self._targets)

    @property
    def paused(self) -> bool:
        """Whether nothing is sent until :meth:`resume`."""
        return self._paused

    def update(self, limits: Limits) -> None:
        """Puts new limits into force at once, in every pool."""
        self._limits = limits
        for pool in self._pools.values():
            builtin = pool.name.startswith("builtin ")
            pool.limiter.update(_of_builtin(limits) if builtin else limits)

    def pause(self) -> None:
        """Sends nothing more until :meth:`resume`; what is in flight goes on."""
        self._paused = True
        for pool in self._pools.values():
            pool.limiter.pause()

    def resume(self) -> None:
        """Ends a pause."""
        self._paused = False
        for pool in self._pools.values():
            pool.limiter.resume()


def _of_builtin(limits: Limits) -> Limits:
    """What holds for models that run in this process: nothing there refuses, nothing is learned."""
    stated = limits.stated_concurrency
    return Limits(concurrency=_BUILTIN_AT_ONCE if stated is None else stated)
