"""JSON Schemas as data: walking them, and the strict subset that providers can guarantee.

Source of the subset: https://platform.openai.com/docs/guides/structured-outputs, "Supported
schemas": the root is an object, every object is closed and requires all of its properties.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, cast

Node: TypeAlias = Mapping[str, Any]

_MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = (
    "items", "additionalProperties", "contains", "not", "if", "then", "else", "propertyNames",
    "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
_STRICT = frozenset(
    {
        "type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const",
        "$ref", "$defs", "definitions", "title", "description", "pattern", "format", "multipleOf",
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems",
    }
)  # fmt: skip
_STRICT_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
_STRUCTURE = frozenset({*_MAPS, *_LISTS, *_SINGLE, "dependentRequired"})
# Providers match patterns with automata, which cannot look around.
_LOOKS_AROUND = re.compile(r"\(\?(?:[=!]|<[=!])")


def node_of(value: Any) -> Node | None:
    """The value where it is an object, and so may be a schema."""
    return cast("Node", value) if isinstance(value, Mapping) else None


def subschemas(node: Node) -> Iterator[Node]:
    """The schemas directly below a schema. A property that is *named* like a keyword is none."""
    for keyword in _MAPS:
        found = node_of(node.get(keyword))
        if found is not None:
            for value in found.values():
                below = node_of(value)
                if below is not None:
                    yield below
    for keyword in _LISTS:
        values = node.get(keyword)
        if isinstance(values, (list, tuple)):
            for value in cast("list[Any]", values):
                below = node_of(value)
                if below is not None:
                    yield below
    for keyword in _SINGLE:
        below = node_of(node.get(keyword))
        if below is not None:
            yield below


def is_object(node: Node) -> bool:
    """Whether a schema describes objects and nothing else."""
    return node.get("type") == "object"


def is_strict(definition: Node) -> bool:
    """Whether a schema keeps to the strict subset."""
    return is_object(definition) and "anyOf" not in definition and _strict(definition)


def _strict(node: Node) -> bool:
    if not _STRICT.issuperset(node) or ("$ref" in node and len(node) > 1):
        return False
    if any(_is_beyond_strict(name, value) for name, value in node.items()):
        return False
    if is_object(node) or "properties" in node:
        names = set(node.get("properties") or ())
        if node.get("additionalProperties") is not False or names != set(node.get("required", ())):
            return False
    return all(_strict(below) for below in subschemas(node))


def _is_beyond_strict(name: str, value: Any) -> bool:
    """Whether a supported keyword has a value that is not supported."""
    if name == "pattern":
        return isinstance(value, str) and _LOOKS_AROUND.search(value) is not None
    return name == "format" and value not in _STRICT_FORMATS


def closed(definition: Node) -> Node:
    """The same schema with every object closed that says nothing of further properties and
    requires all it names; what such a schema accepts, the given one accepts too.
    """

    def close(node: dict[str, Any]) -> dict[str, Any]:
        names = node_of(node.get("properties"))
        if (
            is_object(node)
            and names is not None
            and "additionalProperties" not in node
            and "patternProperties" not in node
            and set(names) == set(node.get("required", ()))
        ):
            node["additionalProperties"] = False
        return node

    return _mapped(definition, close)


def made_strict(definition: Node) -> Node:
    """The schema in the strict subset as far as it fits in: for schemas made from types, whose
    answers the type itself checks.

    Objects are closed and require every property; defaults, lengths of texts and other keywords
    outside the subset are dropped; ``oneOf`` and a single ``allOf`` become ``anyOf``, and a
    reference with keywords beside it is set into an ``anyOf``. Objects with free keys stay open and
    the schema then is not strict.
    """
    return _mapped(definition, _make_strict)


def _make_strict(node: dict[str, Any]) -> dict[str, Any]:
    for name in [
        name
        for name, value in node.items()
        if (name not in _STRICT and name not in _STRUCTURE) or _is_beyond_strict(name, value)
    ]:
        del node[name]
    names = node_of(node.get("properties"))
    if is_object(node) and (names is not None or "additionalProperties" not in node):
        node.setdefault("properties", {})
        node.setdefault("additionalProperties", False)
        node["required"] = list(names or ())
    if "oneOf" in node and "anyOf" not in node:
        node["anyOf"] = node.pop("oneOf")
    whole = node.get("allOf")
    if isinstance(whole, list) and len(cast("list[Any]", whole)) == 1 and "anyOf" not in node:
        node["anyOf"] = node.pop("allOf")
    if "$ref" in node and len(node) > 1 and "anyOf" not in node and "$defs" not in node:
        node["anyOf"] = [{"$ref": node.pop("$ref")}]
    return node


def only(
    definition: Node,
    keywords: frozenset[str],
    *,
    formats: frozenset[str] | None = None,
    const_as_enum: bool = False,
) -> dict[str, Any]:
    """The schema without the keywords that a provider does not know.

    What such a schema accepts is at least what the given one accepts: an answer is to be checked
    against the given one.

    Args:
        definition: The schema.
        keywords: What the provider knows.
        formats: The values of ``format`` that it knows; all if ``None``.
        const_as_enum: Writes ``const`` as an ``enum`` of one value.
    """

    def cut(node: dict[str, Any]) -> dict[str, Any]:
        if const_as_enum and "const" in node:
            node.setdefault("enum", [node["const"]])
        if formats is not None and node.get("format") not in formats:
            node.pop("format", None)
        return {name: value for name, value in node.items() if name in keywords}

    return _mapped(definition, cut)


def _mapped(node: Node, change: Any) -> dict[str, Any]:
    """A copy of a schema in which every schema has been through ``change``, the deepest first."""
    copy: dict[str, Any] = dict(node)
    for keyword in _MAPS:
        found = node_of(copy.get(keyword))
        if found is not None:
            copy[keyword] = {name: _changed(value, change) for name, value in found.items()}
    for keyword in _LISTS:
        values = copy.get(keyword)
        if isinstance(values, (list, tuple)):
            copy[keyword] = [_changed(value, change) for value in cast("list[Any]", values)]
    for keyword in _SINGLE:
        if keyword in copy:
            copy[keyword] = _changed(copy[keyword], change)
    return change(copy)


def _changed(value: Any, change: Any) -> Any:
    below = node_of(value)
    return value if below is None else _mapped(below, change)


def without_root_reference(definition: Node) -> Node:
    """The schema with a root that is a reference (a recursive type's) written out in place."""
    reference = definition.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/$defs/"):
        return definition
    target = node_of((node_of(definition.get("$defs")) or {}).get(reference[8:]))
    if target is None:
        return definition
    rest = {name: value for name, value in definition.items() if name != "$ref"}
    return {**rest, **target}
