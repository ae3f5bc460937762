"""Idempotency keys: the name of a call that a provider may know it by when it comes again."""

from __future__ import annotations

import hashlib

from fanwise.engine.work import make_request
from fanwise.records import Request

_LONGEST_KEY = 200


def named(request: Request, name: str) -> Request:
    """The request with its idempotency key; written out, since every call comes through here."""
    return make_request(
        model=request.model,
        messages=request.messages,
        parameters=request.parameters,
        schema=request.schema,
        endpoint=request.endpoint,
        body=request.body,
        version=request.version,
        idempotency_key=header_safe(name),
    )


def header_safe(text: str) -> str:
    """An idempotency key that fits a header: long or unprintable ones become a hash."""
    if len(text) <= _LONGEST_KEY and text.isascii() and text.isprintable():
        return text
    return "fanwise-" + hashlib.blake2b(text.encode(), digest_size=24).hexdigest()
