"""From a model's text to a value that fits a schema, or to an error that says why it does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from fanwise.errors import InvalidOutput
from fanwise.models.repair import STORABLE_DEPTH, mended, storable
from fanwise.models.schemas import Schemas, Shape, compiled, json_path, schema_of
from fanwise.records import Json, Schema

__all__ = ["Parsed", "Schemas", "Shape", "parse", "schema_of"]

_OPENINGS = re.compile(r"[\[{]")
_MARKS = re.compile(r'["\[\]{}]')
_STRING_END = re.compile(r'(?:[^"\\]++|\\.)*+"', re.DOTALL)
# An opening bracket that begins JSON (or nearly), not a remark in brackets.
_JSON_BEGINS = re.compile(
    r"""\{\s*(?:["'}]|[A-Za-z_]\w*\s*:)|\[\s*(?:[\[{"'\]0-9-]|(?:true|false|null|none)\b)""",
    re.IGNORECASE,
)

_MOST_SPANS = 64
_FAULTS = 3
_FAULT_CHARS = 300
_MOST_CHARS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """An answer that fits its schema.

    Args:
        value: What the caller gets: the type's instance, or the JSON value.
        json: The JSON value, which is what a journal keeps; ``schema.build`` makes ``value`` of it.
        repaired: The text was no JSON as the model wrote it and was mended: a bracket closed, a
            comma dropped, quotes changed. Taking JSON out of prose or a code fence is no repair.
    """

    value: Any
    json: Json
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class _Span:
    """A stretch of text that may be JSON: how deep it nests and how it ends."""

    text: str
    closed: bool
    in_string: bool
    depth: int


def parse(text: str, schema: Schema, *, complete: bool = True) -> Parsed:
    """Reads an answer: as JSON, else as JSON inside prose or a code fence, else repaired, else by
    the schema's own ``salvage``.

    What is read must fit the schema in each case. Repair invents nothing: a text that ends inside a
    string or a number is not repaired, since nobody knows how it went on, and of an answer that the
    provider cut nothing is repaired at all. Blocks for less than a second on any text.

    Args:
        text: What the model wrote.
        schema: The shape. Made by :func:`schema_of` it checks by itself; one without ``build`` is
            compiled anew at every call (some 10 µs).
        complete: False where the provider said that the answer was cut (``finish_reason`` is
            ``length``): then it counts only if it is whole JSON nevertheless.

    Raises:
        InvalidOutput: Nothing in the text fits. Its message says where and why, in words that may
            be sent back to the model. The answer was served and billed.
    """
    try:
        return _read(text, schema, complete=complete)
    except InvalidOutput:
        found = schema.salvage(text) if complete and schema.salvage is not None else None
        if found is None:
            raise
        return Parsed(value=_built(found, schema), json=found, repaired=True)


def _read(text: str, schema: Schema, *, complete: bool) -> Parsed:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return _search(text, schema, complete=complete, reason=error)
    if text.count("{") + text.count("[") > STORABLE_DEPTH and not storable(found):
        raise InvalidOutput(f"the answer's JSON is nested more than {STORABLE_DEPTH} levels deep")
    return Parsed(value=_built(found, schema), json=found)


def _search(text: str, schema: Schema, *, complete: bool, reason: orjson.JSONDecodeError) -> Parsed:
    if not text.strip():
        raise InvalidOutput("the answer is empty where JSON was asked for")
    answer = text.rpartition("</think>")[2]  # reasoning that a local model wrote before it
    spans = list(_spans(answer))
    misfit: InvalidOutput | None = None
    for span in reversed(spans):  # the last one is the answer: what stands before led up to it
        try:
            found = orjson.loads(span.text)
        except orjson.JSONDecodeError:
            continue
        if span.depth > STORABLE_DEPTH:
            continue
        try:
            return Parsed(value=_built(found, schema), json=found)
        except InvalidOutput as error:
            misfit = misfit or error
    if misfit is not None:
        raise misfit
    if complete and spans:
        span = max(spans, key=lambda span: len(span.text))
        repaired = None
        if not span.in_string:
            repaired = mended(span.text, depth=span.depth, closed=span.closed)
        if repaired is not None:
            # What was asked for, to the letter: a type's defaults must not stand in for fields
            # that the model did not get to, nor may a half-read field pass as an unknown one.
            _checked(repaired, schema, by=compiled(schema.definition))
            return Parsed(value=_built(repaired, schema), json=repaired, repaired=True)
    raise _no_json(spans, complete=complete, reason=reason)


def _no_json(
    spans: Sequence[_Span], *, complete: bool, reason: orjson.JSONDecodeError
) -> InvalidOutput:
    if not complete or (spans and not spans[-1].closed):
        return InvalidOutput(
            "the answer breaks off before its JSON is complete",
            hint="" if complete else "raise the limit of output tokens (max_tokens)",
        )
    if not spans:
        return InvalidOutput("the answer holds no JSON object or array")
    return InvalidOutput(
        f"the answer is not valid JSON: {reason.msg} (line {reason.lineno}, column {reason.colno})"
    )


def _spans(text: str) -> Iterator[_Span]:
    """Stretches from an opening bracket to its closing one; the last may lack it."""
    start = 0
    for _ in range(_MOST_SPANS):
        opening = _OPENINGS.search(text, start)
        if opening is None:
            return
        span = _span(text, opening.start())
        yield span
        if _JSON_BEGINS.match(text, opening.start()) is None:
            start = opening.start() + 1
        elif span.closed:
            start = opening.start() + len(span.text)
        else:
            return  # what stands inside a cut value is a part of the answer, not the answer


def _span(text: str, start: int) -> _Span:
    depth = deepest = 0
    place = start
    while mark := _MARKS.search(text, place):
        place = mark.end()
        if mark[0] == '"':
            end = _STRING_END.match(text, place)
            if end is None:
                return _Span(text[start:], closed=False, in_string=True, depth=deepest)
            place = end.end()
        elif mark[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
            if depth > STORABLE_DEPTH:
                break
        else:
            depth -= 1
            if depth == 0:
                return _Span(text[start:place], closed=True, in_string=False, depth=deepest)
    return _Span(text[start:], closed=False, in_string=False, depth=deepest)


def _built(found: Any, schema: Schema) -> Any:
    return _checked(found, schema, by=schema.build or compiled(schema.definition))


def _checked(found: Any, schema: Schema, *, by: Callable[[Any], Any]) -> Any:
    try:
        return by(found)
    except Exception as error:
        raise InvalidOutput(
            f"the answer does not fit the schema {schema.name}: {_explained(error)}"
        ) from error


def _explained(error: Exception) -> str:
    """Where and why, for at most three places."""
    errors = getattr(error, "errors", None)
    if not callable(errors):
        return str(error)[:_MOST_CHARS] or type(error).__name__
    found = cast("list[dict[str, Any]]", errors())  # pydantic's
    faults = [f"{json_path(part['loc'])}: {part['msg']}{_got(part)}" for part in found]
    shown = "; ".join(text[:_FAULT_CHARS] for text in faults[:_FAULTS])
    more = len(faults) - _FAULTS
    return f"{shown}; and {more} more" if more > 0 else shown


def _got(part: Mapping[str, Any]) -> str:
    value = part.get("input")
    if part.get("type") == "missing" or isinstance(value, (dict, list)):
        return ""
    return f" (got {value!r})"
