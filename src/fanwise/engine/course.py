"""How one call has gone so far, and what its attempts leave behind."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fanwise.engine.guarding import NO_PASS, Breaker, Pass
from fanwise.engine.identity import jsonable
from fanwise.limits.budget import NOTHING_SPENT, Amount
from fanwise.models.providers import BY_NAME
from fanwise.models.structured import parse
from fanwise.records import (
    NO_USAGE,
    Attempt,
    Delta,
    Json,
    Message,
    Request,
    Response,
    Timeouts,
    Usage,
    Verdict,
)
from fanwise.records.quick import maker

if TYPE_CHECKING:
    from decimal import Decimal

    from fanwise.engine.work import Call
    from fanwise.limits.limiter import Permit


_make_attempt = maker(Attempt)


@dataclass(slots=True)
class Course:
    """How a call has gone so far."""

    started_at: float
    deadline: float = math.inf
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    usage: Usage = NO_USAGE
    transient_failures: int = 0
    refusals: int = 0
    content_failures: int = 0
    waited_s: float = 0.0
    backoff_s: float = 0.0
    intended: bool = False
    ended: bool = False
    served: bool = False
    tokens_shown: bool = False
    complaint: str = ""
    reserved: Amount = NOTHING_SPENT
    breaker: Breaker | None = None
    given: Pass = NO_PASS
    retry_tokens: float = 0.0
    raced: bool = False  # one of several sends of its call: who started them settles it
    unknown_sends: int = 0  # of an answered call, those that were cancelled: perhaps paid for

    def note(
        self,
        verdict: Verdict,
        permit: Permit,
        *,
        started_at: float,
        ended_at: float,
        status: int | None,
    ) -> None:
        """Adds an attempt that has ended; instants are epoch seconds."""
        self.attempts.append(
            _make_attempt(
                number=len(self.attempts) + 1,
                verdict=verdict.kind,
                queued_s=permit.queued_s + self.backoff_s,
                cause=permit.cause if permit.queued_s >= self.backoff_s else "retry wait",
                started_at=started_at,
                ended_at=ended_at,
                status=status,
                retry_after_s=verdict.retry_after_s,
                reason=verdict.reason,
            )
        )
        self.backoff_s = 0.0

    def count_failure(self, *, last: bool, most: int) -> None:
        """Counts an attempt that failed on the way.

        A probe past a breaker is nobody's failure; but where nobody was ever there, it has tried
        for all that wait, and counts for all attempts.

        Args:
            last: Whether nobody was ever there, and no other call can fare better.
            most: Attempts that may fail so.
        """
        if not self.given.probe:
            self.transient_failures += 1
        elif last:
            self.transient_failures += most

    def with_unknown(self, cost_usd: Decimal | None) -> Decimal | None:
        """A cost with that of its cancelled sends, each taken for as dear as those answered."""
        if not self.unknown_sends or cost_usd is None:
            return cost_usd
        answered = sum(attempt.verdict == "served" for attempt in self.attempts)
        return cost_usd + cost_usd * self.unknown_sends / max(1, answered)


make_course = maker(Course)


def place(call: Call, course: Course) -> dict[str, Any]:
    """Where an error happened, as :class:`~fanwise.errors.CallError` takes it."""
    return {
        "provider": call.target.endpoint.provider,
        "model": call.request.model,
        "attempt": len(course.attempts),
    }


def timeouts_until(timeouts: Timeouts, course: Course, *, now: float) -> Timeouts:
    """The deadlines of an attempt, none later than the call's own."""
    left_s = max(0.001, course.deadline - now)
    return timeouts if left_s >= timeouts.attempt_s else replace(timeouts, attempt_s=left_s)


def parsed_of(call: Call, reply: Response) -> tuple[Response, Json]:
    """The answer with its value, and that value as the journal keeps it."""
    schema = call.request.schema
    if schema is None:
        value = reply.text if reply.value is None else reply.value
        answer = reply if reply.value is not None else replace(reply, value=value)
        return answer, jsonable(value)
    parsed = parse(reply.text, schema, complete=reply.finish_reason != "length")
    return replace(reply, value=parsed.value), parsed.json


def key_hint(call: Call, key_env: str | None) -> str:
    """Where the key of a call comes from, for the error about a refused one."""
    provider = BY_NAME.get(call.target.endpoint.provider)
    usual = provider.key_env if provider else ""
    variable = call.target.key_name or key_env or usual
    return f"check {variable}, and that its key belongs to this server" if variable else ""


def complaining(call: Call, course: Course) -> Request:
    """The request once more, with a word about what was wrong with the last answer.

    It is another request and has another idempotency key: the old one would bring the old answer.
    """
    request = call.request
    if request.body is not None:
        return request
    note = Message(
        role="user",
        content=f"Your last answer could not be used: {course.complaint}. "
        "Answer again, with nothing but JSON that fits the schema.",
    )
    key = f"{request.idempotency_key}-{course.content_failures + 1}"
    return replace(request, messages=(*request.messages, note), idempotency_key=key)


def kept(answer: Response) -> dict[str, Json]:
    """What the journal keeps of an answer beside its value and usage."""
    kept: dict[str, Json] = {"model": answer.model, "status": answer.status}
    if answer.finish_reason is not None:
        kept["finish_reason"] = answer.finish_reason
    if answer.request_id is not None:
        kept["request_id"] = answer.request_id
    if answer.body is not None:
        kept["body"] = answer.body
    return kept


def teller(call: Call, course: Course, *, number: int) -> Callable[[str], None]:
    """Hands the tokens of one attempt on; says first that those of an earlier one are void."""
    on_delta = call.on_delta
    assert on_delta is not None
    if course.tokens_shown:
        on_delta(Delta(kind="restart", attempt=number))
        course.tokens_shown = False

    def on_token(text: str) -> None:
        course.tokens_shown = True
        on_delta(Delta(kind="token", text=text, attempt=number))

    return on_token
