"""JSON Lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import orjson

from fanwise.documents.row import Row, id_of
from fanwise.documents.sources import Lines
from fanwise.errors import InputError

MAX_DEPTH = 100
_EXACT = float(2**63)  # the parser makes a float of an integer beyond 64 bits


def jsonl_rows(lines: Lines) -> Iterator[Row]:
    """The objects of a JSON Lines stream; blank lines are passed over.

    Raises:
        InputError: A line is not JSON, not an object, nested deeper than 100 levels or cut off.
    """
    loads = orjson.loads
    position = 0
    for line in lines:
        if not line or line.isspace():
            continue
        try:
            read: Any = loads(line)
        except orjson.JSONDecodeError as error:
            raise _bad_json(lines, line, error) from error
        if not isinstance(read, dict):
            raise _not_an_object(lines, line, read)
        data = cast("dict[str, Any]", read)
        for value in data.values():
            if isinstance(value, (dict, list)) or _is_large(value):
                data = _checked(data, lines, line)
                break
        given = data.get("id")
        if type(given) is not str or not 0 < len(given) <= 512:
            given = id_of(data, where=f"{lines.name}, line {lines.number}")
        yield Row(given, position, lines.number, data)
        position += 1


def _checked(data: dict[str, Any], lines: Lines, line: bytes) -> dict[str, Any]:
    """The row, once its depth is known to be bounded; integers beyond 64 bits become text.

    A tracking number of 22 digits written as a JSON number keeps every digit that way.
    """
    depth, large = _shape(data)
    if depth > MAX_DEPTH:
        raise lines.error(
            f"the row is nested deeper than {MAX_DEPTH} levels",
            hint="flatten the row, or pass the deep part as text",
        )
    return json.loads(line, parse_int=_whole) if large else data


def _is_large(value: object) -> bool:
    return type(value) is float and not -_EXACT < value < _EXACT


def _whole(digits: str) -> int | str:
    number = int(digits) if len(digits) < 21 else None
    return number if number is not None and -(2**63) <= number < 2**64 else digits


def _shape(data: Any) -> tuple[int, bool]:
    depth, large = 0, False
    level: list[Any] = [data]
    while level and depth <= MAX_DEPTH:
        depth += 1
        below: list[Any] = []
        for node in level:
            for value in cast("list[Any]", node.values() if type(node) is dict else node):
                if isinstance(value, (dict, list)):
                    below.append(value)
                else:
                    large = large or _is_large(value)
        level = below
    return depth, large


def _bad_json(lines: Lines, line: bytes, error: orjson.JSONDecodeError) -> InputError:
    text = lines.text(line)  # bad bytes are the better explanation, where there are any
    start = text.lstrip()
    if lines.number == 1 and start.rstrip() == "{":
        return lines.error(
            "one JSON document over several lines, not one row a line",
            hint="rewrite it, for example: jq -c . FILE > rows.jsonl",
        )
    if start[:1] == "[":
        return _array(lines)
    if lines.cut:
        return lines.error(
            "the last line is cut off in the middle of a row",
            at=len(line),
            hint="write the file again, or delete its last line",
        )
    column = len(text[: error.pos].encode())
    if any(word in text for word in ("NaN", "Infinity")):
        return lines.error(
            "NaN and Infinity are not JSON", at=column, hint="write null, or leave the column out"
        )
    return lines.error(
        f"not valid JSON: {error.msg}",
        at=column,
        hint="each line has to be one whole JSON object",
    )


def _not_an_object(lines: Lines, line: bytes, data: Any) -> InputError:
    if isinstance(data, list):
        return _array(lines)
    return lines.error(
        f"the line is {line[:40].decode(errors='replace').strip()}, not a JSON object",
        hint='each line has to be an object such as {"id": "a1", "text": "…"}',
    )


def _array(lines: Lines) -> InputError:
    return lines.error(
        "a JSON array, not one object a line",
        hint="rewrite it, for example: jq -c '.[]' FILE > rows.jsonl",
    )
