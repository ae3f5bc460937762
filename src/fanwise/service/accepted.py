"""What the service has accepted: one row a run, durable before anybody is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
from sqlalchemy import Connection, delete, insert, select, update

import fanwise as fw
from fanwise.errors import Conflict
from fanwise.records import Json
from fanwise.service.tables import work

OPEN_STATES = ("accepted", "running")
"""States of work that a restarted service goes on with by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Work that was accepted.

    Args:
        run_id: Its run.
        pipeline: What carries it out.
        job: The job as JSON.
        options: How, as :class:`fanwise.service.options.RunOptions` stores it.
        priority: ``interactive`` goes ahead of ``background``.
        caller: Whose token asked for it.
        state: accepted, running, finished, failed, cancelled or stopped (to be gone on with by
            hand: drained, or its budget reached).
        result, error: How it ended, as JSON; ``None`` before.
        created_at, updated_at: Epoch seconds.
    """

    run_id: str
    pipeline: str
    job: Mapping[str, Json]
    options: Mapping[str, Json]
    priority: str
    caller: str
    state: str
    created_at: float
    updated_at: float
    result: Mapping[str, Json] | None = None
    error: Mapping[str, Json] | None = None
    idempotency_key: str | None = None
    fingerprint: str = ""


class Ledger:
    """The rows of accepted work.

    Args:
        store: The service's tables.
    """

    def __init__(self, store: fw.Store) -> None:
        self._store = store

    async def accept(
        self, new: Accepted, *, also: Callable[[Connection], object] | None = None
    ) -> Accepted:
        """Keeps work that was asked for; returns once that is durable.

        Args:
            new: The work.
            also: What is done in the same transaction where the work is new.

        Returns:
            The work, or what the same key of the same caller was accepted for before.

        Raises:
            Conflict: That key was used for another request.
        """
        row = {
            "run_id": new.run_id,
            "pipeline": new.pipeline,
            "job": _text(new.job),
            "options": _text(new.options),
            "priority": new.priority,
            "caller": new.caller,
            "idempotency_key": new.idempotency_key,
            "fingerprint": new.fingerprint,
            "state": new.state,
            "created_at": new.created_at,
            "updated_at": new.updated_at,
        }

        def write(connection: Connection) -> Any:
            if new.idempotency_key is not None:
                found = connection.execute(
                    select(work).where(
                        work.c.caller == new.caller,
                        work.c.idempotency_key == new.idempotency_key,
                    )
                ).mappings()
                before = found.first()
                if before is not None:
                    return before
            if also is not None:
                also(connection)
            connection.execute(insert(work), row)
            return None

        before = await self._store.write(write)
        if before is None:
            return new
        if before["fingerprint"] != new.fingerprint:
            raise Conflict(
                "this Idempotency-Key was used for another request",
                hint="use a new key for a new request",
            )
        return _record(before)

    async def find(self, run_id: str) -> Accepted | None:
        """The work of a run; ``None`` for a run that was not begun here."""
        row = await self._store.read(
            lambda c: c.execute(select(work).where(work.c.run_id == run_id)).mappings().first()
        )
        return None if row is None else _record(dict(row))

    async def listed(self, states: Sequence[str] | None = None) -> list[Accepted]:
        """All work, or that in one of some states, oldest first."""
        asked = select(work).order_by(work.c.created_at, work.c.run_id)
        if states is not None:
            asked = asked.where(work.c.state.in_(list(states)))
        rows = await self._store.read(lambda c: c.execute(asked).mappings().all())
        return [_record(dict(row)) for row in rows]

    async def becomes(
        self,
        run_id: str,
        state: str,
        *,
        now: float,
        result: Mapping[str, Json] | None = None,
        error: Mapping[str, Json] | None = None,
        options: Mapping[str, Json] | None = None,
        also: Callable[[Connection], object] | None = None,
    ) -> None:
        """Notes how work stands. What it came to replaces what was noted of it before.

        ``also`` is done in the same transaction.
        """
        values: dict[str, Any] = {
            "state": state,
            "updated_at": now,
            "result": None if result is None else _text(result),
            "error": None if error is None else _text(error),
        }
        if options is not None:
            values["options"] = _text(options)

        def write(connection: Connection) -> None:
            connection.execute(update(work).where(work.c.run_id == run_id).values(**values))
            if also is not None:
                also(connection)

        await self._store.write(write)

    async def reoption(self, run_id: str, options: Mapping[str, Json], *, now: float) -> None:
        """Other options for work; how it stands is left alone."""
        values = {"options": _text(options), "updated_at": now}
        await self._store.write(
            lambda c: c.execute(update(work).where(work.c.run_id == run_id).values(**values))
        )

    async def forget(self, run_id: str) -> None:
        """Removes the row of work that nobody wants any more."""
        await self._store.write(lambda c: c.execute(delete(work).where(work.c.run_id == run_id)))


def _text(value: Mapping[str, Json]) -> str:
    return orjson.dumps(value, default=_plain).decode()


def _plain(value: object) -> object:
    from decimal import Decimal

    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, object]", value))
    raise TypeError


def _record(row: Mapping[Any, Any]) -> Accepted:
    return Accepted(
        run_id=row["run_id"],
        pipeline=row["pipeline"],
        job=orjson.loads(row["job"]),
        options=orjson.loads(row["options"]),
        priority=row["priority"],
        caller=row["caller"],
        state=row["state"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        result=None if row["result"] is None else orjson.loads(row["result"]),
        error=None if row["error"] is None else orjson.loads(row["error"]),
        idempotency_key=row["idempotency_key"],
        fingerprint=row["fingerprint"],
    )
