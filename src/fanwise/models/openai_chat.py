"""The dialect of OpenAI's chat completions, spoken to any server that understands it."""

from __future__ import annotations

from collections.abc import Mapping

from fanwise.models.chat_answer import read_answer
from fanwise.models.chat_body import encode_chat, encode_schema
from fanwise.models.chat_stream import ChatStream
from fanwise.models.dialect import Dialect, PerSchema, join_url
from fanwise.models.http.transport import HttpReply
from fanwise.models.openai_responses import ResponsesDialect
from fanwise.records import Failure, Request, Response


class ChatDialect:
    """Chat completions.

    Args:
        model: The model by the server's own name.
        key_header: The header that carries the key; ``authorization`` sends it as a bearer.
        stream_usage: Whether the server knows ``stream_options``.
    """

    __slots__ = ("_format", "_key_header", "_model", "_stream_usage")

    name = "chat"

    def __init__(
        self, model: str, *, key_header: str = "authorization", stream_usage: bool = True
    ) -> None:
        self._model = model
        self._key_header = key_header
        self._stream_usage = stream_usage
        self._format = PerSchema(encode_schema)

    def headers(self, key: str) -> Mapping[str, str]:
        if not key:
            return {}
        bearer = self._key_header == "authorization"
        return {self._key_header: f"Bearer {key}" if bearer else key}

    def url(self, base_url: str, request: Request, *, stream: bool) -> str:
        return join_url(base_url, request.endpoint)

    def encode(self, request: Request, *, stream: bool) -> bytes:
        schema = request.schema
        return encode_chat(
            request,
            model=self._model,
            response_format=None if schema is None else self._format(schema),
            stream=stream,
            stream_usage=self._stream_usage,
        )

    def read(self, reply: HttpReply, *, who: str, request: Request) -> Response | Failure:
        return read_answer(reply, who=who, keep_body=request.body is not None)

    def collect(self, headers: Mapping[str, str], *, who: str, request: Request) -> ChatStream:
        return ChatStream(headers, who=who)


def chat_dialects(
    model: str, *, key_header: str = "authorization", stream_usage: bool = True
) -> tuple[ChatDialect, Mapping[str, Dialect]]:
    """The dialect of chat completions, and ``responses`` for requests whose endpoint asks for it.

    Args:
        model: The model by the server's own name.
        key_header: The header that carries the key; ``authorization`` sends it as a bearer.
        stream_usage: Whether the server knows ``stream_options``.
    """
    responses = ResponsesDialect(model, key_header=key_header)
    usual = ChatDialect(model, key_header=key_header, stream_usage=stream_usage)
    return usual, dict.fromkeys(("responses", "v1/responses", "/v1/responses"), responses)
