"""The values that travel between the packages: requests, answers, outcomes and journal rows.

All are frozen. Durations are seconds, wall-clock instants are seconds since the Unix epoch, money
is ``Decimal`` US dollars. ``None`` always means *unknown*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from fanwise.errors import FanwiseError

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


class _Nothing(Mapping[Any, Any]):
    """The empty mapping. Hashable, as a dataclass's default has to be (``mappingproxy`` is not,
    before Python 3.12).
    """

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "{}"


NOTHING: Mapping[Any, Any] = _Nothing()

# ── what is asked ────────────────────────────────────────────────────────────────────────────

Role = Literal["system", "developer", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation: text, or the provider's list of content parts."""

    role: Role
    content: Json


def user(content: Json) -> Message:
    """A message of the user."""
    return Message(role="user", content=content)


def system(content: Json) -> Message:
    """A message that sets the model's task."""
    return Message(role="system", content=content)


def assistant(content: Json) -> Message:
    """A message the model is taken to have written."""
    return Message(role="assistant", content=content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The shape an answer must have.

    ``definition`` is a JSON Schema. ``build`` turns a valid JSON value into what the caller wants
    (a pydantic model's ``model_validate``, say) and is no part of a call's identity.
    """

    name: str
    definition: Mapping[str, Json]
    build: Callable[[Any], Any] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to one model, before any thought of limits or retries.

    Args:
        model: ``provider/model``.
        messages: The conversation so far.
        parameters: Sampling parameters by the provider's own names (``temperature``, …).
        schema: Shape of the answer; ``None`` for free text.
        endpoint: Path below the provider's base URL.
        body: A request body that is sent as it stands; messages and parameters are then unused.
        version: Version of the prompt or of the rules, part of the call's identity.
        idempotency_key: The same on every attempt of one logical call.
    """

    model: str
    messages: Sequence[Message] = ()
    parameters: Mapping[str, Json] = NOTHING
    schema: Schema | None = None
    endpoint: str = "chat/completions"
    body: Mapping[str, Json] | None = None
    version: str = ""
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Deadlines of one attempt, in seconds. ``math.inf`` switches one off.

    Args:
        connect_s: Until a connection stands, TLS included.
        first_byte_s: From the request's last byte to the first byte of the answer's head.
        between_chunks_s: Longest silence inside an answer.
        attempt_s: The whole attempt.
    """

    connect_s: float = 10.0
    first_byte_s: float = 120.0
    between_chunks_s: float = 60.0
    attempt_s: float = 600.0


# ── what is answered ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that a provider reported; ``None`` where it reported none."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None

    def __add__(self, other: Usage) -> Usage:
        if self is NO_USAGE:
            return other
        if other is NO_USAGE:
            return self
        return Usage(
            input_tokens=_plus(self.input_tokens, other.input_tokens),
            output_tokens=_plus(self.output_tokens, other.output_tokens),
            cached_input_tokens=_plus(self.cached_input_tokens, other.cached_input_tokens),
        )


def _plus(left: int | None, right: int | None) -> int | None:
    if left is None:
        return right
    return left if right is None else left + right


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A served answer.

    Args:
        text: What the model wrote.
        value: What the caller gets: the parsed value under a schema, else the text.
        usage: Tokens used.
        model: The model's name as the server states it.
        finish_reason: Why the model stopped.
        refusal: The model's words where it declined; ``None`` where it answered.
        status: The HTTP status.
        request_id: The provider's id of the request.
        headers: Answer headers, names in lower case.
        body: The decoded answer, kept only for a request that brought its own ``body``.
        first_token_s: Seconds from the send to the first token, where it was streamed.
    """

    text: str
    value: Any = None
    usage: Usage = NO_USAGE
    model: str = ""
    finish_reason: str | None = None
    refusal: str | None = None
    status: int = 200
    request_id: str | None = None
    headers: Mapping[str, str] = NOTHING
    body: Mapping[str, Json] | None = None
    first_token_s: float | None = None


FailureKind = Literal["status", "connect", "reset", "timeout", "protocol", "exception"]
Phase = Literal["connect", "first_byte", "between_chunks", "attempt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An attempt that brought no answer, as evidence for the classifier.

    Args:
        kind: ``status`` for an HTTP answer that is no success; else what broke on the wire.
        message: One sentence for people.
        status: The HTTP status, for kind ``status``.
        headers: Answer headers, names in lower case.
        body: Start of the answer's body, at most 4096 characters.
        phase: The deadline that passed, for kind ``timeout``.
        hint: How to mend it, where that is known.
        exception: What a callable model raised, for kind ``exception``.
    """

    kind: FailureKind
    message: str
    status: int | None = None
    headers: Mapping[str, str] = NOTHING
    body: str = ""
    phase: Phase | None = None
    hint: str = ""
    exception: BaseException | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of a streamed answer. Provisional until the call's outcome is durable.

    ``restart`` says that the stream broke after tokens had been shown and begins anew: what was
    shown before it is void.
    """

    kind: Literal["token", "restart"]
    text: str = ""
    attempt: int = 1


# ── what limits see ──────────────────────────────────────────────────────────────────────────

VerdictKind = Literal["served", "rate", "capacity", "infrastructure", "terminal", "cancelled"]
Cause = Literal["rate", "tokens", "concurrency", "retry wait", "source", "cpu", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an attempt's end means (LIMITS: rate, capacity, infrastructure, terminal, served).

    ``retry_after_s`` is the wait the provider asked for; ``reason`` one short phrase for people.
    """

    kind: VerdictKind
    retry_after_s: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one request takes from the quotas: reserved before it, reconciled after it."""

    requests: int = 1
    input_tokens: int = 0
    output_tokens: int = 0


# ── what is known for certain ────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class CallKey:
    """A call's identity inside a run. ``content_key`` is 32 hexadecimal digits."""

    item_id: str
    content_key: str
    sample: int = 0


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
    service_s: float = 0.0

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


# ── what the caller gets ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one item ended: a value, or the error that stands in its place.

    Args:
        item_id: The item's id.
        ok: Whether ``value`` counts.
        value: What the item's function returned.
        error: The exception, where it failed.
        item: The item itself.
        attempts: Sends over all of its calls.
        usage: Tokens over all of its calls.
        cost_usd: Price over all of its calls; ``None`` where one is unknown.
        queued_s: Seconds its calls waited for permits and backoff.
        service_s: Seconds its calls were served.
        cached: Whether nothing had to be sent for it.
        position: 0-based place in the source.
    """

    item_id: str
    ok: bool
    value: Any = None
    error: BaseException | None = None
    item: Any = None
    attempts: int = 0
    usage: Usage = NO_USAGE
    cost_usd: Decimal | None = None
    queued_s: float = 0.0
    service_s: float = 0.0
    cached: bool = False
    position: int = 0
