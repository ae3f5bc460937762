"""Every error of Fanwise, as one tree.

FanwiseError                 code (stable), hint (how to mend it)
├ UsageError                 nothing was spent
│   ├ ConfigError            a setting, a name, a file or an input row is wrong
│   │   ├ InputError         a file or a row of it; names source, line and byte offset
│   │   └ InvalidFields      fields of a job; says of each what is wrong with it
│   ├ PlanError              the work as described cannot be run
│   └ StateError             a right call at the wrong time
├ CallError                  one call failed: provider, model, attempt, status, retry_after_s
│   ├ RateLimited            429: the provider's quota
│   ├ Overloaded             529, 503, 429 without hints: the provider's capacity
│   ├ ServerError            any other 5xx
│   ├ AttemptTimeout         connect, first byte, between chunks, attempt or total
│   ├ TransportError         no usable answer came back over the wire
│   ├ Rejected               the provider will not take this request, however often it is sent
│   ├ Parked                 left for later: nothing answers, or the retry budget is used up
│   ├ Refused                the model declined; served and billed
│   └ InvalidOutput          not what the schema asks for; served and billed, carries usage
├ LimitError
│   ├ QueueFull · PermitTimeout · BudgetExhausted
├ JournalError
│   ├ Conflict               another process writes this run
│   ├ SchemaMismatch         written by a newer Fanwise
│   ├ CorruptRecord          a record that cannot be read
│   └ JournalUnavailable     disk full, I/O error, database unreachable
├ AllFailed                  no operation of a race or candidate of a fallback succeeded
├ LoadError                  a batch of lookups returned what cannot be matched to its keys
│   └ MissingKey             it returned nothing for one key
├ StepSkipped            a step of a graph was not started: one that it needs has failed
├ OperationCancelled         an operation ended as cancelled although nobody cancelled it
└ RunAborted                 the run ended early; carries the partial report

An item's failure is data (:class:`fanwise.Outcome`); an exception is for misuse and for the
failure of a whole run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanwise.records import Usage


class FanwiseError(Exception):
    """Root of all errors raised by Fanwise.

    Args:
        message: What went wrong and where, in one sentence.
        hint: How to mend it; empty where there is nothing to add.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(FanwiseError):
    """Misuse, found before anything was spent."""

    code = "usage"


class ConfigError(UsageError):
    """A setting, a name, a file or an input row is wrong; nothing was spent."""

    code = "config"


class InputError(ConfigError):
    """A file, or a row of it, cannot be read as it stands; nothing was spent on it.

    Args:
        message: What is wrong, without the place.
        hint: How to mend it.
        source: The file as its reader was given it.
        line: The line, 1-based, where there is one.
        offset: The byte's offset in the file, 0-based, where it is known.
    """

    code = "input"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        source: str = "",
        line: int | None = None,
        offset: int | None = None,
    ) -> None:
        places = [source] if source else []
        if line is not None:
            places.append(f"line {line}")
        if offset is not None:
            places.append(f"byte {offset}")
        super().__init__(f"{', '.join(places)}: {message}" if places else message, hint=hint)
        self.source = source
        self.line = line
        self.offset = offset


class InvalidFields(ConfigError):
    """What was asked for has fields that are wrong; nothing was spent.

    Args:
        subject: What has the fields, such as ``hooks``.
        fields: Of each wrong field, what is wrong and what is allowed. A nested field is named by
            its path, such as ``answers.0.answer``.
        hint: How to mend it.
    """

    code = "invalid_fields"

    def __init__(self, subject: str, fields: Mapping[str, str], *, hint: str = "") -> None:
        told = "; ".join(f"{name}: {reason}" for name, reason in fields.items())
        super().__init__(f"{subject}: {told}", hint=hint)
        self.fields = dict(fields)


class PlanError(UsageError):
    """The work as described cannot be run; nothing was spent."""

    code = "plan"


class StateError(UsageError):
    """A right call at the wrong time; nothing was spent by it."""

    code = "state"


class CallError(FanwiseError):
    """One call failed. Whatever its attempts cost is in the outcome that carries it.

    Args:
        message: What went wrong.
        hint: How to mend it.
        provider: The provider's name, such as ``openai``.
        model: The model as it was asked for, such as ``openai/gpt-4o-mini``.
        attempt: The attempt that failed, 1-based; 0 where none was sent.
        status: The HTTP status, where one was received.
        retry_after_s: The wait the provider asked for, in seconds, where it asked for one.
    """

    code = "call"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        provider: str = "",
        model: str = "",
        attempt: int = 0,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.provider = provider
        self.model = model
        self.attempt = attempt
        self.status = status
        self.retry_after_s = retry_after_s


class RateLimited(CallError):
    """The provider's quota refused the request and patience with it ran out."""

    code = "rate_limited"


class Overloaded(CallError):
    """The provider has no capacity left."""

    code = "overloaded"


class ServerError(CallError):
    """The provider failed in a way of its own (5xx)."""

    code = "server_error"


class AttemptTimeout(CallError):
    """A deadline passed: connect, first byte, between chunks, attempt or total."""

    code = "timeout"


class TransportError(CallError):
    """No usable answer came back: unreachable, reset, cut off or not HTTP."""

    code = "transport"


class Rejected(CallError):
    """The provider will not take this request (400, 401, 403, 404, 422, quota used up)."""

    code = "rejected"


class Parked(CallError):
    """Left for later, through no fault of its own: retrying it sends it again.

    Nothing was served for too long, the provider asks for a longer wait than is accepted, or the
    retry budget is used up.
    """

    code = "parked"


class Refused(CallError):
    """The model declined to answer. Served and billed."""

    code = "refused"

    def __init__(self, message: str, *, usage: Usage | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.usage = usage


class InvalidOutput(CallError):
    """The answer is not what the schema asks for. Served and billed."""

    code = "invalid_output"

    def __init__(self, message: str, *, usage: Usage | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.usage = usage


class LimitError(FanwiseError):
    """A limit of ours said no; the call was not sent."""

    code = "limit"


class QueueFull(LimitError):
    """The bounded queue before a limiter is full."""

    code = "queue_full"


class PermitTimeout(LimitError):
    """No permit was free before the deadline; nothing was sent."""

    code = "permit_timeout"


class BudgetExhausted(LimitError):
    """The user's budget cannot cover the next call, which was not sent; what was paid for is kept.

    Args:
        message: What is used up.
        hint: How to go on.
        kind: What was bounded: ``usd``, ``tokens``, ``calls`` or ``wall_s``.
    """

    code = "budget_exhausted"

    def __init__(self, message: str, *, hint: str = "", kind: str = "") -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


class JournalError(FanwiseError):
    """The journal could not do what was asked of it."""

    code = "journal"


class Conflict(JournalError):
    """Another process writes this run, or took it over."""

    code = "conflict"


class SchemaMismatch(JournalError):
    """The journal was written by a version that this one cannot read."""

    code = "schema_mismatch"


class CorruptRecord(JournalError):
    """A record in the journal cannot be read."""

    code = "corrupt_record"


class JournalUnavailable(JournalError):
    """Disk full, I/O error, locked file or unreachable database. What was durable stays so."""

    code = "journal_unavailable"


class AllFailed(FanwiseError):
    """No operation of a race, or no candidate of a fallback, succeeded.

    Args:
        message: What was tried.
        hint: How to mend it.
        errors: Why each one failed, by its name, in the order in which they failed.
    """

    code = "all_failed"

    def __init__(
        self, message: str, *, hint: str = "", errors: Mapping[str, Exception] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.errors: Mapping[str, Exception] = dict(errors or {})


class LoadError(FanwiseError):
    """A batch of lookups returned what cannot be matched to its keys."""

    code = "load"


class MissingKey(LoadError, KeyError):
    """A batch of lookups returned nothing for this key; the others have their values."""

    code = "missing_key"


class StepSkipped(FanwiseError):
    """A step of a graph was not started, since one that it cannot do without has failed.

    Args:
        message: Which, and why.
        hint: How to mend it.
        step: The step.
        cause: The step that failed; ``total_s`` where the graph's time was up.
    """

    code = "step_skipped"

    def __init__(self, message: str, *, hint: str = "", step: str = "", cause: str = "") -> None:
        super().__init__(message, hint=hint)
        self.step = step
        self.cause = cause


class OperationCancelled(FanwiseError):
    """An operation ended as cancelled although nobody cancelled it: something it awaited was."""

    code = "operation_cancelled"


class RunAborted(FanwiseError):
    """The run ended early. ``report`` says what was done by then."""

    code = "run_aborted"

    def __init__(self, message: str, *, hint: str = "", report: object | None = None) -> None:
        super().__init__(message, hint=hint)
        self.report = report
