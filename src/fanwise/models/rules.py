"""``builtin/rules``: a pipeline's own rules in a model's place, without key or network."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from fanwise.models.endpoint import OnToken, unusable
from fanwise.models.json_bytes import json_bytes
from fanwise.records import Failure, Json, Request, Response, Timeouts, Usage

Rules: TypeAlias = "Callable[[Request], Json | Awaitable[Json]]"
"""Computes an answer from the request alone. May be ``async``; must not block the event loop."""

RULES_MODEL = "builtin/rules"
_FREE = Usage(input_tokens=0, output_tokens=0, cached_input_tokens=0)


class RulesEndpoint:
    """Answers with what the rules compute from the request.

    A text stands as it is where no schema was asked for; everything else is answered as JSON text,
    as a model under a schema would. Rules that raise fail for good: the same request would make
    them raise again.

    Args:
        rules: The rules.
    """

    __slots__ = ("_rules",)

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def __repr__(self) -> str:
        return f"RulesEndpoint({getattr(self._rules, '__qualname__', self._rules)!r})"

    @property
    def name(self) -> str:
        return RULES_MODEL

    @property
    def provider(self) -> str:
        return "builtin"

    @property
    def origin(self) -> str:
        return "builtin"

    async def send(
        self, request: Request, *, timeouts: Timeouts, on_token: OnToken | None = None
    ) -> Response | Failure:
        try:
            answer = self._rules(request)
            if inspect.isawaitable(answer):
                answer = await answer
            if isinstance(answer, str) and request.schema is None:
                text = answer
            else:
                text = json_bytes(answer).decode()
        except Exception as error:  # noqa: BLE001 -- rules are foreign code; their failure is data
            return unusable(
                f"the rules raised {type(error).__name__}: {error}"[:500],
                hint="this is a fault in the rules or a request they do not know",
                cause=error,
            )
        if on_token is not None and text:
            on_token(text)
        return Response(
            text=text, value=answer, usage=_FREE, model=RULES_MODEL, finish_reason="stop"
        )
