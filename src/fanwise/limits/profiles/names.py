"""Names of headers that tell of limits, taken apart word by word.

One grammar holds for all of them: words of a prefix, ``ratelimit``, and then words that say what is
told (limit, remaining, reset), of what (requests, tokens), and of which period. A name with any
other word in it tells of something else and is not read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from fanwise.records import Dimension

Told = Literal["limit", "remaining", "reset", "period", "policy", "state"]

_TOLD: Final[dict[str, Told]] = {
    "limit": "limit",
    "remaining": "remaining",
    "reset": "reset",
    "renewalperiod": "period",
    "policy": "policy",
}
_REQUESTS: Final = frozenset({"requests", "request", "req", "reqs"})
_TOKENS: Final = frozenset({"tokens", "token"})
_INPUT: Final = frozenset({"input", "prompt"})
_OUTPUT: Final = frozenset({"output", "generated", "completion"})
_PERIODS_S: Final = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_PLAIN: Final = frozenset({"", "x", "anthropic"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What one header tells of.

    ``period_s`` is ``None`` where the name does not say; ``foreign`` names were prefixed by
    somebody between the provider and here.
    """

    name: str
    told: Told
    dimension: Dimension
    period_s: float | None
    foreign: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The headers that together state one limit; an empty name where there is none."""

    dimension: Dimension
    period_s: float | None
    limit: str = ""
    remaining: str = ""
    reset: str = ""
    period: str = ""
    policy: str = ""
    state: str = ""


def place_of(name: str) -> Place | None:
    """What a header with this name, in lower case, tells of; ``None`` for no limit of ours."""
    prefix, found, rest = name.replace("rate-limit", "ratelimit").partition("ratelimit")
    if not found or (prefix and prefix[-1] not in "-_"):
        return None
    words = rest.strip("-").split("-") if rest else []
    told: Told | None = None
    kinds: set[str] = set()
    period_s = None
    for word in words:
        if word in _TOLD and told is None:
            told = _TOLD[word]
        elif word in _PERIODS_S and period_s is None:
            period_s = _PERIODS_S[word]
        else:
            kinds.add(word)
    dimension = _dimension(kinds)
    if dimension is None or (told is None and (kinds or period_s)):
        return None
    return Place(
        name=name,
        told=told or "state",
        dimension=dimension,
        period_s=period_s,
        foreign=prefix.strip("-_") not in _PLAIN,
    )


def rows_of(names: Iterable[str]) -> tuple[Row, ...]:
    """The limits that headers of these names state, one row for each dimension and period.

    A name that somebody prefixed counts only where the plain one is missing. Where input and
    output tokens have limits of their own, a limit of both together only repeats the one that is
    nearer; it is left out.

    Args:
        names: Names of one answer's headers, in lower case.
    """
    places = [place for name in names if "limit" in name and (place := place_of(name))]
    places.sort(key=lambda place: place.foreign)
    rows: dict[tuple[Dimension, float | None], dict[str, str]] = {}
    for place in places:
        rows.setdefault((place.dimension, place.period_s), {}).setdefault(place.told, place.name)
    told = {dimension for dimension, _ in rows}
    if told & {"input_tokens", "output_tokens"}:
        told.discard("tokens")
    return tuple(
        Row(dimension=dimension, period_s=period_s, **parts)
        for (dimension, period_s), parts in rows.items()
        if dimension in told and set(parts) - {"reset", "period"}
    )


def _dimension(kinds: set[str]) -> Dimension | None:
    tokens = kinds & _TOKENS
    if not kinds - _REQUESTS:
        return "requests"
    if not tokens or not kinds <= _TOKENS | _INPUT | _OUTPUT:
        return None
    read, written = bool(kinds & _INPUT), bool(kinds & _OUTPUT)
    if read and written:
        return None
    return "input_tokens" if read else "output_tokens" if written else "tokens"
