"""The limits a user states."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from fanwise.errors import ConfigError
from fanwise.limits.quota import Quota, check_burst
from fanwise.records import Dimension


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may be asked of one quota pool (an account and the models that share its limits).

    ``None`` means that a quota is unknown: nothing is held back on its account. ``math.inf`` means
    that there is none.

    Args:
        concurrency: Most requests in flight at once, at least 1.
        rpm: Requests a minute.
        tpm: Tokens a minute, input and output together.
        input_tpm: Input tokens a minute.
        output_tpm: Output tokens a minute.
        burst_s: Seconds of quota that may be sent at once after idle time, 0 to 60.

    Raises:
        ConfigError: A value is impossible; says which, its bounds, and what to give instead.
    """

    concurrency: float = 20
    rpm: float | None = None
    tpm: float | None = None
    input_tpm: float | None = None
    output_tpm: float | None = None
    burst_s: float = 0.1

    def __post_init__(self) -> None:
        _check_concurrency(self.concurrency)
        for name in ("rpm", "tpm", "input_tpm", "output_tpm"):
            _check_per_minute(name, getattr(self, name))
        check_burst(self.burst_s)

    @property
    def counts_tokens(self) -> bool:
        """Whether any quota of tokens is set, so that requests need an estimate."""
        return any(quota.dimension != "requests" for quota in self.quotas())

    def quotas(self) -> Iterator[Quota]:
        """The quotas that bind, one for each dimension that is known and finite."""
        stated: tuple[tuple[Dimension, float | None], ...] = (
            ("requests", self.rpm),
            ("tokens", self.tpm),
            ("input_tokens", self.input_tpm),
            ("output_tokens", self.output_tpm),
        )
        for dimension, per_minute in stated:
            if per_minute is not None and per_minute < math.inf:
                yield Quota(dimension=dimension, per_minute=per_minute, burst_s=self.burst_s)


def _check_concurrency(value: object) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not whole and value != math.inf:
        raise ConfigError(
            f"a concurrency of {value!r} is impossible",
            hint="give a whole number of requests in flight, 1 or more",
        )


def _check_per_minute(name: str, value: object) -> None:
    if value is None:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    if not number:
        raise ConfigError(
            f"{name}={value!r} is impossible",
            hint=f"give {name} as a number a minute above 0, or leave it out where it is unknown",
        )
