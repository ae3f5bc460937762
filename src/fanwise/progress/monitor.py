"""What goes wrong in a run of late, and the alerts that say so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from fanwise.errors import ConfigError
from fanwise.progress.shares import Share, State, Window, step

Figure = Literal["rate_limited", "failures", "saturation", "pool"]
RAISED: Final = "alert.raised"
CLEARED: Final = "alert.cleared"
_WORDS: Final[Mapping[Figure, str]] = {
    "rate_limited": "rate-limited",
    "failures": "failures",
    "saturation": "saturation",
    "pool": "pool use",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """From which shares on an alert is raised, over a sliding window; ``None`` for never.

    An alert is cleared when its share has stayed under half its threshold for a whole window.

    Args:
        rate_limited: Requests that the provider turned away, among those sent.
        failures: Calls that failed, among those that ended.
        saturation: Calls in flight, among those allowed. A run that works as fast as it may is
            saturated, so that this is off by default.
        pool: Use of a pool of yours, such as connections to a database; see ``pool_use``.
        window_s: Length of the window in seconds, above 0.
        min_samples: Samples that a share needs before it counts, at least 1. The last two figures
            are sampled ten times a second.
        pool_use: Says how much of that pool is in use, 0 to 1; asked ten times a second.

    Raises:
        ConfigError: A value is impossible.
    """

    rate_limited: float | None = 0.05
    failures: float | None = 0.20
    saturation: float | None = None
    pool: float | None = 0.80
    window_s: float = 60.0
    min_samples: int = 50
    pool_use: Callable[[], float] | None = None

    def __post_init__(self) -> None:
        for name in _WORDS:
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise ConfigError(
                    f"{name}={value!r} is impossible",
                    hint=f"give {name} as a share above 0, at most 1; None for no alert",
                )
        if not 0 < self.window_s < math.inf:
            raise ConfigError(f"window_s={self.window_s!r} is impossible", hint="give seconds")
        if self.min_samples < 1:
            raise ConfigError(f"min_samples={self.min_samples!r} is impossible", hint="give 1, …")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert was raised, or cleared.

    Args:
        figure: What crossed its threshold.
        raised: Whether it was raised; else cleared.
        reason: In words.
        share: The share at that moment.
    """

    figure: Figure
    raised: bool
    reason: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The shares of the window at one instant; ``None`` of one without a sample.

    Args:
        rate_limited, failures, saturation, pool: As :class:`Alerts` has them.
        requests, ended: Requests sent and calls ended in the window.
        alerts: The alerts that are raised, in words.
    """

    rate_limited: float | None
    failures: float | None
    saturation: float | None
    pool: float | None
    requests: int
    ended: int
    alerts: Sequence[str]


class Monitor:
    """Watches over a run: is fed by its sampler, and told apart from what it decides.

    Args:
        alerts: The thresholds.
    """

    def __init__(self, alerts: Alerts | None = None) -> None:
        self._alerts = alerts or Alerts()
        self._windows: dict[Figure, Window] = {
            name: Window(self._alerts.window_s) for name in _WORDS
        }
        self._states: dict[Figure, State] = dict.fromkeys(_WORDS, State())
        self._seen: dict[Figure, tuple[int, int]] = {}

    def __repr__(self) -> str:
        return f"<Monitor: {'; '.join(self.raised) or 'nothing raised'}>"

    @property
    def raised(self) -> Sequence[str]:
        """The alerts that are raised, in words."""
        return [state.reason for state in self._states.values() if state.reason]

    def observe(
        self,
        now: float,
        *,
        requests: tuple[int, int],
        calls: tuple[int, int],
        in_flight: int,
        limit: float,
    ) -> Sequence[Alert]:
        """Takes in the run at an instant; what was raised or cleared by it.

        Args:
            now: The instant; never earlier than the one before.
            requests: Requests sent so far, and those of them that were turned away.
            calls: Calls ended so far, and those of them that failed.
            in_flight: Calls in flight.
            limit: Calls in flight that are allowed; ``math.inf`` where any number.
        """
        self._count("rate_limited", now, requests)
        self._count("failures", now, calls)
        if 0 < limit < math.inf:
            self._windows["saturation"].add(now, hits=min(1.0, in_flight / limit), of=1)
        if self._alerts.pool_use is not None:
            used = min(1.0, max(0.0, self._alerts.pool_use()))
            self._windows["pool"].add(now, hits=used, of=1)
        found = [self._look(name, now) for name in _WORDS]
        return [alert for alert in found if alert is not None]

    def figures(self) -> Figures:
        """What it sees, as of the latest sample."""
        windows = self._windows
        shares = {name: one.hits / one.of if one.of else None for name, one in windows.items()}
        return Figures(
            rate_limited=shares["rate_limited"],
            failures=shares["failures"],
            saturation=shares["saturation"],
            pool=shares["pool"],
            requests=windows["rate_limited"].of,
            ended=windows["failures"].of,
            alerts=self.raised,
        )

    def _count(self, name: Figure, now: float, counted: tuple[int, int]) -> None:
        of, hits = counted
        before_of, before_hits = self._seen.get(name, (of, hits))
        self._seen[name] = counted
        if of > before_of or hits > before_hits:
            more = max(of - before_of, hits - before_hits)
            self._windows[name].add(now, hits=hits - before_hits, of=more)

    def _look(self, name: Figure, now: float) -> Alert | None:
        threshold: float | None = getattr(self._alerts, name)
        if threshold is None:
            return None
        window, before = self._windows[name], self._states[name]
        window.advance(now)
        share = window.hits / window.of if window.of else 0.0
        shown = Share(name=_WORDS[name], samples=window.of, share=share, threshold=threshold)
        after, change = step(self._alerts, before, (shown,), now=now, learning=False)
        self._states[name] = after
        if change is None:
            return None
        raised = change == "tripped"
        return Alert(
            figure=name,
            raised=raised,
            reason=after.reason if raised else before.reason,
            share=share,
        )
