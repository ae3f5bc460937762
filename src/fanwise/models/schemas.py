"""Schemas for answers: from types, dataclasses, pydantic models, or JSON Schemas as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import replace
from itertools import islice
from types import FunctionType
from typing import Any, TypeAlias, cast

from fanwise.errors import ConfigError
from fanwise.models.json_bytes import json_bytes
from fanwise.models.json_schema import (
    Node,
    closed,
    is_object,
    made_strict,
    node_of,
    subschemas,
    without_root_reference,
)
from fanwise.records import Schema

Shape: TypeAlias = "type[Any] | Mapping[str, Any] | Schema | Any"
"""A pydantic model, a dataclass, any type that pydantic knows, a JSON Schema, or a schema."""

_WRAPPED = "value"
_REMEMBERED = 256
_NAME_CHARS = 64
_FAULTS = 3
_FAULT_CHARS = 300


class Schemas:
    """Makes schemas and remembers them, so that one shape is worked out once and is one object.

    Equal JSON Schemas count as one shape, however often they are written down.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Hashable, Schema] = {}

    def __repr__(self) -> str:
        return f"Schemas({len(self._known)} known)"

    def of(self, shape: Shape, *, name: str | None = None) -> Schema:
        """The schema of a shape; see :func:`schema_of`."""
        if isinstance(shape, Schema) and name is None:
            return shape
        key = _key(shape, name)
        if key is None:
            return schema_of(shape, name=name)
        schema = self._known.get(key)
        if schema is None:
            schema = schema_of(shape, name=name)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = schema
        return schema


def _key(shape: Shape, name: str | None) -> Hashable | None:
    try:
        if isinstance(shape, Mapping):
            return (json_bytes(shape, sort_keys=True), name)
        hash(shape)
    except TypeError:
        return None
    return (shape, name)


def schema_of(shape: Shape, *, name: str | None = None) -> Schema:
    """The schema of a shape, ready to be sent, and to check and build an answer.

    A type's schema is written in the strict subset that providers can guarantee wherever it fits:
    objects closed, every property required (one with a default as well: the model then has to
    state it). A JSON Schema keeps its meaning; objects that require all they name are closed.
    A shape whose root is no object (``list[Hook]``, ``int``, a union) is asked for as
    ``{"value": …}``, since providers take objects only, and unwrapped by ``build``.

    Args:
        shape: A type or a JSON Schema, or the ``response_format`` of an OpenAI request.
        name: Its name; the type's or the schema's title where left out.

    Returns:
        The schema. Its ``build`` takes the answer's JSON value, validates it, and returns what the
        type makes of it (for a JSON Schema, the value itself); it raises ValueError otherwise.

    Raises:
        ConfigError: The shape has no JSON Schema, or is an invalid one. Nothing was spent.
    """
    if isinstance(shape, Schema):
        if name is None:
            return shape
        return replace(shape, name=_safe(name))
    if isinstance(shape, Mapping):
        return _of_json_schema(cast("Node", shape), name)
    return _of_type(shape, name)


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:_NAME_CHARS] or "answer"


def _of_json_schema(given: Node, name: str | None) -> Schema:
    given, stated = _unwrapped(given)
    check = compiled(given)
    definition: Node = {key: value for key, value in given.items() if key != "$schema"}
    title = name or stated or definition.get("title")
    safe = _safe(title) if isinstance(title, str) else "answer"
    if is_object(definition) or "properties" in definition or not _movable(definition):
        return Schema(name=safe, definition=closed(definition), build=check)
    wrapped = _wrapper(definition)
    check = compiled(wrapped)

    def build(value: Any) -> Any:
        return check({_WRAPPED: _content(value)})[_WRAPPED]

    return Schema(name=safe, definition=closed(wrapped), build=build)


def _movable(definition: Node) -> bool:
    """Whether its references still lead home when it stands inside another schema."""
    reference = definition.get("$ref")
    if isinstance(reference, str) and not reference.startswith(("#/$defs/", "#/definitions/")):
        return False
    return all(map(_movable, subschemas(definition)))


def _unwrapped(given: Node) -> tuple[Node, str | None]:
    """The JSON Schema inside OpenAI's ``response_format`` or its ``json_schema``, with its name."""
    nested = node_of(given.get("json_schema")) if given.get("type") == "json_schema" else given
    if nested is not None and "properties" not in nested and "type" not in nested:
        inner, name = node_of(nested.get("schema")), nested.get("name")
        if inner is not None:
            return inner, name if isinstance(name, str) else None
    return given, None


def _wrapper(definition: Node) -> Node:
    """An object around a schema; references still lead to the root's definitions."""
    inner = {key: value for key, value in definition.items() if key not in ("$defs", "definitions")}
    shared = {key: definition[key] for key in ("$defs", "definitions") if key in definition}
    return {
        "type": "object",
        "properties": {_WRAPPED: inner},
        "required": [_WRAPPED],
        "additionalProperties": False,
        **shared,
    }


def _content(value: Any) -> Any:
    """What stands inside the wrapper; a model that left it away is taken at its word."""
    found = node_of(value)
    return found[_WRAPPED] if found is not None and set(found) == {_WRAPPED} else value


def compiled(definition: Node) -> Callable[[Any], Any]:
    """A function that returns a JSON value that fits a JSON Schema and raises ValueError on others.

    References to other documents are refused: nothing is fetched.

    Raises:
        ConfigError: The schema is invalid.
    """
    import jsonschema_rs

    plain = dict(definition)
    try:
        jsonschema_rs.meta.validate(plain)
        validator = jsonschema_rs.validator_for(plain, retriever=_refuse)
    except (ValueError, TypeError) as error:
        raise _invalid(error) from error

    def check(value: Any) -> Any:
        if validator.is_valid(value):
            return value
        faults = [
            f"{json_path(error.instance_path)}: {error.message}"[:_FAULT_CHARS]
            for error in islice(validator.iter_errors(value), _FAULTS)
        ]
        raise ValueError("; ".join(faults))

    return check


def json_path(parts: Iterable[Any]) -> str:
    """A place inside a JSON value, such as ``$.items[2].price``."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is outside the schema and is not fetched")


def _invalid(error: Exception) -> ConfigError:
    place = json_path(getattr(error, "instance_path", ()))
    reason = str(getattr(error, "message", error)).strip().splitlines()[0][:300]
    return ConfigError(
        f"the JSON Schema is invalid at {place}: {reason}",
        hint="see https://json-schema.org; write references as #/$defs/NAME",
    )


def _of_type(shape: Any, name: str | None) -> Schema:
    from pydantic import TypeAdapter, create_model
    from pydantic.errors import PydanticUserError

    stated = name or getattr(shape, "__name__", None) or str(shape)
    if getattr(shape, "__args__", None):
        stated = name or str(shape).replace("typing.", "").rpartition(".")[2]
    wrapped = False
    if isinstance(shape, FunctionType):
        raise _no_schema(stated, "it is a function")
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(shape)
        definition = without_root_reference(adapter.json_schema())
        if not is_object(definition):
            wrapped = True
            adapter = TypeAdapter(create_model("Answer", value=(shape, ...)))
            definition = adapter.json_schema()
    except (PydanticUserError, NameError, TypeError) as error:
        raise _no_schema(stated, str(error).splitlines()[0]) from error

    def build(value: Any) -> Any:
        # By way of JSON text, so that a type in strict mode takes dates and enums as JSON has them.
        if not wrapped:
            return adapter.validate_json(json_bytes(value))
        return adapter.validate_json(json_bytes({_WRAPPED: _content(value)})).value

    return Schema(name=_safe(stated), definition=made_strict(definition), build=build)


def _no_schema(stated: str, why: str) -> ConfigError:
    return ConfigError(
        f"{stated} cannot be turned into a JSON Schema: {why}",
        hint="use a pydantic model, a dataclass, a type such as list[str], or a JSON Schema",
    )
