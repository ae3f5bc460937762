"""Runs that somebody waits for: accepted like all others, ahead of background work, and looked on
until they end. Whoever waits may leave; the run goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any, Final

from fanwise.pipelines import Event
from fanwise.service.options import RunOptions
from fanwise.service.problems import Problem

if TYPE_CHECKING:
    from fanwise.service.accepted import Accepted
    from fanwise.service.hub import Hub
    from fanwise.service.supervisor import Active
    from fanwise.service.tokens import Caller

RETRY_AFTER_S: Final = 30
STATUS: Final[Mapping[str, int]] = {
    "not_found": 404,
    "invalid_fields": 400,
    "timeout": 408,
    "permit_timeout": 408,
    "too_large": 413,
    "config": 422,
    "input": 422,
    "usage": 422,
    "conflict": 409,
    "state": 409,
    "rate_limited": 429,
    "queue_full": 429,
    "budget_exhausted": 429,
    "usage_exceeded": 429,
    "quota_exhausted": 429,
    "journal_unavailable": 503,
}
"""What the applications' own routes answer to each kind of failure; 500 to all others."""


class Asked:
    """A run under way, and how it ends.

    Args:
        hub: The service.
        accepted: The work as it was accepted.
        active: The work under way; ``None`` where it has ended before.
    """

    def __init__(self, hub: Hub, accepted: Accepted, active: Active | None) -> None:
        self._hub = hub
        self._accepted = accepted
        self._active = active

    @property
    def run_id(self) -> str:
        """The run."""
        return self._accepted.run_id

    async def events(self, *, alive_s: float) -> AsyncGenerator[Event | None]:
        """What happens, in order; ``None`` after so many seconds in which nothing has. Of events
        that were told before anybody looked on, the last 500.
        """
        active, place = self._active, 0
        while active is not None:
            moved, first = active.moved, active.events_seen - len(active.events)
            fresh = list(active.events)[max(0, place - first) :]
            place = active.events_seen
            for event in fresh:
                yield event
            if place < active.events_seen:
                continue
            if active.gone:
                return
            try:
                async with asyncio.timeout(alive_s):
                    await moved.wait()
            except TimeoutError:
                yield None

    async def ended(self) -> Accepted:
        """The work once it has ended, or once the service stops."""
        active = self._active
        if active is None:
            return self._accepted
        while not active.gone:
            await active.moved.wait()
        return active.accepted

    async def within(self, seconds: float) -> Accepted | None:
        """The same; ``None`` where it takes longer than that. The run goes on."""
        try:
            async with asyncio.timeout(seconds):
                return await self.ended()
        except TimeoutError:
            return None


async def ask(
    hub: Hub,
    *,
    caller: Caller,
    pipeline: str,
    fields: Mapping[str, Any],
    idempotency_key: str | None = None,
) -> Asked:
    """Accepts work that somebody waits for. Raises as ``Supervisor.submit``."""
    accepted = await hub.supervisor.submit(
        pipeline=pipeline,
        fields=fields,
        options=RunOptions.model_validate({}),
        caller=caller.name,
        priority="interactive",
        idempotency_key=idempotency_key,
    )
    active = hub.supervisor.active(accepted.run_id)
    await hub.note(caller, "run.started", accepted.run_id, pipeline)
    return Asked(hub, accepted, active)


def trouble_of(accepted: Accepted | None, *, run_id: str) -> Problem | None:
    """Why there is no result; ``None`` where there is one.

    Args:
        accepted: The work as it ended; ``None`` where it was waited for long enough.
        run_id: The run.
    """
    if accepted is None:
        return Problem(
            status=408,
            kind="timeout",
            message="the answer takes longer than a request may wait; the run goes on",
            hint=f"GET /api/v1/runs/{run_id} tells how it stands",
        )
    if accepted.state in {"accepted", "running"}:
        return Problem(
            status=503,
            kind="state",
            message="the service is stopping; the run goes on when it is back",
            hint=f"GET /api/v1/runs/{run_id} tells how it stands",
            retry_after_s=RETRY_AFTER_S,
        )
    error = accepted.error
    if error is not None:
        return failure(
            str(error["kind"]),
            str(error["message"]),
            hint=str(error.get("hint", "")),
            fields=error.get("fields"),
            wait_s=error.get("retry_after_s"),
        )
    if accepted.result is None:
        return Problem(status=409, kind="state", message=f"run {run_id} was {accepted.state}")
    return None


def failure(
    kind: str, message: str, *, hint: str = "", fields: Any = None, wait_s: Any = None
) -> Problem:
    """A failure of a run, or of a part of it, as its client is told of it."""
    status = STATUS.get(kind, 500)
    wait = RETRY_AFTER_S if wait_s is None else max(1, round(float(wait_s)))
    return Problem(
        status=status,
        kind=kind,
        message=message,
        hint=hint,
        fields=dict(fields or {}),
        retry_after_s=wait if status in {429, 503} else None,
    )
