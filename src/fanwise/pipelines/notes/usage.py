"""Units that a user may use: reserved before the work, released or settled after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import Connection, delete, func, insert, select, update

import fanwise as fw
from fanwise.pipelines.notes.tables import notes_units

_STALE_S = 86_400.0


class Usage(Protocol):
    """Whoever counts what users use. A unit is a note: one template of one recording."""

    async def reserve(self, names: Sequence[str], *, user: str) -> None:
        """Sets one unit aside under each name, all or none; a name once more changes nothing.

        Raises:
            UsageExceeded: There are not so many left; nothing was set aside.
        """
        ...

    async def release(self, name: str) -> None:
        """Gives back a unit that was set aside: the work has failed."""
        ...

    async def settle(self, name: str) -> None:
        """Counts a unit that was set aside: the work has succeeded. Once more changes nothing."""
        ...


class UsageExceeded(fw.errors.LimitError):
    """The user's units are used up; nothing was begun.

    Args:
        message: What is used up.
        hint: How to go on.
        left: How many units there still are.
    """

    code = "usage_exceeded"

    def __init__(self, message: str, *, hint: str = "", left: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.left = left


class StoreUsage:
    """So many units a user and calendar month (UTC), counted in the pipeline's tables.

    Reserving is one transaction of the store's writer, which excludes every other writer of that
    database: of two who ask for the last unit, in one process or in several, one gets it. What a
    killed process has left reserved is taken up when its work goes on, and counts no longer a day
    after.

    Args:
        store: The pipeline's tables.
        monthly_units: Units a user has in a month, at least 0.
        now: The time in epoch seconds.

    Raises:
        ConfigError: ``monthly_units`` is below 0.
    """

    def __init__(
        self, store: fw.Store, *, monthly_units: int, now: Callable[[], float] = time.time
    ) -> None:
        if monthly_units < 0:
            raise fw.errors.ConfigError(
                f"monthly_units={monthly_units} is impossible", hint="give 0 or more"
            )
        self._store = store
        self._units = monthly_units
        self._now = now

    def __repr__(self) -> str:
        return f"<StoreUsage: {self._units} units a month>"

    async def reserve(self, names: Sequence[str], *, user: str) -> None:
        at = self._now()
        month = _month(at)

        def work(connection: Connection) -> tuple[int, int] | None:
            known = select(_table.c.name).where(_table.c.name.in_(list(names)))
            held = set(connection.execute(known).scalars())
            fresh = [name for name in dict.fromkeys(names) if name not in held]
            left = self._units - _used(connection, user, at)
            if len(fresh) > left:
                return len(fresh), max(0, left)
            row = {"user": user, "month": month, "state": "reserved", "at": at}
            for name in fresh:
                connection.execute(insert(_table).values(name=name, **row))
            return None

        refused = await self._store.write(work)
        if refused is not None:
            wanted, left = refused
            raise UsageExceeded(
                f"{wanted} more notes are wanted, and {left} of {self._units} are left this month",
                hint="ask for fewer templates, or wait for the next month",
                left=left,
            )

    async def release(self, name: str) -> None:
        mine = (_table.c.name == name) & (_table.c.state == "reserved")
        await self._store.write(lambda connection: connection.execute(delete(_table).where(mine)))

    async def settle(self, name: str) -> None:
        mine = (_table.c.name == name) & (_table.c.state == "reserved")
        change = update(_table).where(mine).values(state="settled")
        await self._store.write(lambda connection: connection.execute(change))

    async def used(self, user: str) -> int:
        """Units of this month that are used or set aside."""
        at = self._now()
        return await self._store.read(lambda connection: _used(connection, user, at))


_table = notes_units


def _month(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m")


def _used(connection: Connection, user: str, at: float) -> int:
    counts = (_table.c.state == "settled") | (_table.c.at > at - _STALE_S)
    where = (_table.c.user == user) & (_table.c.month == _month(at)) & counts
    return int(
        connection.execute(select(func.count()).select_from(_table).where(where)).scalar_one()
    )
