"""Mending what a model meant as JSON, within bounds of time and trust."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, cast

import orjson

from fanwise.records import Json

STORABLE_DEPTH = 200
"""Nesting that can surely be written as JSON again: orjson reads deeper than it writes."""

# json-repair is quadratic or worse in the faults of a text (it needed 20 s for 60 KB of
# `true"true"…`, on the event loop). Within these bounds hostile text costs it less than a second
# and what was meant as JSON milliseconds; the rest is the model's to write again.
_MOST_CHARS = 64_000
_MOST_DEPTH = 32
_MOST_FAULTS = 60
_LARGE_CHARS = 6_000
_LARGE_FAULTS = 3

_TOKENS = re.compile(
    r"""(?P<value>"(?:[^"\\]++|\\.)*+"|'(?:[^'\\\n]++|\\.)*+'|[\w.+-]++)"""
    r"""|(?P<open>[\[{])|(?P<close>[\]}])|(?P<mark>[,:])|(?P<blank>\s++)|(?P<other>.)""",
    re.DOTALL,
)


def mended(text: str, *, depth: int, closed: bool) -> Json:
    """The text as a JSON object or array after repair by ``json-repair``.

    Args:
        text: From an opening bracket on.
        depth: How deep it nests.
        closed: Whether its opening bracket is closed at its end.

    Returns:
        ``None`` where nothing trustworthy came of it: too large, too faulty, a value missing, cut
        where more was to come, or not to be written as JSON again.
    """
    if not closed and not _ends_whole(text):
        return None
    most = _LARGE_FAULTS if len(text) > _LARGE_CHARS else _MOST_FAULTS
    if len(text) > _MOST_CHARS or depth > _MOST_DEPTH or faults(text, most=most) > most:
        return None
    import json_repair

    try:
        found = json_repair.loads(text.rstrip("` \n"), skip_json_loads=True)
    except Exception:  # noqa: BLE001 -- on odd text its parser raises whatever it stumbles over
        return None
    if not isinstance(found, (dict, list)) or not _finite(found) or not storable(found):
        return None
    return cast("Json", found)


def _ends_whole(text: str) -> bool:
    """Whether an unclosed text ends behind a whole value: not inside a number, where a digit may be
    missing, and not behind a mark, where a value is.
    """
    end = text.rstrip("` \r\n\t")
    return end.endswith(('"', "'", "]", "}", "true", "false", "null", "True", "False", "None"))


def faults(text: str, *, most: int) -> int:
    """How often a text departs from JSON: values without a comma or colon between them, doubled
    marks, characters that have no place outside a string (these weigh four times). A key without
    its value, which a repair would have to invent, is more than ``most``; counting ends there.
    """
    count = 0
    before = "open"
    punctuation = ""
    for token in _TOKENS.finditer(text):
        kind = token.lastgroup
        if kind == "blank":
            continue
        if before == "mark" and punctuation == ":" and kind in ("mark", "close"):
            return most + 1
        if (
            kind == "other"
            or (kind in ("value", "open") and before in ("value", "close"))
            or (kind == "mark" and before in ("mark", "open"))
            or (token[0] == ":" and punctuation == ":")
        ):
            count += 4 if kind == "other" else 1
            if count > most:
                break
        before = str(kind)
        if kind != "value":
            punctuation = token[0]
    return count


def storable(value: Any) -> bool:
    """Whether a value can be written as JSON again, as the journal has to."""
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return all(map(_finite, cast("Mapping[str, Any]", value).values()))
    if isinstance(value, list):
        return all(map(_finite, cast("list[Any]", value)))
    return True
