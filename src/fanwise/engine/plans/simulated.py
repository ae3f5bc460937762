"""What is known of ``sim/…``: its profile, and the answers it computes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from fanwise.engine.plans.knowledge import Factors, Fault, FaultKind, Knowledge, Latency, Tokens
from fanwise.limits.estimate import output_cap
from fanwise.models.names import split_model
from fanwise.models.openai_chat import ChatDialect
from fanwise.records import Json, Request
from fanwise.simulator.answers import computed_answer
from fanwise.simulator.lots import Lot, certain, lot, lots_key
from fanwise.simulator.profile import FAULT_KINDS, Faults
from fanwise.simulator.tokens import count_messages, count_text
from fanwise.simulator.virtual.profiles import spec_of
from fanwise.simulator.wire import BadRequest, read_chat

if TYPE_CHECKING:
    from fanwise.models.rules import Rules
    from fanwise.simulator.profile import SimProfile

_PLAIN_TOKENS: Final = 100.0
_KINDS: Final[Mapping[str, FaultKind]] = {
    "error_503": "full",
    "error_529": "full",
    "wrong_schema": "invalid",
}


def simulated(
    model: str,
    profile: SimProfile,
    *,
    pool: str,
    answers: Mapping[str, Rules],
    reserves: bool,
) -> Knowledge:
    """What is known of a simulated model.

    Args:
        model: ``sim/…``.
        profile: How it behaves.
        pool: Its quota pool.
        answers: What it answers, by the name of the schema that a request asks for.
        reserves: Whether requests name the most they may write, so that this is what is charged.
    """
    return Knowledge(
        model=model,
        pool=pool,
        basis="profile",
        words=f"{model} is simulated: its profile says what it does",
        latency=Latency(
            first_s=profile.latency_s,
            sigma=profile.latency_sigma,
            per_token_s=profile.per_token_s,
        ),
        spec=spec_of(_without_faults(profile), reserves=reserves),
        faults=tuple(_faults(profile.faults, stall_s=profile.stall_s)),
        tokens=lambda request: _tokens(request, answers),
        time=Factors(0.97, 1.03),
        given=Factors(0.99, 1.01),
        written=Factors(0.98, 1.02),
        shared=False,
        lots=_Lots(model, profile).of,
    )


class _Lots:
    """What the simulator will deal to requests: it goes by their content and its seed alone."""

    def __init__(self, model: str, profile: SimProfile) -> None:
        self._name = split_model(model)[1]
        self._dialect = ChatDialect(self._name)
        self._profile = profile
        self._keys: dict[int, tuple[Request, int]] = {}

    def of(self, request: Request, faults: int) -> Lot:
        found = certain(self._profile)
        if found is not None:
            return found
        known = self._keys.get(id(request))
        if known is None:
            content = self._dialect.encode(request, stream=False)
            # The request is kept with its key, so that its id stays its own.
            known = self._keys[id(request)] = (
                request,
                lots_key(self._profile, self._name, content),
            )
        return lot(self._profile, known[1], faults)


def _without_faults(profile: SimProfile) -> SimProfile:
    return replace(profile, faults=Faults())


def _faults(faults: Faults, *, stall_s: float) -> list[Fault]:
    found = [
        Fault(
            share=getattr(faults, name),
            kind=_KINDS.get(name, "failed"),
            extra_s=stall_s if name in {"stall", "stall_body"} else 0.0,
            name=name,
        )
        for name in FAULT_KINDS
    ]
    return [fault for fault in found if fault.share > 0.0]


def _tokens(request: Request, answers: Mapping[str, Rules]) -> Tokens:
    """Counts as the simulator counts, and lets it compute the answer."""
    asked = request if request.body is None else _read(request.body)
    if asked is None:
        return Tokens(len(orjson.dumps(request.body)) / 4.0, _PLAIN_TOKENS)
    given = count_messages(asked.messages)
    schema = asked.schema
    if schema is not None:
        given += count_text(orjson.dumps(schema.definition).decode())
    answer = computed_answer if schema is None else answers.get(schema.name, computed_answer)
    try:
        value: Any = answer(asked)
        if inspect.iscoroutine(value):
            value.close()
            return Tokens(given, _PLAIN_TOKENS)
    except Exception:  # noqa: BLE001 - the run will meet it too, and say so
        return Tokens(given, _PLAIN_TOKENS)
    text = value if isinstance(value, str) and schema is None else orjson.dumps(value).decode()
    cap, times = output_cap(request)
    written = float(count_text(text))
    if cap is not None:
        written = min(written, cap / times)
    return Tokens(given, written * times)


def _read(body: Mapping[str, Json]) -> Request | None:
    """A body that is sent as it stands, as the simulator reads it."""
    try:
        return read_chat(body, idempotency_key="").request
    except (BadRequest, TypeError, KeyError, ValueError):
        return None
