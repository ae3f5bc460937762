"""What is known for certain: the rows of a journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from fanwise.errors import FanwiseError
from fanwise.records.answers import NO_USAGE, Usage
from fanwise.records.json import NOTHING, Json
from fanwise.records.verdicts import Cause, VerdictKind


@dataclass(frozen=True, slots=True)
class CallKey:
    """A call's identity inside a run. ``content_key`` is 32 hexadecimal digits."""

    item_id: str
    content_key: str
    sample: int = 0


HEDGE: Final = "hedge"
"""How the reason of an attempt begins that was sent while another one of its call stalled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One send and its end. Instants are epoch seconds.

    ``queued_s`` is the wait before it (permit and backoff), ``cause`` what most of it waited for.
    """

    number: int
    verdict: VerdictKind
    queued_s: float
    started_at: float
    ended_at: float
    cause: Cause = "nothing"
    status: int | None = None
    retry_after_s: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """An error as data: a stable kind, a sentence, the HTTP status, and how to mend it."""

    kind: str
    message: str
    status: int | None = None
    hint: str = ""

    @classmethod
    def of(cls, error: BaseException) -> ErrorInfo:
        """The data of any exception; foreign ones keep their class name in the message."""
        if isinstance(error, FanwiseError):
            status = getattr(error, "status", None)
            return cls(kind=error.code, message=error.message, status=status, hint=error.hint)
        return cls(kind="exception", message=f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallIntent:
    """Written before the first send of a call, so that a crash leaves a trace of it.

    ``request`` is the request as JSON bytes, stored once per content key.
    """

    key: CallKey
    model: str
    started_at: float
    label: str = ""
    request: bytes = b""


CallState = Literal["sending", "served", "failed", "ambiguous", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """A call as the journal holds it; written by ``Journal.settle`` with its final state.

    Args:
        key: Its identity.
        state: ``sending`` from intent to outcome, ``ambiguous`` where a crash fell between them.
        model: ``provider/model``.
        label: The step or purpose, for people (``judge``, ``extract``).
        value: The answer as JSON (text, or the parsed value under a schema).
        response: Finish reason, request id, status and, for pass-through, the body.
        error: Why it failed.
        usage: Tokens over all of its attempts.
        cost_usd: Price over all attempts; ``None`` where the price is unknown.
        attempts: Every send of this call in order, over all sessions of the run where the
            journal still knows them.
        started_at: Instant of the intent.
        ended_at: Instant of the outcome; ``None`` while it is open.
        cached: Answered without a send: from the cache, or by sharing another call's flight.
        resends: How often a crash made it go out again (each one possibly paid twice).
    """

    key: CallKey
    state: CallState
    model: str
    label: str = ""
    value: Json = None
    response: Mapping[str, Json] = NOTHING
    error: ErrorInfo | None = None
    usage: Usage = NO_USAGE
    cost_usd: Decimal | None = None
    attempts: Sequence[Attempt] = ()
    started_at: float = 0.0
    ended_at: float | None = None
    cached: bool = False
    resends: int = 0


ItemState = Literal["succeeded", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRecord:
    """An item's end as the journal holds it. One per item id; a later end replaces an earlier.

    Args:
        item_id: Its id: never its position.
        position: 0-based place in the source, for display and input order only.
        state: How it ended.
        input: What it was asked for, as JSON (the row of a table, say).
        value: What its function returned, as JSON.
        error: Why it failed.
        model: The model, where the item stands for one model's answer.
        usage, cost_usd, attempts: Sums over its calls; ``attempts`` counts sends.
        queued_s: Time its calls waited (permits and backoff).
        service_s: Time its calls were served.
        started_at, ended_at: Epoch seconds.
        cached: Every call of it was answered without a send.
        event: The number of its durable event; 0 before it has one.
    """

    item_id: str
    position: int
    state: ItemState
    input: Json = None
    value: Json = None
    error: ErrorInfo | None = None
    model: str = ""
    usage: Usage = NO_USAGE
    cost_usd: Decimal | None = None
    attempts: int = 0
    queued_s: float = 0.0
    service_s: float = 0.0
    started_at: float = 0.0
    ended_at: float = 0.0
    cached: bool = False
    event: int = 0


RunStatus = Literal["running", "finished", "interrupted", "cancelled", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What a run is, as its opener states it.

    ``options`` is JSON and enough for ``resume`` to begin the same work again; it holds no key.
    """

    name: str
    command: str = ""
    options: Mapping[str, Json] = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as the catalogue lists it. ``live`` says that some process holds its lock now."""

    run_id: str
    spec: RunSpec
    status: RunStatus
    created_at: float
    updated_at: float
    live: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """One process's stretch of work on a run, from opening it to closing it.

    ``ended_at`` is the last durable commit where the process died. ``limited_by`` holds seconds by
    cause; ``in_flight_s`` is the integral of the calls in flight, ``limit_s`` that of the
    concurrency limit in force (both in call-seconds).
    """

    number: int
    started_at: float
    ended_at: float
    closed: bool
    limited_by: Mapping[Cause, float] = NOTHING
    in_flight_s: float = 0.0
    limit_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Totals of a run, kept in the same transaction as what they count."""

    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    cached: int = 0
    calls: int = 0
    attempts: int = 0
    rate_limited: int = 0
    ambiguous: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced_calls: int = 0
    unsent_calls: int = 0
    service_s: float = 0.0

    @property
    def sent_calls(self) -> int:
        """Calls that went out, or may have: what a budget of calls counts."""
        return self.calls - self.unsent_calls

    @property
    def finished(self) -> int:
        """Items that have ended, however."""
        return self.succeeded + self.failed + self.cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A durable event: an item's end or a control change, numbered from 1 without gaps."""

    number: int
    kind: str
    at: float
    item_id: str = ""
    data: Mapping[str, Json] = NOTHING
