"""A journalled call, from its key to its answer.

Is it settled in this item already? Does the journal know it from an earlier session, or the cache
from another run? Is an equal one under way? Only then is it sent.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from fanwise.engine.course import kept
from fanwise.engine.identity import jsonable
from fanwise.engine.work import Call, ItemWork, Reference, served_before
from fanwise.errors import FanwiseError
from fanwise.records import CallRecord, Response, Schema

if TYPE_CHECKING:
    from fanwise.clock import Clock
    from fanwise.engine.attempts import Attempts
    from fanwise.engine.flights import Flights
    from fanwise.engine.recognition import Recognition
    from fanwise.journal.cache import Cache
    from fanwise.journal.memory import Journal
    from fanwise.progress.live import Progress

_CLEAN_UP_S = 1.0


class Caller:
    """Answers calls from what is known, and sends the rest.

    Args:
        journal: What is known of this run.
        attempts: Who sends.
        flights: Equal calls under way.
        recognition: The guard of a resumed run.
        cache: The cross-run cache, where the user asked for it.
        scope: What may share answers: tenant and credentials, as one word.
        progress: Who is told.
        clock: Time.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        attempts: Attempts,
        flights: Flights,
        recognition: Recognition,
        cache: Cache | None,
        scope: str,
        progress: Progress,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._attempts = attempts
        self._flights = flights
        self._recognition = recognition
        self._cache = cache
        self._scope = scope
        self._progress = progress
        self._clock = clock

    async def answer(self, call: Call) -> Response:
        """The answer to a call. Raises what :meth:`Attempts.make` raises."""
        work = call.work
        reference: Reference = (call.key.content_key, call.key.sample)
        settled = work.settled.get(reference)
        if settled is not None:
            return settled
        known = work.known.get(reference)
        if known is not None and known.state == "served":
            work.account(known)
            response = served_before(known, call.request)
        else:
            if not work.judged:
                work.judged = True
                if self._recognition.open:
                    await self._judge(work)
            response = await self._fresh(call, reference)
        work.settled[reference] = response
        return response

    async def _judge(self, work: ItemWork) -> None:
        """Once an item: may it send, or does it look like another run's work?"""
        finished = work.recalled is not None and work.recalled.state == "succeeded"
        if work.recalled is None or finished:
            await self._recognition.strange(work.item_id)

    async def _fresh(self, call: Call, reference: Reference) -> Response:
        if self._cache is not None:
            call.work.last = False  # what others may share is durable before it is shared
            found = await self._cache.get((self._scope, *reference))
            if found is not None:
                response = served_before(found, call.request)
                await self._settle_cached(call, found)
                return response
        if not call.single_flight or call.on_delta is not None:
            response = await self._attempts.make(call)
        else:
            response, led = await self._flights.join(
                (self._scope, reference),
                self._attempts.make,
                call,
                keep=partial(self._keep, call),
            )
            if not led:
                await self._settle_cached(call, _shared(call, response))
                return response
        if self._cache is not None:
            await self._cache.put((self._scope, *reference), _shared(call, response))
        return response

    async def _keep(self, call: Call, response: Response) -> None:
        """Notes an answer for an item that was cancelled while it waited for an equal call.

        A journal that cannot be written is no reason to hide a cancellation: closing it says so.
        """
        with contextlib.suppress(TimeoutError, FanwiseError):
            async with asyncio.timeout(_CLEAN_UP_S):
                await self._settle_cached(call, _shared(call, response))

    async def _settle_cached(self, call: Call, found: CallRecord) -> None:
        now = self._clock.wall()
        record = replace(
            found,
            key=call.key,
            label=call.label,
            attempts=(),
            cost_usd=None,
            started_at=now,
            ended_at=now,
            cached=True,
            resends=0,
        )
        call.work.account(record)
        self._progress.call_started(record.model)
        self._progress.call_finished(record)
        await self._journal.settle(record)


def _shared(call: Call, response: Response) -> CallRecord:
    """What a served call leaves for others to share."""
    return CallRecord(
        key=call.key,
        state="served",
        model=call.request.model,
        value=plain_value(response, call.request.schema),
        response=kept(response),
        usage=response.usage,
    )


def plain_value(response: Response, schema: Schema | None) -> Any:
    """The answer's value as JSON; what a schema built is taken apart again."""
    if schema is None or schema.build is None:
        return response.value
    return jsonable(response.value)
