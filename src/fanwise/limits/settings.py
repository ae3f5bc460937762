"""The limits a user states, and what is left to be learned."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, cast

from fanwise.errors import ConfigError
from fanwise.limits.quota import Quota, check_burst
from fanwise.records import Dimension

Concurrency: TypeAlias = float | Literal["adaptive"] | tuple[int, int, float]

_ADAPTIVE: Final = (1, 16, 4000.0)
_RANGE: Final = re.compile(r"(\d{1,9})-(\d{1,9})-(\d{1,9})")
_PER_MINUTE: Final = ("rpm", "tpm", "input_tpm", "output_tpm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Between what bounds the concurrency is learned, and where learning starts."""

    least: float
    start: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may be asked of one quota pool (an account and the models that share its limits).

    What is not stated is learned from the provider's answers. What is stated is never exceeded;
    where the provider refuses below it, what it allows is learned there too. A quota of
    ``math.inf`` means that there is none to pace by.

    Args:
        concurrency: Most requests in flight at once. ``"adaptive"`` learns it, a whole number of at
            least 1 is never exceeded, and ``(least, start, most)`` learns it between bounds.
        rpm: Requests a minute.
        tpm: Tokens a minute, input and output together.
        input_tpm: Input tokens a minute.
        output_tpm: Output tokens a minute.
        burst_s: Seconds of quota that may be sent at once after idle time, 0 to 60.

    Raises:
        ConfigError: A value is impossible; says which, its bounds, and what to give instead.
    """

    concurrency: Concurrency = "adaptive"
    rpm: float | None = None
    tpm: float | None = None
    input_tpm: float | None = None
    output_tpm: float | None = None
    burst_s: float = 0.1

    def __post_init__(self) -> None:
        _check_concurrency(self.concurrency)
        for name in _PER_MINUTE:
            _check_per_minute(name, getattr(self, name))
        check_burst(self.burst_s)

    @property
    def concurrency_range(self) -> Range:
        """The concurrency as bounds; a plain number starts at its upper one."""
        given = self.concurrency
        if isinstance(given, tuple):
            least, start, most = given
        elif given == "adaptive":
            least, start, most = _ADAPTIVE
        else:
            least, start, most = 1, given, given
        return Range(least=least, start=start, most=most)

    @property
    def stated_concurrency(self) -> float | None:
        """The concurrency as a number, where it was stated as one."""
        given = self.concurrency
        return given if isinstance(given, int | float) else None

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


def read_concurrency(value: object) -> Concurrency:
    """A concurrency as people, files and messages write it.

    Args:
        value: ``"adaptive"``, a whole number of at least 1 or its digits, ``"least-start-most"``
            such as ``"1-20-500"``, or those three as a list.

    Raises:
        ConfigError: It is none of these.
    """
    found: Any = value
    if isinstance(value, str):
        text = value.strip().lower()
        match = _RANGE.fullmatch(text)
        if text == "adaptive":
            found = "adaptive"
        elif match is not None:
            found = tuple(int(part) for part in match.groups())
        elif text.isascii() and text.isdigit() and len(text) < 10:
            found = int(text)
        else:
            raise _not_understood(value)
    elif isinstance(value, Sequence):
        found = tuple(cast("Sequence[Any]", value))
    elif not _whole(value):
        raise _not_understood(value)
    _check_concurrency(found)
    return found


def _not_understood(value: object) -> ConfigError:
    return ConfigError(
        f"a concurrency of {value!r} is impossible",
        hint="write a number such as 50, a range to learn it in (least-start-most) such as "
        "1-20-500, or adaptive",
    )


def written_concurrency(value: Concurrency) -> str:
    """A concurrency as :func:`read_concurrency` reads it: ``50``, ``1-20-500``, ``adaptive``."""
    if isinstance(value, tuple):
        return "-".join(f"{part:g}" for part in value)
    return value if isinstance(value, str) else f"{value:g}"


def _check_concurrency(value: object) -> None:
    if value == "adaptive":
        return
    if isinstance(value, tuple):
        _check_range(value)  # pyright: ignore[reportUnknownArgumentType]
    elif not _whole(value) and value != math.inf:
        raise ConfigError(
            f"a concurrency of {value!r} is impossible",
            hint='give a whole number of requests in flight, 1 or more, "adaptive", or '
            "(least, start, most)",
        )


def _check_range(value: tuple[object, ...]) -> None:
    if len(value) == 3 and all(_whole(part) or part == math.inf for part in value):
        least, start, most = (float(part) for part in value)  # type: ignore[arg-type]
        if least <= start <= most and start < math.inf:
            return
    raise ConfigError(
        f"a concurrency of {value!r} is impossible",
        hint="give three whole numbers, 1 or more, that do not fall: (least, start, most), "
        "such as (1, 20, 500)",
    )


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _check_per_minute(name: str, value: object) -> None:
    if value is None:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    if not number:
        raise ConfigError(
            f"{name}={value!r} is impossible",
            hint=f"give {name} as a number a minute above 0, or leave it out where it is unknown",
        )
