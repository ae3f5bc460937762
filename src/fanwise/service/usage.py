"""What each token may spend in a calendar month, set aside before a run is accepted.

A run's bound (its own budget, or what its plan says) is reserved in the transaction that accepts
the run, so that requests at the same moment cannot overspend together; the run is held to it as
its budget. When the run ends, what it really took replaces the reservation.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, insert, select, update

import fanwise as fw
from fanwise.clock import Clock
from fanwise.errors import ConfigError, InvalidFields, LimitError, PlanError, StateError
from fanwise.records import Counters
from fanwise.service.tables import reservations, tokens, usage

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.records import Json
    from fanwise.service.options import RunOptions

_MICRO = Decimal(1_000_000)
_LEAST_USD = Decimal("0.01")

Plan = Callable[[str, "Mapping[str, Json]", "RunOptions"], Awaitable[Mapping[str, Any]]]


class QuotaExhausted(LimitError):
    """A token's month cannot cover what was asked for; nothing was accepted.

    Args:
        message: What is used up.
        hint: How to go on.
        retry_after_s: Until the month ends, in seconds.
        fields: ``resets_at``, and how much is left.
    """

    code = "quota_exhausted"

    def __init__(
        self, message: str, *, hint: str, retry_after_s: float, fields: Mapping[str, str]
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s
        self.fields = fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Calls and money; ``None`` where nothing bounds them."""

    calls: int | None = None
    usd: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a run reserves.

    Args:
        units: How much it may take at most.
        planned: Whether its plan says so, and not whoever asked for it.
    """

    units: Units
    planned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """What a token has used of a month; ``None`` as a limit bounds nothing."""

    token: str
    month: str
    resets_at: float
    calls_used: int
    calls_reserved: int
    calls_limit: int | None
    usd_used: Decimal
    usd_reserved: Decimal
    usd_limit: Decimal | None


class Usage:
    """The account of every token.

    Args:
        store: The service's tables.
        home: Where runs are.
        clock: Time.
    """

    def __init__(self, store: fw.Store, *, home: Home, clock: Clock) -> None:
        self._store = store
        self._home = home
        self._clock = clock
        self.plan: Plan = _no_plan  # says what a job would take, for runs that state no bound

    async def month(self, token: str) -> Month:
        """What a token has used of this month, and what is set aside for its runs."""
        now = self._clock.wall()
        return await self._store.read(lambda c: _month(c, token, now=now))

    async def bounds(
        self, token: str, pipeline: str, fields: Mapping[str, Json], options: RunOptions
    ) -> Bounds:
        """What a run would reserve: nothing, where its token is not limited.

        Raises:
            InvalidFields: The token is limited, the run states no bound, and a plan cannot find it.
        """
        limits = await self._store.read(lambda c: _limits(c, token))
        calls, usd = options.budget_calls, _dollars(options.budget_usd)
        wants_calls = limits.calls is not None and calls is None
        wants_usd = limits.usd is not None and usd is None
        planned = wants_calls or wants_usd
        if planned:
            plan = await self.plan(pipeline, fields, options)
            if plan["at_least"] or (wants_usd and plan["cost_usd"] is None):
                field = "budget_usd" if wants_usd else "budget_calls"
                raise InvalidFields(
                    "run",
                    {f"options.{field}": "what the job takes cannot be known beforehand"},
                    hint="this token has a monthly limit: say how much the run may take at most",
                )
            calls = max(1, plan["calls"]) if wants_calls else calls
            usd = max(_LEAST_USD, Decimal(plan["cost_usd"][2])) if wants_usd else usd
        return Bounds(
            units=Units(
                calls=None if limits.calls is None else calls,
                usd=None if limits.usd is None else usd,
            ),
            planned=planned,
        )

    def reserving(self, run_id: str, token: str, bounds: Bounds) -> Callable[[Connection], None]:
        """Sets a run's bound aside; to be called in the transaction that accepts the run.

        It raises :class:`QuotaExhausted` where the month cannot cover the bound.
        """
        now = self._clock.wall()
        units = bounds.units

        def reserve(connection: Connection) -> None:
            _check(_month(connection, token, now=now), units, now=now)
            row = {
                "run_id": run_id,
                "token": token,
                "month": month_of(now),
                "planned": int(bounds.planned),
                "calls": units.calls or 0,
                "micro_usd": _micro(units.usd),
                "bound_calls": units.calls,
                "bound_micro_usd": None if units.usd is None else _micro(units.usd),
                "charged_calls": 0,
                "charged_micro_usd": 0,
            }
            connection.execute(insert(reservations), row)

        return reserve

    async def again(self, run_id: str, options: RunOptions) -> RunOptions:
        """Sets aside what a run may still take that is gone on with, or whose budget has changed.

        Returns:
            The options with the bound that it is held to from now on. A bound that came of a plan
            is given once more; one that the caller named stays what it is.

        Raises:
            QuotaExhausted: The month cannot cover it.
        """
        now = self._clock.wall()
        return await self._store.write(lambda c: _again(c, run_id, options, now=now))

    async def settling(self, run_id: str) -> Callable[[Connection], None]:
        """Replaces a run's reservation by what it has taken in all; to be called in the transaction
        that notes its end.
        """
        counters = await asyncio.to_thread(_counters, self._home, run_id)
        calls, micro_usd = counters.calls, _micro(counters.cost_usd)

        def settle(connection: Connection) -> None:
            row = _reservation(connection, run_id)
            if row is None:
                return
            more_calls = max(0, calls - row["charged_calls"])
            more_usd = max(0, micro_usd - row["charged_micro_usd"])
            _charge(connection, row["token"], row["month"], calls=more_calls, micro_usd=more_usd)
            connection.execute(
                update(reservations)
                .where(reservations.c.run_id == run_id)
                .values(
                    calls=0,
                    micro_usd=0,
                    charged_calls=row["charged_calls"] + more_calls,
                    charged_micro_usd=row["charged_micro_usd"] + more_usd,
                )
            )

        return settle


async def months(store: fw.Store, names: Sequence[str], *, now: float) -> dict[str, Month]:
    """What some tokens have used of this month."""
    return await store.read(lambda c: {name: _month(c, name, now=now) for name in names})


def held_to(options: RunOptions, units: Units) -> RunOptions:
    """The options with a budget that is no larger than what is set aside."""
    given: dict[str, Any] = {}
    if units.calls is not None:
        given["budget_calls"] = units.calls
    if units.usd is not None:
        given["budget_usd"] = float(units.usd)
    return options.model_copy(update=given) if given else options


def month_of(now: float) -> str:
    """The calendar month (UTC) of an instant, such as ``2026-03``."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m")


def month_end(now: float) -> float:
    """When the calendar month (UTC) of an instant ends, in epoch seconds."""
    then = datetime.fromtimestamp(now, UTC)
    year, month = (then.year + 1, 1) if then.month == 12 else (then.year, then.month + 1)
    return datetime(year, month, 1, tzinfo=UTC).timestamp()


async def _no_plan(*_: object) -> Any:
    raise PlanError("nothing is known beforehand", hint="state a budget")


def _counters(home: Home, run_id: str) -> Counters:
    try:
        reader = home.reader(run_id)
    except ConfigError:
        return Counters()  # it has not begun
    try:
        return reader.counters()
    finally:
        reader.close()


# within a transaction


def _limits(connection: Connection, token: str) -> Units:
    asked = select(tokens.c.monthly_calls, tokens.c.monthly_usd).where(tokens.c.name == token)
    row = connection.execute(asked).first()
    if row is None:
        return Units()
    return Units(calls=row[0], usd=None if row[1] is None else Decimal(row[1]))


def _month(connection: Connection, token: str, *, now: float) -> Month:
    month = month_of(now)
    used = connection.execute(
        select(usage.c.calls, usage.c.micro_usd).where(
            usage.c.token == token, usage.c.month == month
        )
    ).first()
    aside = connection.execute(
        select(func.sum(reservations.c.calls), func.sum(reservations.c.micro_usd)).where(
            reservations.c.token == token, reservations.c.month == month
        )
    ).one()
    limits = _limits(connection, token)
    return Month(
        token=token,
        month=month,
        resets_at=month_end(now),
        calls_used=used[0] if used else 0,
        calls_reserved=int(aside[0] or 0),
        calls_limit=limits.calls,
        usd_used=Decimal(used[1]) / _MICRO if used else Decimal(0),
        usd_reserved=Decimal(int(aside[1] or 0)) / _MICRO,
        usd_limit=limits.usd,
    )


def _check(month: Month, units: Units, *, now: float) -> None:
    left_calls = (month.calls_limit or 0) - month.calls_used - month.calls_reserved
    left_usd = (month.usd_limit or Decimal(0)) - month.usd_used - month.usd_reserved
    # A limit set since the bound was found counts from the next run on.
    if month.calls_limit is not None and units.calls is not None and units.calls > left_calls:
        what = f"{units.calls} calls were asked for, and {max(0, left_calls)} are left"
    elif month.usd_limit is not None and units.usd is not None and units.usd > left_usd:
        what = f"${units.usd:f} was asked for, and ${max(0, left_usd.normalize()):f} is left"
    else:
        return
    resets_at = datetime.fromtimestamp(month.resets_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    raise QuotaExhausted(
        f"{what} of this month for token {month.token}",
        hint=f"ask for less, raise it with `fanwise token limit`, or wait until {resets_at}",
        retry_after_s=math.ceil(month.resets_at - now),
        fields={"resets_at": resets_at},
    )


def _again(connection: Connection, run_id: str, options: RunOptions, *, now: float) -> RunOptions:
    row = _reservation(connection, run_id)
    if row is None:
        return options
    limits = _limits(connection, row["token"])
    if limits.calls is None and limits.usd is None:
        return options
    if not row["planned"] and _unbounded(options, limits):
        raise StateError(
            f"run {run_id} was begun before its token was limited, and states no bound",
            hint="start it anew with budget_calls or budget_usd among its options",
        )
    charged = Units(calls=row["charged_calls"], usd=Decimal(row["charged_micro_usd"]) / _MICRO)
    wanted = _wanted(row, options, limits, charged)
    connection.execute(
        update(reservations)
        .where(reservations.c.run_id == run_id)
        .values(calls=0, micro_usd=0, month=month_of(now))
    )
    _check(_month(connection, row["token"], now=now), wanted, now=now)
    connection.execute(
        update(reservations)
        .where(reservations.c.run_id == run_id)
        .values(calls=wanted.calls or 0, micro_usd=_micro(wanted.usd))
    )
    if not row["planned"]:
        return options
    return held_to(
        options,
        Units(
            calls=None if wanted.calls is None else wanted.calls + (charged.calls or 0),
            usd=None if wanted.usd is None else wanted.usd + (charged.usd or 0),
        ),
    )


def _unbounded(options: RunOptions, limits: Units) -> bool:
    return (limits.calls is not None and options.budget_calls is None) or (
        limits.usd is not None and options.budget_usd is None
    )


def _wanted(row: Mapping[Any, Any], options: RunOptions, limits: Units, charged: Units) -> Units:
    """What a run may still take: all of a planned bound again, or what is left of a named one."""
    calls = usd = None
    if limits.calls is not None:
        if row["planned"] and row["bound_calls"] is not None:
            calls = int(row["bound_calls"])
        else:
            calls = max(0, (options.budget_calls or 0) - (charged.calls or 0))
    if limits.usd is not None:
        if row["planned"] and row["bound_micro_usd"] is not None:
            usd = Decimal(row["bound_micro_usd"]) / _MICRO
        else:
            usd = max(Decimal(0), (_dollars(options.budget_usd) or 0) - (charged.usd or Decimal(0)))
    return Units(calls=calls, usd=usd)


def _charge(connection: Connection, token: str, month: str, *, calls: int, micro_usd: int) -> None:
    here = (usage.c.token == token, usage.c.month == month)
    changed = connection.execute(
        update(usage)
        .where(*here)
        .values(calls=usage.c.calls + calls, micro_usd=usage.c.micro_usd + micro_usd)
    )
    if not changed.rowcount:
        row = {"token": token, "month": month, "calls": calls, "micro_usd": micro_usd}
        connection.execute(insert(usage), row)


def _reservation(connection: Connection, run_id: str) -> Mapping[Any, Any] | None:
    asked = select(reservations).where(reservations.c.run_id == run_id)
    return connection.execute(asked).mappings().first()


def _dollars(usd: float | None) -> Decimal | None:
    return None if usd is None else Decimal(str(usd))


def _micro(usd: Decimal | None) -> int:
    return 0 if usd is None else int((usd * _MICRO).to_integral_value(ROUND_CEILING))
