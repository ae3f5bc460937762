"""What is answered, or what stood in its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fanwise.records.json import NOTHING, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that a provider reported; ``None`` where it reported none.

    Args:
        input_tokens: Tokens of the request, cached ones included.
        output_tokens: Tokens of the answer.
        cached_input_tokens: Of the input, those that the provider had in its cache.
    """

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

    Args:
        kind: ``token``; or ``restart``: the stream broke after tokens had been shown and begins
            anew, and what was shown before is void.
        text: The piece; empty for a restart.
        attempt: Number of the attempt that it came with, from 1.
    """

    kind: Literal["token", "restart"]
    text: str = ""
    attempt: int = 1
