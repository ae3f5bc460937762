"""Endpoints over a given transport, one for each dialect."""

from __future__ import annotations

from typing import Any

from fanwise.clock import LoopClock
from fanwise.models.anthropic_messages import MessagesDialect
from fanwise.models.gemini import GeminiDialect
from fanwise.models.http.transport import Transport
from fanwise.models.openai_chat import chat_dialects
from fanwise.models.remote import RemoteEndpoint


def chat_endpoint(
    transport: Transport,
    *,
    key_header: str = "authorization",
    stream_usage: bool = True,
    **options: Any,
) -> RemoteEndpoint:
    """``openai/gpt-4o-mini``."""
    dialect, others = chat_dialects("gpt-4o-mini", key_header=key_header, stream_usage=stream_usage)
    return RemoteEndpoint(
        **{
            "name": "openai/gpt-4o-mini",
            "dialect": dialect,
            "others": others,
            "provider": "openai",
            "origin": "openai",
            "base_url": "https://api.openai.com/v1",
            "transport": transport,
            "clock": LoopClock(),
            **options,
        }
    )


def messages_endpoint(
    transport: Transport, *, model: str = "claude-sonnet-4-5", **options: Any
) -> RemoteEndpoint:
    """``anthropic/claude-sonnet-4-5``."""
    return RemoteEndpoint(
        **{
            "name": f"anthropic/{model}",
            "dialect": MessagesDialect(model),
            "provider": "anthropic",
            "origin": "anthropic",
            "base_url": "https://api.anthropic.com/v1",
            "transport": transport,
            "clock": LoopClock(),
            **options,
        }
    )


def gemini_endpoint(
    transport: Transport, *, model: str = "gemini-2.5-flash", **options: Any
) -> RemoteEndpoint:
    """``gemini/gemini-2.5-flash``."""
    return RemoteEndpoint(
        **{
            "name": f"gemini/{model}",
            "dialect": GeminiDialect(model),
            "provider": "gemini",
            "origin": "gemini",
            "base_url": "https://generativelanguage.googleapis.com/v1beta",
            "transport": transport,
            "clock": LoopClock(),
            **options,
        }
    )
