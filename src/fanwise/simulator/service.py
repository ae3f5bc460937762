"""What the simulated provider does with each request."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping

import orjson

from fanwise.clock import Clock
from fanwise.records import Json, Request
from fanwise.simulator import wire
from fanwise.simulator.admission import Admission, retry_headers
from fanwise.simulator.answers import Answer
from fanwise.simulator.embeddings import embeddings_body, read_embedding
from fanwise.simulator.http import Connection, Exchange, HttpRequest
from fanwise.simulator.ledger import Ledger
from fanwise.simulator.lots import Lot, certain, lot, lots_key
from fanwise.simulator.profile import FaultKind, SimProfile, named_profiles
from fanwise.simulator.tokens import count_messages, count_text, cut, pieces
from fanwise.simulator.wire import BadRequest, Chat, Completion

_JSON = "application/json"
_FAULTED_HELD = 1_000_000
_STATUS: Mapping[FaultKind, int] = {"error_500": 500, "error_503": 503, "error_529": 529}
_HTML = b"<!DOCTYPE html><html><head><title>Gateway</title></head><body>Please wait</body></html>"


_Route = Callable[[HttpRequest, Exchange], Awaitable[None]]


class SimService:
    """The routes, limits, faults and answers of one simulated provider.

    Args:
        profile: How it behaves.
        answer: What it answers.
        clock: Source of time; waits are the event loop's.
    """

    def __init__(self, profile: SimProfile, *, answer: Answer, clock: Clock) -> None:
        self.ledger = Ledger()
        self.connections: set[Connection] = set()
        self.closing = False
        self._profile = profile
        self._answer = answer
        self._clock = clock
        self._admission = Admission(profile, now=clock.monotonic())
        self._faulted: OrderedDict[int, int] = OrderedDict()
        self._numbered = 0
        self._routes: Mapping[str, tuple[str, _Route]] = {
            "/v1/chat/completions": ("POST", self._chat),
            "/v1/embeddings": ("POST", self._embeddings),
            "/v1/models": ("GET", self._models),
            "/sim/statistics": ("GET", self._statistics),
        }

    # What the connections call.

    def opened(self, connection: Connection) -> None:
        self.connections.add(connection)
        self.ledger.connected()

    def closed(self, connection: Connection, *, busy: bool) -> None:
        self.connections.discard(connection)
        self.ledger.disconnected()
        if busy and not self.closing:
            self.ledger.closed_by_client += 1

    def misread(self, status: int, message: str) -> tuple[bytes, Mapping[str, str]]:
        self.ledger.reject(status)
        return wire.error_body(message, kind="invalid_request_error"), {"content-type": _JSON}

    async def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        method, route = self._routes.get(request.path, ("", None))
        try:
            if route is None:
                await self._reject(
                    404, f"Invalid URL ({request.method} {request.path})", exchange=exchange
                )
            elif request.method != method:
                await self._reject(
                    405, f"Not allowed to {request.method} on {request.path}", exchange=exchange
                )
            elif not request.path.startswith("/v1/") or self._let_in(request, exchange):
                await route(request, exchange)
        except BadRequest as error:
            await self._reject(400, error.message, exchange=exchange, param=error.param)
        except Exception as error:  # noqa: BLE001 - a server answers whatever breaks in it
            self.ledger.fail_answer(error)
            if exchange.begun:
                exchange.cut()
            else:
                self._error(500, f"The simulator failed: {error!r}", exchange=exchange)

    # Routes.

    async def _chat(self, request: HttpRequest, exchange: Exchange) -> None:
        key = request.headers.get("idempotency-key", "")
        self.ledger.arrived(key)
        chat = wire.read_chat(wire.read_json(request.body), idempotency_key=key)
        input_tokens = count_messages(chat.request.messages)
        if chat.request.schema is not None:
            input_tokens += count_text(orjson.dumps(chat.request.schema.definition).decode())
        reserved = input_tokens + (chat.max_tokens or 0) * chat.choices
        if not self._serves(chat.model, exchange) or not self._admit(
            reserved, model=chat.model, exchange=exchange
        ):
            return
        self.ledger.began()
        try:
            await self._complete(chat, request.body, exchange=exchange, input_tokens=input_tokens)
        finally:
            self.ledger.ended()

    async def _embeddings(self, request: HttpRequest, exchange: Exchange) -> None:
        key = request.headers.get("idempotency-key", "")
        self.ledger.arrived(key)
        embedding = read_embedding(wire.read_json(request.body))
        tokens = embedding.input_tokens
        if not self._serves(embedding.model, exchange) or not self._admit(
            tokens, model=embedding.model, exchange=exchange
        ):
            return
        self.ledger.began()
        try:
            lot = self._draw(request.path, request.body)
            if await self._spoilt_before(lot, exchange, wait_s=lot.latency_s):
                return
            body = embeddings_body(embedding)
            if not await self._spoilt_body(lot, body, exchange):
                exchange.respond(200, body, headers=self._headers())
                self.ledger.serve(key, input_tokens=tokens, output_tokens=0)
        finally:
            self.ledger.ended()

    async def _models(self, request: HttpRequest, exchange: Exchange) -> None:
        names = self._profile.models or tuple(named_profiles())
        body = wire.models_body(names, created=int(self._clock.wall()))
        exchange.respond(200, body, headers=self._headers())

    async def _statistics(self, request: HttpRequest, exchange: Exchange) -> None:
        body = orjson.dumps(self.ledger.statistics(), option=orjson.OPT_NON_STR_KEYS)
        exchange.respond(200, body, headers={"content-type": _JSON})

    # Who and what is let in.

    def _let_in(self, request: HttpRequest, exchange: Exchange) -> bool:
        wanted = self._profile.api_key
        if wanted is None:
            return True
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and given.strip() == wanted:
            return True
        self.ledger.reject(401)
        exchange.respond(401, wire.key_error_body(given.strip()), headers=self._headers())
        return False

    def _serves(self, model: str, exchange: Exchange) -> bool:
        if not self._profile.models or model in self._profile.models:
            return True
        self.ledger.reject(404)
        body = wire.error_body(
            f"The model `{model}` does not exist or you do not have access to it.",
            kind="invalid_request_error",
            code="model_not_found",
        )
        exchange.respond(404, body, headers=self._headers())
        return False

    def _admit(self, tokens: int, *, model: str, exchange: Exchange) -> bool:
        now = self._clock.monotonic()
        refusal = self._admission.admit(tokens, now=now, in_work=self.ledger.in_work)
        if refusal is None:
            return True
        self.ledger.refuse(refusal.dimension)
        if refusal.wait_s is None:
            # A server without capacity says nothing about quotas.
            headers: Mapping[str, str] = {"content-type": _JSON}
        else:
            form, wall_s = self._profile.retry_after, self._clock.wall()
            headers = {
                **self._headers(),
                **retry_headers(refusal.wait_s, form=form, wall_s=wall_s),
            }
        exchange.respond(refusal.status, wire.refusal_body(refusal, model), headers=headers)
        return False

    # Answers.

    async def _complete(
        self, chat: Chat, content: bytes, *, exchange: Exchange, input_tokens: int
    ) -> None:
        lot = self._draw(chat.model, content)
        completion = self._completion(chat, input_tokens=input_tokens, spoilt=lot.fault)
        if chat.max_tokens is None:
            # What was not reserved is charged as it is used.
            self._admission.charge(completion.output_tokens, now=self._clock.monotonic())
        body_s = self._profile.per_token_s * completion.output_tokens
        head_s = lot.latency_s + (0.0 if chat.stream else body_s)
        if await self._spoilt_before(lot, exchange, wait_s=head_s):
            return
        if chat.stream:
            whole = await self._stream(chat, completion, lot=lot, exchange=exchange, body_s=body_s)
        else:
            body = wire.completion_body(completion)
            whole = not await self._spoilt_body(lot, body, exchange)
            if whole:
                exchange.respond(200, body, headers=self._headers())
        if whole:
            self.ledger.serve(
                chat.request.idempotency_key,
                input_tokens=input_tokens,
                output_tokens=completion.output_tokens,
            )

    def _completion(self, chat: Chat, *, input_tokens: int, spoilt: FaultKind | None) -> Completion:
        value = self._answer(chat.request)
        if spoilt == "wrong_schema":
            self.ledger.fault(spoilt)
            value = wrong(value, chat.request)
        text = _text(value, chat)
        cut_off = False
        if chat.max_tokens is not None:
            text, cut_off = cut(text, chat.max_tokens)
        self._numbered += 1
        return Completion(
            id=f"chatcmpl-sim{self._numbered:010d}",
            model=chat.model,
            created=int(self._clock.wall()),
            text=text,
            finish_reason="length" if cut_off else "stop",
            choices=chat.choices,
            input_tokens=input_tokens,
            output_tokens=count_text(text) * chat.choices,
        )

    async def _stream(
        self, chat: Chat, completion: Completion, *, lot: Lot, exchange: Exchange, body_s: float
    ) -> bool:
        """Sends a completion as events; says whether it was sent to its end."""
        parts = pieces(completion.text)
        broken = lot.fault in {"truncated", "stall_body"}
        sent = len(parts) // 2 if broken else len(parts)
        pause_s = body_s / len(parts) if parts else 0.0
        exchange.begin(200, headers={**self._headers(), "content-type": "text/event-stream"})
        exchange.send(_events(completion, {"role": "assistant", "content": ""}))
        for part in parts[:sent]:
            if pause_s > 0.0:
                await asyncio.sleep(pause_s)
            exchange.send(_events(completion, {"content": part}))
        if broken and lot.fault is not None:
            self.ledger.fault(lot.fault)
            if lot.fault == "truncated":
                exchange.end()
            else:
                await self._stall(exchange)
            return False
        last = [_events(completion, {}, finish=completion.finish_reason)]
        if chat.with_usage:
            last.append(wire.usage_event(completion))
        exchange.send(b"".join((*last, wire.DONE)))
        exchange.end()
        return True

    # Chance and faults.

    def _draw(self, place: str, content: bytes) -> Lot:
        profile = self._profile
        sure = certain(profile)
        if sure is not None:
            return sure
        # A content's number grows only with the faults it met: refusals and repeats of a served
        # request, whose number depends on timing, do not move the draws.
        key = lots_key(profile, place, content)
        number = self._faulted.get(key, 0)
        drawn = lot(profile, key, number)
        if drawn.fault is not None:
            self._faulted[key] = number + 1
            if len(self._faulted) > _FAULTED_HELD:
                self._faulted.popitem(last=False)
        return drawn

    async def _spoilt_before(self, lot: Lot, exchange: Exchange, *, wait_s: float) -> bool:
        """Lets the latency pass and deals the faults that come instead of an answer."""
        if wait_s > 0.0:
            await asyncio.sleep(wait_s)
        fault = lot.fault
        if fault is None or fault in {"truncated", "wrong_schema", "stall_body"}:
            return False
        self.ledger.fault(fault)
        if fault == "stall":
            await self._stall(exchange)
        elif fault == "reset":
            exchange.reset()
        elif fault == "html":
            headers = {**self._headers(), "content-type": "text/html; charset=utf-8"}
            exchange.respond(200, _HTML, headers=headers)
        else:
            message = "The server had an error while processing your request."
            self._error(_STATUS[fault], message, exchange=exchange)
        return True

    async def _spoilt_body(self, lot: Lot, body: bytes, exchange: Exchange) -> bool:
        """Deals the faults that break off a whole answer."""
        if lot.fault not in {"truncated", "stall_body"}:
            return False
        self.ledger.fault(lot.fault)
        half = body[: len(body) // 2]
        if lot.fault == "truncated":
            exchange.respond(200, half, headers=self._headers())
        else:
            exchange.respond(200, half, headers=self._headers(), promise=len(body))
            await self._stall(exchange)
        return True

    async def _stall(self, exchange: Exchange) -> None:
        await asyncio.sleep(self._profile.stall_s)
        exchange.cut()

    # Small answers.

    def _headers(self) -> Mapping[str, str]:
        self._numbered += 1
        headers = {"content-type": _JSON, "x-request-id": f"req_sim{self._numbered:010d}"}
        if self._profile.rate_headers:
            headers.update(self._admission.headers(self._clock.monotonic()))
        return headers

    async def _reject(
        self, status: int, message: str, *, exchange: Exchange, param: str | None = None
    ) -> None:
        self.ledger.reject(status)
        body = wire.error_body(message, kind="invalid_request_error", param=param)
        exchange.respond(status, body, headers=self._headers())

    def _error(self, status: int, message: str, *, exchange: Exchange) -> None:
        kind = "overloaded_error" if status == 529 else "server_error"
        exchange.respond(status, wire.error_body(message, kind=kind), headers=self._headers())


def _events(completion: Completion, delta: Json, *, finish: str | None = None) -> bytes:
    return b"".join(
        wire.delta_event(completion, index, delta=delta, finish=finish)
        for index in range(completion.choices)
    )


def _text(value: Json, chat: Chat) -> str:
    if isinstance(value, str) and chat.request.schema is None and not chat.json_object:
        return value
    if chat.json_object and not isinstance(value, dict):
        value = {"answer": value}
    return orjson.dumps(value).decode()


def wrong(value: Json, request: Request) -> Json:
    """An answer that does not satisfy the request's schema; nothing at all for free text."""
    if request.schema is None:
        return ""
    required = request.schema.definition.get("required")
    if isinstance(value, dict) and isinstance(required, list) and required:
        return {name: part for name, part in value.items() if name != required[0]}
    # An object where none is allowed, and a list where one is: of the wrong type either way.
    return [] if isinstance(value, dict) else {"unexpected": True}
