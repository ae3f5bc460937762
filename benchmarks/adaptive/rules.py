"""The rules by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.adaptive import baselines

from fanwise.clock import Clock
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits


def ours(clock: Clock) -> Limiter:
    """The product, with nothing told."""
    return Limiter(Limits(concurrency="adaptive"), clock=clock)


RULES: Mapping[str, Callable[[Clock], Any]] = {
    "ours": ours,
    "fixed_20": lambda clock: baselines.Fixed(clock, limit=20),
    "fixed_100": lambda clock: baselines.Fixed(clock, limit=100),
    "netflix_aimd": baselines.NetflixAimd,
    "netflix_vegas": baselines.NetflixVegas,
    "netflix_gradient2": baselines.NetflixGradient2,
    "botocore": baselines.BotocoreAdaptive,
    "inspect_ai": baselines.InspectAdaptive,
}
