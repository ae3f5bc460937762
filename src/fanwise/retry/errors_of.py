"""The error that stands for a failure: its class, what happened in plain words, how to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fanwise.errors import (
    AttemptTimeout,
    CallError,
    Overloaded,
    RateLimited,
    Rejected,
    ServerError,
    StateError,
    TransportError,
)
from fanwise.records import Failure, Verdict
from fanwise.retry.body import read_body
from fanwise.retry.redact import excerpt, redact
from fanwise.retry.signs import (
    says_day_is_used_up,
    says_key_refused,
    says_no_credit,
    says_nothing_is_granted,
)

_NAMES: Final = {
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "gemini": "Gemini",
    "azure": "Azure",
    "groq": "Groq",
    "mistral": "Mistral",
    "openrouter": "OpenRouter",
    "sim": "the simulated provider",
}
_REFUSALS: Final[Mapping[str, type[CallError]]] = {"rate": RateLimited, "capacity": Overloaded}
_BILLING: Final = {
    "openai": "https://platform.openai.com/settings/organization/billing",
    "anthropic": "https://console.anthropic.com/settings/billing",
    "gemini": "https://ai.dev/rate-limit",
    "groq": "https://console.groq.com/settings/billing",
    "mistral": "https://console.mistral.ai/billing",
    "openrouter": "https://openrouter.ai/settings/credits",
}
_SAID: Final = {
    400: "did not accept the request",
    401: "refused the key",
    402: "wants to be paid first",
    403: "does not allow this request",
    404: "does not know this model or path",
    405: "does not take requests at this address",
    408: "gave up waiting for the request",
    413: "finds the request too large",
    422: "did not accept the request",
    429: "refused the request",
    503: "has no capacity",
    529: "is overloaded",
}


def error_of(
    failure: Failure,
    verdict: Verdict,
    *,
    provider: str,
    model: str,
    attempt: int,
    key_hint: str = "",
    gave_up: str = "",
) -> CallError:
    """The error for a call that ends with this failure.

    Args:
        failure: The last attempt's end.
        verdict: What it was taken to mean; neither ``served`` nor ``cancelled``.
        provider: The provider's name, such as ``openai``.
        model: The model as it was asked for.
        attempt: Number of the attempt, 1-based.
        key_hint: Where the key comes from, for a refused one (``check OPENAI_API_KEY``).
        gave_up: Why there is no further attempt, where the failure does not say it all.

    Returns:
        The error, not raised; secrets in what the server sent are replaced by ``[secret]``.
    """
    if verdict.kind in {"served", "cancelled"}:
        raise StateError(f"an attempt that was {verdict.kind} has no error")
    place: dict[str, Any] = {
        "provider": provider,
        "model": model,
        "attempt": attempt,
        "status": failure.status,
        "retry_after_s": verdict.retry_after_s,
    }
    if isinstance(failure.exception, CallError):
        return _completed(failure.exception, place, gave_up)
    message = _message(failure, verdict, _NAMES.get(provider, provider or "the server"))
    if gave_up:
        message = f"{message}; given up: {gave_up}"
    hint = redact(failure.hint) or _hint(failure, verdict, provider, model, key_hint)
    error = _class_of(failure, verdict)(message, hint=hint, **place)
    error.__cause__ = failure.exception
    return error


def _class_of(failure: Failure, verdict: Verdict) -> type[CallError]:
    found: type[CallError] = ServerError
    if verdict.kind in _REFUSALS:
        found = _REFUSALS[verdict.kind]
    elif failure.kind == "timeout" or failure.status == 408:
        found = AttemptTimeout
    elif failure.kind == "exception":
        found = CallError
    elif failure.kind != "status":
        found = TransportError
    elif verdict.kind == "terminal" and (failure.status or 0) < 500:
        found = Rejected
    return found


def _completed(error: CallError, place: dict[str, Any], gave_up: str) -> CallError:
    """A callable model's own error, with what it could not know filled in."""
    for name, value in place.items():
        if value is not None and not getattr(error, name):
            setattr(error, name, value)
    if gave_up and gave_up not in error.message:
        error.message = f"{error.message}; given up: {gave_up}"
    return error


def _message(failure: Failure, verdict: Verdict, who: str) -> str:
    if failure.kind == "exception":
        error = failure.exception
        name = type(error).__name__ if error is not None else "error"
        return excerpt(f"{name}: {failure.message or error}")
    if failure.kind != "status":
        return excerpt(failure.message or verdict.reason)
    status = failure.status or 0
    said = _SAID.get(status) or ("failed" if status >= 500 else "did not accept the request")
    detail = excerpt(read_body(failure.body).message or failure.message)
    return f"{who} {said} ({status})" + (f": {detail}" if detail else "")


def _hint(failure: Failure, verdict: Verdict, provider: str, model: str, key_hint: str) -> str:
    body = read_body(failure.body)
    page = _BILLING.get(provider, "the provider's billing page")
    status = failure.status
    other_key = key_hint or "check the key, and that it belongs to this server"
    advice = (
        (status == 402 or says_no_credit(body), f"add credit or raise the account's limit: {page}"),
        (
            verdict.kind == "rate",
            "state the limit you have (--rpm, --tpm), or ask for a higher one",
        ),
        (verdict.kind == "capacity", "try later, or with fewer at once (-j)"),
        (status == 429 and says_day_is_used_up(body), "go on tomorrow with `fanwise resume`"),
        (
            status == 429 and says_nothing_is_granted(body),
            f"choose a model that the plan holds: {page}",
        ),
        (status == 429, "shorten the request or its max_tokens, or have the limit raised"),
        (says_key_refused(status or 0, body), other_key),
        (status == 403, key_hint or f"check that the key may use {model}"),
        (status == 404, f"check the model's name ({model}) and --base-url"),
        (status == 413, "shorten the input"),
        (failure.kind == "connect", "check --base-url and the network"),
    )
    return next((text for applies, text in advice if applies), "")
