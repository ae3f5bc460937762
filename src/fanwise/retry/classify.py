"""What a failed attempt means. A pure function over the evidence in a ``Failure``."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any, Final, cast

from fanwise.errors import (
    AttemptTimeout,
    CallError,
    Overloaded,
    RateLimited,
    ServerError,
    TransportError,
)
from fanwise.records import Failure, Verdict, VerdictKind
from fanwise.retry.body import ErrorBody, read_body
from fanwise.retry.headers import retry_after_s, should_retry, states_limits, used_up
from fanwise.retry.signs import (
    says_capacity,
    says_day_is_used_up,
    says_never_fits,
    says_no_credit,
    says_nothing_is_granted,
    says_rate,
)

_TRANSIENT_STATUSES: Final = frozenset({408, 409, 425, 499})
_CAPACITY_STATUSES: Final = frozenset({498, 503, 529})
_MAY_MEAN_CAPACITY: Final = frozenset({429, 498, 500, 502, 503, 529})
_MAY_MEAN_RATE: Final = frozenset({400, 403})
_PERMANENT_5XX: Final = frozenset({501, 505, 511})
_MISDIRECTED_OS_ERRORS: Final = (
    FileNotFoundError,
    FileExistsError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
)
_KIND_OF_ERROR: Final[tuple[tuple[type[CallError], VerdictKind], ...]] = (
    (RateLimited, "rate"),
    (Overloaded, "capacity"),
    (ServerError, "infrastructure"),
    (AttemptTimeout, "infrastructure"),
    (TransportError, "infrastructure"),
)


def classify(
    failure: Failure, *, wall_s: float, retry_on: tuple[type[BaseException], ...] = ()
) -> Verdict:
    """What a failure means for the next attempt and for everybody else.

    ``rate``
        The quota refused: 429 with a wait, limit headers or a body that says so; the same said with
        400 or 403, as some gateways do. Everybody pauses, no attempt is spent.
    ``capacity``
        The provider is full: 503, 529, 498, 429 without any hint. Treated alike.
    ``infrastructure``
        It broke on the way: other 5xx, 408, 409, 425, connection, timeout, an answer that is no
        answer. Costs one of ``max_attempts``.
    ``terminal``
        It would fail the same way again: other 4xx, no money, a day's quota gone, a request larger
        than its whole limit, ``x-should-retry: false``, an exception of the caller's own code.

    Args:
        failure: The evidence.
        wall_s: Seconds since the Unix epoch, for a Retry-After that is a date.
        retry_on: Exceptions of a callable model that are worth another attempt.
    """
    if failure.kind == "status":
        return _of_answer(failure.status or 0, failure.headers, failure.body, wall_s=wall_s)
    if failure.kind == "exception":
        return _of_exception(failure, wall_s=wall_s, retry_on=retry_on)
    if isinstance(failure.exception, ssl.SSLCertVerificationError):
        return Verdict(kind="terminal", reason="the server's certificate is not valid")
    waited_s = retry_after_s(failure.headers, wall_s=wall_s)
    return Verdict(kind="infrastructure", retry_after_s=waited_s, reason=_wire_reason(failure))


def _of_answer(status: int, headers: Mapping[str, str], text: str, *, wall_s: float) -> Verdict:
    body = read_body(text)
    asked_s = retry_after_s(headers, wall_s=wall_s)
    if asked_s is None:
        asked_s = body.retry_after_s
    advice = should_retry(headers)
    kind, reason = _kind_of_status(status, headers, body, hinted=asked_s is not None)
    if kind != "terminal" and advice is False:
        return Verdict(kind="terminal", reason=f"{status}: the server asks not to retry")
    if kind == "terminal" and advice is True and not _hopeless(status, body):
        kind, reason = "infrastructure", f"{status}: the server asks to retry"
    counted = kind == "rate" or (kind == "capacity" and status == 429)
    return Verdict(kind=kind, retry_after_s=asked_s, reason=reason, counted=counted)


def _kind_of_status(
    status: int, headers: Mapping[str, str], body: ErrorBody, *, hinted: bool
) -> tuple[VerdictKind, str]:
    kind: VerdictKind = "terminal"
    reason = "the provider will not take this request"
    if 400 <= status < 500 and (hopeless := _hopeless(status, body)):
        reason = hopeless
    elif says_capacity(body) and status in _MAY_MEAN_CAPACITY:
        kind, reason = "capacity", "the provider is overloaded"
    elif status == 429 and (hinted or says_rate(body) or states_limits(headers)):
        kind = "rate"
        reason = used_up(headers) or "rate limit"
    elif status == 429:
        kind, reason = "capacity", "refused without a word about when to come back"
    elif status in _MAY_MEAN_RATE and says_rate(body):
        kind, reason = "rate", "rate limit, as a gateway puts it"
    elif status in _CAPACITY_STATUSES:
        kind, reason = "capacity", "the provider has no capacity"
    elif status in _TRANSIENT_STATUSES or (status >= 500 and status not in _PERMANENT_5XX):
        kind, reason = "infrastructure", "the provider failed"
    return kind, f"{status}: {reason}"


def _hopeless(status: int, body: ErrorBody) -> str:
    """Why no wait of minutes would help; empty where one might."""
    if status == 402 or says_no_credit(body):
        return "the account has no quota or credit left"
    if status == 429 and says_day_is_used_up(body):
        return "the quota of the day is used up"
    if status == 429 and says_nothing_is_granted(body):
        return "the account has no quota for this model"
    sizes = says_never_fits(body) if status == 429 else None
    return f"the request needs {sizes[0]} of a limit of {sizes[1]}" if sizes else ""


def _wire_reason(failure: Failure) -> str:
    if failure.kind == "timeout":
        return f"timeout ({(failure.phase or 'attempt').replace('_', ' ')})"
    return {"connect": "no connection", "reset": "connection lost"}.get(
        failure.kind, "no usable answer"
    )


def _of_exception(
    failure: Failure, *, wall_s: float, retry_on: tuple[type[BaseException], ...]
) -> Verdict:
    error = failure.exception
    name = type(error).__name__ if error is not None else failure.message
    kind: VerdictKind = "terminal"
    asked_s = None
    if isinstance(error, CallError):
        asked_s = error.retry_after_s
        for known, meant in _KIND_OF_ERROR:
            if isinstance(error, known):
                kind = meant
    elif error is not None:
        status, headers, text = answer_in(error)
        if status is not None:
            answered = _of_answer(status, headers, text, wall_s=wall_s)
            kind, asked_s, name = answered.kind, answered.retry_after_s, answered.reason
        elif isinstance(error, OSError) and not isinstance(error, _MISDIRECTED_OS_ERRORS):
            kind = "infrastructure"  # TimeoutError and ConnectionError are among these
    if kind == "terminal" and retry_on and isinstance(error, retry_on):
        kind = "infrastructure"
    return Verdict(kind=kind, retry_after_s=asked_s, reason=name)


def answer_in(error: BaseException) -> tuple[int | None, Mapping[str, str], str]:
    """Status, headers and body of the HTTP answer that an exception of another library carries.

    The clients of providers and of HTTP call them by the same few names: ``status_code`` or
    ``status`` and ``headers``, on the exception or on its ``response``. Nothing is read that would
    have to be waited for.
    """
    response: Any = getattr(error, "response", None)
    for source in (error, response):
        for name in ("status_code", "status"):
            status: Any = getattr(source, name, None)
            if isinstance(status, int) and not isinstance(status, bool) and 100 <= status < 600:
                headers = getattr(source, "headers", None) or getattr(response, "headers", None)
                return status, _plain(headers), str(error)
    return None, {}, ""


def _plain(headers: Any) -> dict[str, str]:
    if not isinstance(headers, Mapping):
        return {}
    pairs = cast("Mapping[Any, Any]", headers).items()
    return {str(name).lower(): str(value) for name, value in pairs}
