"""The protocol of one model at one place, beside its simplest implementation: a user's function."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Protocol

from fanwise.errors import CallError, Rejected
from fanwise.records import Failure, Request, Response, Timeouts

OnToken = Callable[[str], None]
"""Called with each piece of a streamed answer, in order, while it arrives."""


class Endpoint(Protocol):
    """One model at one place. It makes one attempt: no retry, no limit, no parsing of schemas."""

    @property
    def name(self) -> str:
        """The model as it is asked for: ``provider/model``."""
        ...

    @property
    def provider(self) -> str:
        """The provider's name, such as ``openai``."""
        ...

    @property
    def origin(self) -> str:
        """Where the model is served, as part of a call's identity: the provider's name, or a base
        URL that was set explicitly. The same in every process.
        """
        ...

    async def send(
        self, request: Request, *, timeouts: Timeouts, on_token: OnToken | None = None
    ) -> Response | Failure:
        """Sends the request once.

        Args:
            request: What to ask.
            timeouts: Deadlines of this attempt, in seconds.
            on_token: Asks for a streamed answer and is called with each piece of it.

        Returns:
            The answer, or what stood in its way: also a refusal by status such as 429. With
            ``on_token``, tokens may have been handed out before a failure.

        Cancellation closes the connection; whether the provider bills what it had begun is then
        unknown.
        """
        ...


class CallableEndpoint:
    """A model that is any ``async (Request) -> Response``.

    What the function raises becomes ``Failure(kind="exception")`` with the exception in it, so that
    an error of the :class:`~fanwise.errors.CallError` family keeps its meaning for the retry. It
    knows no streaming: a caller who asks for tokens gets the whole text as one.

    Args:
        name: ``provider/model``, or any name without a slash.
        function: The model.
    """

    __slots__ = ("_function", "_name")

    def __init__(self, name: str, function: Callable[[Request], Awaitable[Response]]) -> None:
        self._name = name
        self._function = function

    def __repr__(self) -> str:
        return f"CallableEndpoint({self._name!r})"

    @property
    def name(self) -> str:
        return self._name

    @property
    def provider(self) -> str:
        return self._name.partition("/")[0]

    @property
    def origin(self) -> str:
        return "callable"

    async def send(
        self, request: Request, *, timeouts: Timeouts, on_token: OnToken | None = None
    ) -> Response | Failure:
        limit_s = None if timeouts.attempt_s == math.inf else timeouts.attempt_s
        deadline = asyncio.timeout(limit_s)
        try:
            async with deadline:
                response = await self._function(request)
        except Exception as error:  # noqa: BLE001 -- whatever a user's model raises is its answer
            return self._failure(error, expired=deadline.expired(), limit_s=timeouts.attempt_s)
        if not isinstance(response, Response):  # pyright: ignore[reportUnnecessaryIsInstance]
            return unusable(
                f"the model function of {self._name} returned {type(response).__name__}",
                hint="it must return fanwise.Response",
            )
        if on_token is not None and response.text:
            on_token(response.text)
        return response

    def _failure(self, error: Exception, *, expired: bool, limit_s: float) -> Failure:
        if expired and isinstance(error, TimeoutError):
            return Failure(
                kind="timeout",
                phase="attempt",
                message=f"{self._name} gave no answer within {limit_s:g} s",
            )
        return raised(error, by=self._name)


def raised(error: Exception, *, by: str) -> Failure:
    """The failure that an exception of a model stands for."""
    if isinstance(error, CallError):
        return Failure(
            kind="exception",
            message=error.message,
            hint=error.hint,
            status=error.status,
            exception=error,
        )
    text = f"{by} raised {type(error).__name__}: {error}"
    return Failure(kind="exception", message=text[:500], exception=error)


def unusable(message: str, *, hint: str = "", cause: Exception | None = None) -> Failure:
    """A failure that no further attempt can mend, found on our side; nothing was sent for it."""
    error = Rejected(message, hint=hint)
    error.__cause__ = cause
    return Failure(kind="exception", message=message, hint=hint, exception=error)
