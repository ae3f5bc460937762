"""The rules by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.adaptive import baselines

from fanwise.clock import Clock
from fanwise.errors import ConfigError
from fanwise.limits.limiter import Limiter
from fanwise.limits.settings import Limits


def ours(clock: Clock) -> Limiter:
    """The product, with nothing told."""
    anything: Any = "adaptive"
    try:
        return Limiter(Limits(concurrency=anything), clock=clock)
    except ConfigError:
        return Limiter(Limits(concurrency=math.inf), clock=clock)


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
