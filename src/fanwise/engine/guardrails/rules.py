"""The thresholds of guardrails. How shares are told is :mod:`fanwise.progress.shares`."""

from __future__ import annotations

from dataclasses import dataclass

from fanwise.errors import ConfigError
from fanwise.progress.shares import Change, Share, State, Window, calm, crossed, step

__all__ = ["Change", "Rules", "Share", "State", "Window", "calm", "crossed", "step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Thresholds of guardrails; each a share from above 0 to 1.

    Args:
        rate_limited: Refused requests among all.
        failures: Failed items among those that ended.
        pool: Mean use of a pool that the caller measures.
        window_s: Length of the sliding window in seconds, above 0.
        min_samples: Samples that a share needs before it can cross its threshold, at least 1.

    Raises:
        ConfigError: A value is impossible.
    """

    rate_limited: float = 0.05
    failures: float = 0.20
    pool: float = 0.80
    window_s: float = 60.0
    min_samples: int = 50

    def __post_init__(self) -> None:
        for name in ("rate_limited", "failures", "pool"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ConfigError(
                    f"{name}={value!r} is impossible",
                    hint=f"give {name} as a share above 0, at most 1 (0.05 is 5 %)",
                )
        if not 0 < self.window_s < float("inf"):
            raise ConfigError(
                f"window_s={self.window_s!r} is impossible", hint="give seconds above 0, such as 60"
            )
        if self.min_samples < 1:
            raise ConfigError(
                f"min_samples={self.min_samples!r} is impossible",
                hint="give a whole number, 1 or more",
            )
