"""What an answer says of the limits: read out of the headers of every one, and bodies of errors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import lt
from typing import Final

from fanwise.durations import duration_s, from_zero, http_date_s, iso_date_s
from fanwise.limits.profiles.bodies import limits_in_body
from fanwise.limits.profiles.names import Row, rows_of
from fanwise.limits.profiles.profile import Profile
from fanwise.records import StatedLimit

_FORMS: Final = 16
_EVERY: Final = 16
_EVERY_S: Final = 1.0
_MINUTE_S: Final = 60.0
_PERIODS_S: Final = (1.0, 60.0, 3600.0, 86_400.0)
_NEAR: Final = 1.4
_LONG_RESET_S: Final = 90.0
_LONGEST_RESET_S: Final = 32 * 86_400.0
_EPOCH_S: Final = 1e9  # a number from here up is an instant; from 1e12 up one in milliseconds
_EPOCH_MS: Final = 1e12
_FIRST_NUMBER: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:[,;]|$)")
_WINDOW: Final = re.compile(r";\s*w=(\d+)")
_PARAMETER: Final = re.compile(r"(?:^|[;,\s])(r|t|q|w|limit|remaining|reset)=(\d+)")
_OTHER_UNIT: Final = re.compile(r";\s*qu=\"?(?!requests)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """Answers with the same header names: the limits they state, and the headers to watch."""

    rows: tuple[Row, ...]
    steady: tuple[str, ...]
    remaining: tuple[str, ...]


class StatedReader:
    """Reads what the answers of one quota pool say of its limits.

    Answers of one server have the same headers, so that their names are taken apart once. An
    answer is read if it refuses, if it states another limit, if what remains has lost a digit, and
    otherwise once in sixteen answers or a second. It never raises, whatever a server sends: what
    cannot be understood says nothing.

    Args:
        profile: Whose answers they are.
    """

    __slots__ = (
        "_date",
        "_dated_at",
        "_form",
        "_forms",
        "_profile",
        "_read_at",
        "_remaining",
        "_skipped",
        "_steady",
    )

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._forms: dict[tuple[str, ...], _Form] = {}
        self._form: _Form | None = None
        self._steady: list[str] = []
        self._remaining: list[int] = []
        self._skipped = 0
        self._read_at = 0.0
        self._date = ""
        self._dated_at = 0.0

    def __repr__(self) -> str:
        return f"StatedReader({self._profile.name!r}, {len(self._forms)} forms)"

    def read(
        self, headers: Mapping[str, str], *, wall_s: float, body: str = ""
    ) -> Sequence[StatedLimit]:
        """What one answer says.

        Args:
            headers: Its headers, names in lower case.
            wall_s: Seconds since the Unix epoch, for instants in an answer without a ``date``.
            body: The body of an answer that refuses; empty for any other.

        Returns:
            One statement for each limit told of; none where there is nothing new.
        """
        if not body:
            return self._in_headers(headers, wall_s) if headers else ()
        self._form = None  # a refusal is read in any case
        stated = self._in_headers(headers, wall_s)
        told = {(limit.dimension, limit.period_s) for limit in stated}
        more = limits_in_body(body)
        return (
            *stated,
            *(limit for limit in more if (limit.dimension, limit.period_s) not in told),
        )

    def _in_headers(self, headers: Mapping[str, str], wall_s: float) -> Sequence[StatedLimit]:
        names = tuple(headers)
        form = self._forms.get(names)
        if form is None:
            form = self._add(names)
        if not form.rows:
            return ()
        steady = [headers[name] for name in form.steady]
        remaining = [len(headers[name]) for name in form.remaining]
        self._skipped += 1
        if (
            form is self._form
            and steady == self._steady
            and self._skipped < _EVERY
            and 0 <= wall_s - self._read_at < _EVERY_S
            and not any(map(lt, remaining, self._remaining))
        ):
            return ()
        self._form, self._steady, self._remaining = form, steady, remaining
        self._skipped, self._read_at = 0, wall_s
        now_s = self._server_time(headers, wall_s)
        found = [limit_of(row, headers, profile=self._profile, now_s=now_s) for row in form.rows]
        return tuple([limit for limit in found if limit is not None])

    def _add(self, names: tuple[str, ...]) -> _Form:
        rows = rows_of(names)
        steady = (name for row in rows for name in (row.limit, row.period, row.policy))
        form = _Form(
            rows=rows,
            steady=tuple(name for name in steady if name),
            remaining=tuple(row.remaining for row in rows if row.remaining),
        )
        if len(self._forms) >= _FORMS:
            self._forms.clear()
        self._forms[names] = form
        return form

    def _server_time(self, headers: Mapping[str, str], wall_s: float) -> float:
        date = headers.get("date")
        if not date:
            return wall_s
        if date != self._date:
            self._date = date
            self._dated_at = http_date_s(date) or wall_s
        return self._dated_at


def limit_of(
    row: Row, headers: Mapping[str, str], *, profile: Profile, now_s: float
) -> StatedLimit | None:
    """One limit out of the headers that state it; ``None`` where they say nothing usable.

    −1, and a limit of 0, mean *unknown*; so does a remainder of 0 where nothing else is known.

    Args:
        row: The headers' names.
        headers: The headers.
        profile: Whose they are.
        now_s: The server's time in epoch seconds.
    """
    if row.policy or row.state:
        return _structured(row, headers)
    limit, window_s = _limit(headers.get(row.limit, ""))
    remaining = _number(headers.get(row.remaining, ""))
    reset_s = _reset_s(headers.get(row.reset, ""), now_s)
    if limit is None and not remaining:
        return None
    if limit is not None and remaining is not None and remaining > limit:
        remaining = None
    period_s = row.period_s or window_s or _number(headers.get(row.period, "")) or None
    if period_s is None:
        period_s = profile.periods_s.get(row.dimension)
    if period_s is None:
        period_s = _likely_period_s(limit, remaining, reset_s, refills=profile.refills)
    return StatedLimit(
        dimension=row.dimension,
        period_s=period_s,
        limit=limit,
        remaining=remaining,
        reset_s=reset_s,
    )


def _number(text: str) -> float | None:
    if text.isdecimal() and text.isascii():
        return float(text) if len(text) < 16 else None
    try:
        return from_zero(float(text)) if text else None
    except ValueError:
        return None


def _limit(text: str) -> tuple[float | None, float | None]:
    """A limit above 0, and its period where the text gives one (``100, 100;w=60``)."""
    if text.isdecimal() and text.isascii():
        return _number(text) or None, None
    first = _FIRST_NUMBER.match(text)
    if first is None:
        return None, None
    window = _WINDOW.search(text)
    return float(first[1]) or None, float(window[1]) or None if window else None


def _reset_s(text: str, now_s: float) -> float | None:
    """Seconds to a reset that is told as a duration, a number of seconds, or an instant."""
    if not text:
        return None
    found = duration_s(text)
    if found is None:
        at_s = iso_date_s(text) or http_date_s(text)
        found = None if at_s is None else max(0.0, at_s - now_s)
    elif found >= _EPOCH_S:
        found = max(0.0, (found / 1000 if found >= _EPOCH_MS else found) - now_s)
    return found if found is not None and found <= _LONGEST_RESET_S else None


def _likely_period_s(
    limit: float | None, remaining: float | None, reset_s: float | None, *, refills: bool
) -> float:
    """The period of a limit that does not say its own: a minute unless the reset tells better.

    A quota that refills evenly is full again after ``period · used / limit``. Of a window nothing
    is known but that its end comes before the next one's.
    """
    if reset_s is None or reset_s <= _LONG_RESET_S:
        return _MINUTE_S
    if refills and limit and remaining is not None and remaining < limit:
        whole_s = reset_s * limit / (limit - remaining)
        for period_s in _PERIODS_S:
            if period_s / _NEAR <= whole_s <= period_s * _NEAR:
                return period_s
    return next((period_s for period_s in _PERIODS_S if period_s >= reset_s), _PERIODS_S[-1])


def _structured(row: Row, headers: Mapping[str, str]) -> StatedLimit | None:
    """A limit in the form of the IETF's draft: ``RateLimit`` and ``RateLimit-Policy``.

    Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
    """
    text = headers.get(row.policy, "") + ";" + headers.get(row.state, "")
    if _OTHER_UNIT.search(text):
        return None
    # Of several policies the first one told is taken for each value; the rest is not combined.
    found: dict[str, float] = {}
    for name, value in _PARAMETER.findall(text):
        found.setdefault(name, float(value))
    limit = found.get("q", found.get("limit")) or _limit(headers.get(row.limit, ""))[0]
    if limit is None:
        limit = _limit(headers.get(row.policy, ""))[0]
    remaining = found.get("r", found.get("remaining"))
    if remaining is None:
        remaining = _number(headers.get(row.remaining, ""))
    reset_s = found.get("t", found.get("reset"))
    if reset_s is None:
        reset_s = _reset_s(headers.get(row.reset, ""), 0.0)
    if not limit and not remaining:
        return None
    period_s = found.get("w") or _likely_period_s(limit, remaining, reset_s, refills=False)
    return StatedLimit(
        dimension=row.dimension,
        period_s=period_s,
        limit=limit or None,
        remaining=remaining,
        reset_s=reset_s,
    )
