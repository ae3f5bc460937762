"""JSON as bytes, for values that are mappings and sequences of any kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

_BYTES: tuple[type, ...] = (bytes, bytearray, memoryview)


def json_bytes(value: Any, *, sort_keys: bool = False) -> bytes:
    """The value as compact JSON.

    Args:
        value: JSON, in which any mapping counts as an object and any sequence as an array.
        sort_keys: Gives equal objects equal bytes.

    Raises:
        TypeError: A part of it has no JSON form: a foreign type, a lone surrogate, an integer above
            64 bits, a key that is no text.
    """
    return orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS if sort_keys else None)


def _plain(value: Any) -> Any:
    kind = type(value).__name__
    if isinstance(value, Mapping):
        return dict(cast("Mapping[Any, Any]", value))
    if isinstance(value, Sequence) and not isinstance(value, _BYTES):
        return list(cast("Sequence[Any]", value))
    raise TypeError(f"{kind} has no JSON form")
