"""Idempotency keys: the name of a call that a provider may know it by when it comes again."""

from __future__ import annotations

import hashlib

from fanwise.records import Request

_LONGEST_KEY = 200


def named(request: Request, name: str) -> Request:
    """The request with its idempotency key, which is made from what else it holds.

    The same object: its maker hands it over before anybody else has seen it, and a copy of it for
    every call would cost as much as its making.
    """
    object.__setattr__(request, "idempotency_key", header_safe(name))
    return request


def header_safe(text: str) -> str:
    """An idempotency key that fits a header: long or unprintable ones become a hash."""
    if len(text) <= _LONGEST_KEY and text.isascii() and text.isprintable():
        return text
    return "fanwise-" + hashlib.blake2b(text.encode(), digest_size=24).hexdigest()
