"""What is asked: messages, schemas, requests, and the deadlines of an attempt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fanwise.records.json import NOTHING, Json

Role = Literal["system", "developer", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation.

    Args:
        role: Whose it is: ``system``, ``developer``, ``user``, ``assistant`` or ``tool``.
        content: A text, or the provider's own list of content parts.
    """

    role: Role
    content: Json


def user(content: Json) -> Message:
    """A message of the user; ``content`` is a text, or the provider's list of content parts."""
    return Message(role="user", content=content)


def system(content: Json) -> Message:
    """A message that sets the model's task; ``content`` as for :func:`user`."""
    return Message(role="system", content=content)


def assistant(content: Json) -> Message:
    """A message the model is taken to have written; ``content`` as for :func:`user`."""
    return Message(role="assistant", content=content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The shape an answer must have.

    Args:
        name: What it is called towards the provider.
        definition: A JSON Schema.
        build: Turns a valid JSON value into what the caller wants (a pydantic model's
            ``model_validate``, say); no part of a call's identity.
        salvage: Makes a JSON value of a whole answer that holds none that fits, where its task
            knows another form that models fall into (one entry a line, say); ``None`` where it
            cannot. What it makes has to fit like any other. No part of a call's identity.
    """

    name: str
    definition: Mapping[str, Json]
    build: Callable[[Any], Any] | None = field(default=None, compare=False, repr=False)
    salvage: Callable[[str], Json] | None = field(default=None, compare=False, repr=False)


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
