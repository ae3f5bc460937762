"""Guardrails: what a caller configures, and the state that maps share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fanwise.clock import LoopClock
from fanwise.engine.guardrails.rollout import flag_allows, in_rollout
from fanwise.engine.guardrails.rules import Change, Rules, Share, State, Window, step
from fanwise.errors import ConfigError

if TYPE_CHECKING:
    from fanwise.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailEvent:
    """Guardrails tripped or recovered.

    Args:
        kind: ``tripped`` or ``recovered``.
        reason: What crossed its threshold; of a recovery, what had.
        at_s: Instant, on the event loop's clock.
    """

    kind: Change
    reason: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailStatistics:
    """What guardrails see now, over their window; shares are ``None`` without a sample."""

    degraded: str
    trips: int
    requests: int
    rate_limited: float | None
    ended: int
    failures: float | None
    pool: float | None


class Guardrails:
    """Makes new work of a map go one after another while too much goes wrong, and back again.

    Shares are taken over a sliding window. Where one is above its threshold with at least
    ``min_samples`` samples, work that has not begun goes one item after another; when all have
    stayed under half their thresholds for a whole window, it goes side by side again. One object
    may watch over many maps of one event loop.

        guardrails = fw.Guardrails(failures=0.1, pool_use=lambda: pool.used / pool.size)
        async with fw.map(work, items, guardrails=guardrails) as outcomes: …

    Args:
        rate_limited: Share of requests that may be refused, above 0 to 1.
        failures: Share of items that may fail, above 0 to 1.
        pool: Share of a pool that may be in use on average, above 0 to 1; see ``pool_use``.
        window_s: Length of the window in seconds, above 0.
        min_samples: Samples that a share needs to count, at least 1.
        rollout_percent: Part of users, or of requests, that works in parallel, 0 to 100. Below 100
            every map says whose it is: ``guardrails.of(user=…)`` or ``guardrails.of(request=…)``.
        flag_env: Environment variable that forces one after another where it is ``false``.
        pool_use: Says how much of the pool is in use, 0 to 1; asked when an item begins or ends.
        on_event: Is told when they trip and recover. What it raises ends the map that told it.
        env: The environment, for tests.
        clock: Time, for tests.

    Raises:
        ConfigError: A value is impossible; nothing was begun.
    """

    def __init__(
        self,
        *,
        rate_limited: float = 0.05,
        failures: float = 0.20,
        pool: float = 0.80,
        window_s: float = 60.0,
        min_samples: int = 50,
        rollout_percent: float = 100,
        flag_env: str = "FANWISE_PARALLEL",
        pool_use: Callable[[], float] | None = None,
        on_event: Callable[[GuardrailEvent], None] | None = None,
        env: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._rules = Rules(
            rate_limited=rate_limited,
            failures=failures,
            pool=pool,
            window_s=window_s,
            min_samples=min_samples,
        )
        if not 0 <= rollout_percent <= 100:
            raise ConfigError(
                f"rollout_percent={rollout_percent!r} is impossible", hint="give 0 to 100"
            )
        self._percent = rollout_percent
        self._flag_env = flag_env
        self._pool_use = pool_use
        self._env = os.environ if env is None else env
        self._clock = clock or LoopClock()
        self._requests = Window(window_s)
        self._ended = Window(window_s)
        self._pool = Window(window_s)
        self._state = State()
        self._trips = 0
        self._listeners: list[Callable[[GuardrailEvent], None]] = [on_event] if on_event else []

    def __repr__(self) -> str:
        state = f"degraded: {self._state.reason}" if self.degraded else "clear"
        return f"<Guardrails {state}, {self._trips} trips>"

    @property
    def degraded(self) -> str:
        """Why new work goes one after another; empty where it does not."""
        return self._state.reason

    def mismatch(self, what: str) -> None:
        """A result that belongs to something else (another template, say): trips at once.

        Args:
            what: What does not fit, for people.
        """
        now = self._clock.monotonic()
        reason = f"mismatched result: {what}"
        tripped = self._state.since is None
        self._state = State(reason, now, None)
        if tripped:
            self._tell("tripped", reason, now)

    def of(self, *, user: str | None = None, request: str | None = None) -> GuardrailsOf:
        """These guardrails for the work of one user or, where none is known, of one request.

        Args:
            user: The user's id; decides where it is given.
            request: The request's key.
        """
        return GuardrailsOf(self, user if user is not None else request)

    def forbids_parallel(self, key: str | None = None) -> str:
        """Why this key's work goes one after another from the start; empty where it need not.

        Raises:
            ConfigError: There is a rollout, and no key to decide by; or the flag is no flag.
        """
        if not flag_allows(self._flag_env, self._env):
            return f"{self._flag_env} is off"
        if self._percent >= 100:
            return ""
        if key is None:
            raise ConfigError(
                f"a rollout of {self._percent:g} % cannot tell whose work this is",
                hint="pass guardrails=guardrails.of(user=…) or guardrails.of(request=…)",
            )
        return (
            "" if in_rollout(key, self._percent) else f"not in the rollout of {self._percent:g} %"
        )

    def observe(
        self, *, requests: int = 0, rate_limited: int = 0, ended: int = 0, failed: int = 0
    ) -> None:
        """Counts what has happened since the last time. Maps do this by themselves.

        Args:
            requests: Requests that were let through.
            rate_limited: Those that were refused.
            ended: Items that ended.
            failed: Those that failed.
        """
        now = self._clock.monotonic()
        if requests or rate_limited:
            self._requests.add(now, hits=rate_limited, of=max(requests, rate_limited))
        if ended:
            self._ended.add(now, hits=failed, of=ended)

    def check(self, *, learning: bool = False) -> None:
        """Looks whether a threshold is crossed, or has not been for long enough.

        Args:
            learning: Whether a limit is still being learned: nothing trips then.
        """
        now = self._clock.monotonic()
        if self._pool_use is not None:
            self._pool.add(now, hits=min(1.0, max(0.0, self._pool_use())), of=1)
        before = self._state
        self._state, change = step(
            self._rules, before, self._shares(now), now=now, learning=learning
        )
        if change is not None:
            self._tell(change, self._state.reason or before.reason, now)

    def subscribe(self, listener: Callable[[GuardrailEvent], None]) -> Callable[[], None]:
        """Tells somebody else too; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def statistics(self) -> GuardrailStatistics:
        """What they see at this instant."""
        requests, ended, pool = self._shares(self._clock.monotonic())
        return GuardrailStatistics(
            degraded=self._state.reason,
            trips=self._trips,
            requests=requests.samples,
            rate_limited=requests.share if requests.samples else None,
            ended=ended.samples,
            failures=ended.share if ended.samples else None,
            pool=pool.share if pool.samples else None,
        )

    def _shares(self, now: float) -> tuple[Share, Share, Share]:
        rules = self._rules
        return (
            _share("rate-limited", self._requests, rules.rate_limited, now),
            _share("failures", self._ended, rules.failures, now),
            _share("pool use", self._pool, rules.pool, now),
        )

    def _tell(self, kind: Change, reason: str, now: float) -> None:
        self._trips += kind == "tripped"
        event = GuardrailEvent(kind=kind, reason=reason, at_s=now)
        for listener in tuple(self._listeners):
            listener(event)


@dataclass(frozen=True, slots=True)
class GuardrailsOf:
    """Guardrails for the work of one user or request; made by :meth:`Guardrails.of`.

    Args:
        shared: The guardrails, one for everybody.
        key: The user's id or the request's key, by which a rollout decides.
    """

    shared: Guardrails
    key: str | None


def _share(name: str, window: Window, threshold: float, now: float) -> Share:
    window.advance(now)
    share = window.hits / window.of if window.of else 0.0
    return Share(name=name, samples=window.of, share=share, threshold=threshold)
