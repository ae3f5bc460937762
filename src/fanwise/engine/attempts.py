"""The one retry layer: permit, intent, send, classify, settle, decide; until it is served or not.

Each arrow of that chain is one function of another package. What stands here is their order, and
that order is the promise: the intent is durable before the send, the outcome before the answer is
handed on, and between an answer's arrival and its hand-over to the journal nothing is awaited.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from fanwise.engine.course import (
    Course,
    complaining,
    kept,
    key_hint,
    make_course,
    parsed_of,
    place,
    teller,
    timeouts_until,
)
from fanwise.engine.guarding import parked, parks
from fanwise.engine.keyring import hopeless, refuses_key, with_key
from fanwise.engine.queueing import Pauses
from fanwise.engine.spending import used_by
from fanwise.errors import (
    CallError,
    FanwiseError,
    InvalidOutput,
    PermitTimeout,
    Refused,
)
from fanwise.models.identity import request_json
from fanwise.records import (
    NO_USAGE,
    CallIntent,
    CallRecord,
    CallState,
    ErrorInfo,
    Failure,
    Json,
    Response,
    Timeouts,
    Verdict,
)
from fanwise.records.quick import maker
from fanwise.retry.classify import classify
from fanwise.retry.errors_of import error_of
from fanwise.retry.policy import GiveUp, Retry, decide

if TYPE_CHECKING:
    import random

    from fanwise.clock import Clock
    from fanwise.engine.admission import Admission
    from fanwise.engine.hedging import Hedging
    from fanwise.engine.work import Call
    from fanwise.journal.memory import Journal
    from fanwise.limits.limiter import Permit
    from fanwise.models.prices import Prices
    from fanwise.progress.live import Progress

_make_intent = maker(CallIntent)
_make_record = maker(CallRecord)
_CLEAN_UP_S = 1.0
_FREE = Decimal(0)
_SERVED = Verdict(kind="served")
_CANCELLED = Verdict(kind="cancelled", reason="cancelled by the caller")


class Attempts:
    """Makes calls, each with as many attempts as the retry policy allows.

    Args:
        journal: Where intents and outcomes go.
        retry: The policy.
        timeouts: Deadlines of one attempt.
        admission: What stands before every send.
        prices: What tokens cost.
        progress: Who is told.
        clock: Time.
        chance: Source of jitter.
        key_env: The environment variable that holds the key, where it is not the provider's usual.
        hedging: Who sends what stalls a second time; ``None`` for nobody.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        retry: Retry,
        timeouts: Timeouts,
        admission: Admission,
        prices: Prices,
        progress: Progress,
        clock: Clock,
        chance: random.Random,
        key_env: str | None = None,
        hedging: Hedging | None = None,
    ) -> None:
        self._journal = journal
        self._retry = retry
        self._timeouts = timeouts
        self._admission = admission
        self._prices = prices
        self._progress = progress
        self._clock = clock
        self._chance = chance
        self._key_env = key_env
        self._attempt = self.send if hedging is None else partial(hedging.send, sender=self)
        self._pauses = Pauses()
        self._refusal: FanwiseError | None = None

    def refuse_all(self, error: FanwiseError) -> None:
        """Ends every wait before a send but that for a permit, now or later, with this error."""
        self._refusal = error
        self._admission.refuse_all(error)
        self._pauses.refuse_all(error)

    @property
    def backing_off(self) -> int:
        """Calls that wait out a backoff."""
        return len(self._pauses)

    @property
    def held_back(self) -> int:
        """Calls that wait for a breaker or for the retry budget."""
        return self._admission.held_back

    @property
    def waiting(self) -> int:
        """Calls that wait for anything but a permit."""
        return len(self._pauses) + self._admission.waiting

    async def make(self, call: Call) -> Response:
        """Makes a call; its outcome is durable when this returns or raises.

        Raises:
            CallError: It failed for good; what its attempts used is in the journal.
            Drained: The run takes no further call; nothing more was sent.
            JournalUnavailable: Its outcome could not be made durable and is not shown.
            asyncio.CancelledError: The caller left. A send under way was closed, and is listed as
                ambiguous, since it may have been paid for.
        """
        course = make_course(started_at=self._clock.wall())
        if self._refusal is not None:
            raise self._refusal
        if call.target.ring is not None:
            call = with_key(call)
        if call.target.pool.dead is not None:
            raise call.target.pool.dead
        model = call.request.model
        self._progress.call_started(model)
        try:
            while True:
                try:
                    permit = await self._admission.permit(call, course)
                except BaseException as error:
                    if course.intended:
                        await self._leave(call, course, error)
                    raise
                if not course.intended:
                    await self._intend(call, course, permit)
                reply = await self._attempt(call, course, permit)
                if isinstance(reply, Response):
                    answer = await self._served(call, course, reply)
                    if answer is not None:
                        return answer
                else:
                    await self._failed(call, course, reply)
                    call = with_key(call)
        finally:
            self._admission.left(call, course, served=course.served)
            if not course.ended:
                self._progress.call_left(model)

    # before the send

    async def _intend(self, call: Call, course: Course, permit: Permit) -> None:
        try:
            await self._journal.intend(
                _make_intent(
                    key=call.key,
                    model=call.request.model,
                    started_at=course.started_at,
                    label=call.label,
                    request=request_json(call.request),
                )
            )
        except BaseException:
            self._admission.unsent(call, course, permit)
            raise
        course.intended = True

    async def send(self, call: Call, course: Course, permit: Permit) -> Response | Failure:
        """One attempt: sent, classified, its permit settled, noted in its course."""
        call.work.sent = True
        clock = self._clock
        number = len(course.attempts) + 1
        request = call.request if not course.complaint else complaining(call, course)
        sent_at = clock.wall()
        on_token = teller(call, course, number=number) if call.on_delta else None
        try:
            reply = await call.target.endpoint.send(
                request,
                timeouts=timeouts_until(self._timeouts, course, now=clock.monotonic()),
                on_token=on_token,
            )
        except asyncio.CancelledError:
            permit.settle(_CANCELLED)
            self._admission.ended(call, course, "cancelled", usage=None)
            self._note(course, _CANCELLED, permit, sent_at=sent_at, ended_at=clock.wall())
            if not course.raced:
                await self.give_up(call, course, None)
            raise
        except BaseException:
            permit.settle(_CANCELLED)
            self._admission.ended(call, course, "cancelled", usage=None)
            raise
        served = isinstance(reply, Response)
        target, wall_s = call.target, clock.wall()
        if served:
            verdict, usage = _SERVED, reply.usage
            counted = target.counted(call.request, usage)
        else:
            verdict = classify(reply, wall_s=wall_s, retry_on=self._retry.retry_on)
            usage = counted = NO_USAGE
        stated = target.heard(reply, wall_s=wall_s)
        permit.settle(verdict, usage=counted, headers=reply.headers, stated=stated)
        used = usage if served else used_by(reply)
        self._admission.ended(call, course, verdict.kind, usage=used)
        self._note(course, verdict, permit, sent_at=sent_at, ended_at=wall_s, status=reply.status)
        if served:
            course.usage = course.usage + usage
            call.target.pool.served = True
            call.target.learn(call.request, usage)
        return reply

    async def give_up(self, call: Call, course: Course, reply: Response | None) -> None:
        """The caller has left: an answer is kept; without one, the send may have been paid for."""
        with contextlib.suppress(FanwiseError, TimeoutError):
            async with asyncio.timeout(_CLEAN_UP_S):
                if reply is None or await self._served(call, course, reply) is None:
                    await self._settle(call, course, "ambiguous")

    def _note(
        self,
        course: Course,
        verdict: Verdict,
        permit: Permit,
        *,
        sent_at: float,
        ended_at: float,
        status: int | None = None,
    ) -> None:
        course.note(verdict, permit, started_at=sent_at, ended_at=ended_at, status=status)
        if len(course.attempts) > 1:
            self._progress.retried()
        if verdict.kind in {"rate", "capacity"}:
            self._progress.refused()

    # after the send

    async def _served(self, call: Call, course: Course, reply: Response) -> Response | None:
        """Journals a served answer; ``None`` where its content earns another attempt."""
        error: CallError
        if reply.refusal is not None and call.request.body is None:
            error = Refused(
                f"{call.request.model} declined to answer: {reply.refusal[:300]}",
                usage=course.usage,
                **place(call, course),
            )
        else:
            try:
                answer, kept_value = parsed_of(call, reply)
            except InvalidOutput as invalid:
                course.content_failures += 1
                course.complaint = invalid.message
                in_time = self._clock.monotonic() < course.deadline
                if course.content_failures < self._retry.content_attempts and in_time:
                    return None
                error = InvalidOutput(
                    f"{call.request.model} gave no valid answer in {course.content_failures} "
                    f"attempts: {invalid.message}",
                    hint=invalid.hint or "ask a stronger model, or loosen your schema",
                    usage=course.usage,
                    **place(call, course),
                )
            else:
                settled = self._settle(call, course, "served", answer=answer, value=kept_value)
                if not call.work.holds(settled):
                    await settled
                same = answer.usage is course.usage
                return answer if same else replace(answer, usage=course.usage)
        await self._settle(call, course, "failed", error=error)
        raise error

    async def _failed(self, call: Call, course: Course, failure: Failure) -> None:
        """Waits out the backoff, or raises what ends the call."""
        attempt = course.attempts[-1]
        verdict = Verdict(
            kind=attempt.verdict, retry_after_s=attempt.retry_after_s, reason=attempt.reason
        )
        nobody = not call.target.pool.served and hopeless(failure)
        if verdict.kind == "infrastructure":
            course.count_failure(last=nobody, most=self._retry.max_attempts)
        else:
            course.refusals += 1
        now = self._clock.monotonic()
        decision = decide(
            self._retry,
            verdict=verdict,
            transient_failures=course.transient_failures,
            waited_s=course.waited_s,
            now=now,
            deadline=course.deadline,
            last_success=self._admission.troubled_since(call),
            chance=self._chance,
            refusals=course.refusals,
        )
        if isinstance(decision, GiveUp):
            ring = call.target.ring
            if ring is not None and ring.drop(call.target, failure):
                return
            hint, spot = key_hint(call, self._key_env), place(call, course)
            error = error_of(failure, verdict, **spot, key_hint=hint, gave_up=decision.reason)
            error = parked(error) if parks(decision.cause) else error
            if nobody:
                self._admission.nobody_there(call, error)
                if ring is not None and refuses_key(failure):
                    ring.give_up(error)
            await self._settle(call, course, "failed", error=error)
            raise error
        try:
            await self._pauses.wait(decision.wait_s)
        except BaseException as error:
            await self._leave(call, course, error)
            raise
        course.backoff_s = self._clock.monotonic() - now
        course.waited_s += course.backoff_s

    async def _leave(self, call: Call, course: Course, error: BaseException) -> None:
        """Settles a call that has been sent and is given up while it waits to be sent again."""
        if isinstance(error, PermitTimeout | CallError):
            await self._settle(call, course, "failed", error=error)
        elif isinstance(error, FanwiseError):
            await self._settle(call, course, "cancelled")
        else:
            with contextlib.suppress(FanwiseError, TimeoutError):
                async with asyncio.timeout(_CLEAN_UP_S):
                    await self._settle(call, course, "cancelled")

    def _settle(
        self,
        call: Call,
        course: Course,
        state: CallState,
        *,
        answer: Response | None = None,
        value: Json = None,
        error: FanwiseError | None = None,
    ) -> Awaitable[None]:
        """Hands the call's end over to the journal; durable when what it returns is awaited."""
        served = bool(course.usage.input_tokens or course.usage.output_tokens)
        record = _make_record(
            key=call.key,
            state=state,
            model=call.request.model,
            label=call.label,
            value=value,
            response=kept(answer) if answer else {},
            error=ErrorInfo.of(error) if error else None,
            usage=course.usage,
            cost_usd=course.with_unknown(self._prices.cost_usd(call.request.model, course.usage))
            if served or answer
            else _FREE,
            attempts=course.attempts,
            started_at=course.started_at,
            ended_at=self._clock.wall(),
        )
        course.ended, course.served = True, state == "served"
        call.work.account(record)
        self._progress.call_finished(record)
        more_follows = call.work.last and answer is not None
        return self._journal.settle(record, more_follows=more_follows)
