"""A provider that speaks every dialect over a real socket, and is strict about each.

What it answers is decided by the last word of the last message: ``plain``, ``schema``, ``refuse``,
``truncate``, ``limit``, ``overloaded``, ``key``, ``inside`` (an error inside a stream, or under a
200) and ``cut`` (a stream that ends too early).
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

KEY = "sk-live-1234567890"
PIECES = ("Hel", "lo, ", "wörld")
VALUE = {"score": 7}
JSON_PIECES = ('{"sco', 're": 7}')
USED = (21, 5, 8)  # input (with what came from the cache), output, from the cache


class Wrong(Exception):
    """The request is not in the dialect."""


@dataclass
class Provider:
    """Its address and what it was sent."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@asynccontextmanager
async def dialect_server() -> AsyncGenerator[Provider]:
    """The provider, until the block is left."""
    provider = Provider()
    app = web.Application()
    for path, speak in (
        ("/v1/chat/completions", Chat),
        ("/v1/responses", Responses),
        ("/v1/messages", Messages),
        ("/v1beta/models/{model}", Gemini),
    ):
        app.router.add_post(path, _handler(provider, speak()))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    provider.url = f"http://{host}:{port}"
    try:
        yield provider
    finally:
        await runner.cleanup()


def _handler(provider: Provider, speak: Any) -> Any:
    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        provider.bodies.append(body)
        provider.headers.append({name.lower(): value for name, value in request.headers.items()})
        try:
            stream = speak.checked(request, body)
        except Wrong as error:
            return web.json_response(
                speak.error(400, "invalid_request_error", str(error)), status=400
            )
        word = speak.prompt(body).split()[-1]
        refusal = {
            "limit": (429, "rate_limit_error", "Rate limit reached"),
            "overloaded": (speak.overloaded, "overloaded_error", "Overloaded"),
            "key": (401, "authentication_error", f"Incorrect API key provided: {KEY}"),
        }.get(word)
        if refusal is not None:
            headers = {"retry-after": "7"} if word == "limit" else {}
            return web.json_response(speak.error(*refusal), status=refusal[0], headers=headers)
        if not stream:
            if word == "inside":
                return web.json_response(speak.error(503, "overloaded_error", "Overloaded"))
            return web.json_response(speak.answer(word, body))
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        for event in speak.events(word, body):
            name = f"event: {event['type']}\n" if "type" in event else ""
            await answer.write(f"{name}data: {json.dumps(event)}\n\n".encode())
        if speak.ends_with_done and word not in ("cut", "inside"):
            await answer.write(b"data: [DONE]\n\n")
        return answer

    return handle


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise Wrong(what)


def _pieces(word: str) -> Sequence[str]:
    return JSON_PIECES if word == "schema" else PIECES


class Chat:
    overloaded = 503
    ends_with_done = True

    def checked(self, request: web.Request, body: dict[str, Any]) -> bool:
        _need(request.headers.get("authorization") == f"Bearer {KEY}", "authorization")
        _need(body["model"] == "gpt-4o-mini", "model")
        form = body.get("response_format")
        _need(form is None or form["json_schema"]["schema"]["type"] == "object", "schema")
        return bool(body.get("stream"))

    def prompt(self, body: dict[str, Any]) -> str:
        return body["messages"][-1]["content"]

    def error(self, status: int, kind: str, message: str) -> Any:
        return {"error": {"message": message, "type": kind, "code": status}}

    def usage(self) -> Any:
        return {
            "prompt_tokens": USED[0],
            "completion_tokens": USED[1],
            "prompt_tokens_details": {"cached_tokens": USED[2]},
        }

    def answer(self, word: str, body: dict[str, Any]) -> Any:
        refused = word == "refuse"
        message = {
            "role": "assistant",
            "content": None if refused else "".join(_pieces(word)),
            "refusal": "I cannot." if refused else None,
        }
        end = "length" if word == "truncate" else "stop"
        return {
            "id": "a1",
            "model": "served",
            "choices": [{"index": 0, "message": message, "finish_reason": end}],
            "usage": self.usage(),
        }

    def events(self, word: str, body: dict[str, Any]) -> list[Any]:
        def chunk(delta: Any, finish: str | None = None) -> Any:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            return {"id": "a1", "model": "served", "choices": [choice]}

        if word == "refuse":
            deltas = [chunk({"refusal": "I cannot."})]
        else:
            deltas = [chunk({"content": piece}) for piece in _pieces(word)]
        if word == "cut":
            return deltas[:1]
        if word == "inside":
            return [deltas[0], self.error(503, "overloaded_error", "Overloaded")]
        end = "length" if word == "truncate" else "stop"
        return [*deltas, chunk({}, end), {"id": "a1", "choices": [], "usage": self.usage()}]


class Responses:
    overloaded = 503
    ends_with_done = False

    def checked(self, request: web.Request, body: dict[str, Any]) -> bool:
        _need(request.headers.get("authorization") == f"Bearer {KEY}", "authorization")
        _need("messages" not in body and "max_tokens" not in body, "names of chat completions")
        _need(body["store"] is False, "store")
        form = (body.get("text") or {}).get("format")
        _need(form is None or (form["type"], form["name"]) == ("json_schema", "score"), "format")
        return bool(body.get("stream"))

    def prompt(self, body: dict[str, Any]) -> str:
        return body["input"][-1]["content"]

    error = Chat.error

    def answer(self, word: str, body: dict[str, Any]) -> Any:
        part = {"type": "output_text", "text": "".join(_pieces(word)), "annotations": []}
        if word == "refuse":
            part = {"type": "refusal", "refusal": "I cannot."}
        cut = word == "truncate"
        return {
            "id": "a1",
            "object": "response",
            "model": "served",
            "status": "incomplete" if cut else "completed",
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hmm"}]},
                {"type": "message", "role": "assistant", "content": [part]},
            ],
            "usage": {
                "input_tokens": USED[0],
                "input_tokens_details": {"cached_tokens": USED[2]},
                "output_tokens": USED[1],
                "total_tokens": USED[0] + USED[1],
            },
        }

    def events(self, word: str, body: dict[str, Any]) -> list[Any]:
        whole = self.answer(word, body)
        start = {"type": "response.created", "response": {**whole, "status": "in_progress"}}
        if word == "refuse":
            deltas = [{"type": "response.refusal.delta", "delta": "I cannot."}]
        else:
            deltas = [
                {"type": "response.output_text.delta", "delta": piece} for piece in _pieces(word)
            ]
        if word == "cut":
            return [start, deltas[0]]
        if word == "inside":
            error = {"code": "server_error", "message": "Overloaded"}
            return [start, {"type": "response.failed", "response": {"error": error}}]
        end = "response.incomplete" if word == "truncate" else "response.completed"
        return [start, *deltas, {"type": end, "response": whole}]


class Messages:
    overloaded = 529
    ends_with_done = False

    def checked(self, request: web.Request, body: dict[str, Any]) -> bool:
        _need(request.headers.get("x-api-key") == KEY, "x-api-key")
        _need("authorization" not in request.headers, "a key in the wrong place")
        _need(request.headers.get("anthropic-version") == "2023-06-01", "anthropic-version")
        _need(isinstance(body.get("max_tokens"), int), "max_tokens")
        roles = {message["role"] for message in body["messages"]}
        _need(roles <= {"user", "assistant"}, "role")
        _need(isinstance(body.get("system", ""), str), "system")
        for tool in body.get("tools", []):
            _need(tool["input_schema"]["type"] == "object", "input_schema")
            _need(body["tool_choice"]["name"] == tool["name"], "tool_choice")
        return bool(body.get("stream"))

    def prompt(self, body: dict[str, Any]) -> str:
        return body["messages"][-1]["content"]

    def error(self, status: int, kind: str, message: str) -> Any:
        return {"type": "error", "error": {"type": kind, "message": message}}

    def usage(self) -> Any:
        return {
            "input_tokens": USED[0] - USED[2] - 3,
            "cache_read_input_tokens": USED[2],
            "cache_creation_input_tokens": 3,
            "output_tokens": USED[1],
        }

    def answer(self, word: str, body: dict[str, Any]) -> Any:
        text = "I cannot." if word == "refuse" else "".join(_pieces(word))
        blocks = [{"type": "thinking", "thinking": "hmm"}, {"type": "text", "text": text}]
        end = {"refuse": "refusal", "truncate": "max_tokens"}.get(word, "end_turn")
        if "tools" in body and word == "schema":
            tool = {
                "type": "tool_use",
                "id": "t1",
                "name": body["tools"][0]["name"],
                "input": VALUE,
            }
            blocks, end = [{"type": "text", "text": "Let me see. "}, tool], "tool_use"
        return {
            "id": "a1",
            "type": "message",
            "role": "assistant",
            "model": "served",
            "content": blocks,
            "stop_reason": end,
            "usage": self.usage(),
        }

    def events(self, word: str, body: dict[str, Any]) -> list[Any]:
        whole = self.answer(word, body)
        start = {
            "type": "message_start",
            "message": {
                **whole,
                "content": [],
                "stop_reason": None,
                "usage": {**self.usage(), "output_tokens": 1},
            },
        }
        events: list[Any] = [start, {"type": "ping"}]
        for index, block in enumerate(whole["content"]):
            opened = {**block, "input": {}} if block["type"] == "tool_use" else dict(block)
            opened.pop("text", None)
            events.append({"type": "content_block_start", "index": index, "content_block": opened})
            if block["type"] == "text":
                pieces = ("I ", "cannot.") if word == "refuse" else _pieces(word)
                if "tools" in body and word == "schema":
                    pieces = (block["text"],)
                deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
            elif block["type"] == "tool_use":
                deltas = [
                    {"type": "input_json_delta", "partial_json": piece} for piece in JSON_PIECES
                ]
            else:
                deltas = [{"type": "thinking_delta", "thinking": "hmm"}]
            events += [
                {"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas
            ]
            events.append({"type": "content_block_stop", "index": index})
        if word == "cut":
            return events[:-1]
        if word == "inside":
            return [*events[:-1], self.error(529, "overloaded_error", "Overloaded")]
        end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        usage = {"output_tokens": USED[1]}
        return [
            *events,
            {"type": "message_delta", "delta": end, "usage": usage},
            {"type": "message_stop"},
        ]


class Gemini:
    overloaded = 503
    ends_with_done = False

    def checked(self, request: web.Request, body: dict[str, Any]) -> bool:
        _need(request.headers.get("x-goog-api-key") == KEY, "x-goog-api-key")
        _need("key" not in request.query, "a key in the address")
        model, _, method = request.match_info["model"].partition(":")
        _need(model == "gemini-2.5-flash", "model")
        stream = method == "streamGenerateContent"
        _need(stream or method == "generateContent", "method")
        _need(not stream or request.query.get("alt") == "sse", "alt=sse")
        _need({entry["role"] for entry in body["contents"]} <= {"user", "model"}, "role")
        config = body.get("generationConfig", {})
        _need(set(body) <= {"contents", "systemInstruction", "generationConfig"}, "fields")
        asked = "responseJsonSchema" in config
        _need(asked == (config.get("responseMimeType") == "application/json"), "mime type")
        return stream

    def prompt(self, body: dict[str, Any]) -> str:
        return body["contents"][-1]["parts"][0]["text"]

    def error(self, status: int, kind: str, message: str) -> Any:
        return {"error": {"code": status, "message": message, "status": kind.upper()}}

    def chunk(self, parts: list[Any], finish: str | None) -> Any:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        return {
            "candidates": [candidate],
            "modelVersion": "served",
            "responseId": "a1",
            "usageMetadata": {
                "promptTokenCount": USED[0],
                "cachedContentTokenCount": USED[2],
                "candidatesTokenCount": USED[1] - 2,
                "thoughtsTokenCount": 2,
            },
        }

    def answer(self, word: str, body: dict[str, Any]) -> Any:
        if word == "refuse":
            return {
                "promptFeedback": {"blockReason": "SAFETY"},
                "usageMetadata": self.chunk([], None)["usageMetadata"],
                "modelVersion": "served",
                "responseId": "a1",
            }
        thought = {"text": "hmm", "thought": True}
        end = "MAX_TOKENS" if word == "truncate" else "STOP"
        return self.chunk([thought, {"text": "".join(_pieces(word))}], end)

    def events(self, word: str, body: dict[str, Any]) -> list[Any]:
        if word == "refuse":
            return [self.answer(word, body)]
        chunks = [self.chunk([{"text": piece}], None) for piece in _pieces(word)]
        if word == "cut":
            return chunks[:1]
        if word == "inside":
            return [chunks[0], self.error(503, "unavailable", "Overloaded")]
        return [*chunks, self.chunk([], "MAX_TOKENS" if word == "truncate" else "STOP")]
