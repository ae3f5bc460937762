"""A value that satisfies a JSON Schema, derived from a prompt: the same prompt, the same value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from fanwise.errors import PlanError
from fanwise.records import Json
from fanwise.simulator.chance import digest
from fanwise.simulator.extract import key_terms, sentences
from fanwise.simulator.schema_text import formatted, matching

_DEEP = 6
_TOO_DEEP = 40
_Node = Mapping[str, Any]


def schema_value(schema: Mapping[str, Json], prompt: str) -> Json:
    """Makes a value that the schema accepts.

    Understood are ``type`` (lists of types too), ``enum``, ``const``, bounds of numbers, strings
    and arrays, ``multipleOf``, ``uniqueItems``, ``prefixItems``, ``format``, ``pattern`` (without
    look-around and back-references), ``required``, ``$ref`` into the same schema, ``anyOf``,
    ``oneOf`` and ``allOf``. Below six levels only what is required is filled in, so that recursive
    schemas end.

    Args:
        schema: The schema.
        prompt: What the value is derived from: every choice is a hash over it, every string is made
            of its words.

    Raises:
        PlanError: The schema allows no value that can be built, names a ``$ref`` that is not there
            or requires itself without end.
    """
    maker = _Maker(root=cast("_Node", schema), prompt=prompt)
    return maker.value(maker.root, path="$", depth=0)


@dataclass(slots=True)
class _Maker:
    root: _Node
    prompt: str
    _seed: int = 0
    _terms: Sequence[str] = ()
    _sentences: Sequence[str] = ()
    _ready: bool = field(default=False)

    def _prepare(self) -> None:
        if not self._ready:
            self._seed = digest(self.prompt)
            self._terms = key_terms(self.prompt, most=24) or ("answer",)
            self._sentences = sentences(self.prompt) or ("answer",)
            self._ready = True

    def number(self, path: str, bound: int) -> int:
        """A whole number from 0 to ``bound`` - 1, by hash of the prompt and the path."""
        self._prepare()
        return digest(self._seed, path) % max(1, bound)

    def value(self, node: Any, *, path: str, depth: int) -> Json:
        if depth > _TOO_DEEP:
            raise PlanError(f"the schema requires itself without end at {path[:80]}")
        if node is True or node == {}:
            return self._string({}, path)
        if not isinstance(node, Mapping):
            raise PlanError(f"the schema allows nothing at {path}")
        schema = self._resolve(cast("_Node", node), path)
        if "const" in schema or "enum" in schema:
            return self._fixed(schema, path)
        kind = self._kind(schema, path, depth)
        makers: Mapping[str, Callable[[], Json]] = {
            "object": lambda: self._object(schema, path, depth),
            "array": lambda: self._array(schema, path, depth),
            "integer": lambda: self._number(schema, path, whole=True),
            "number": lambda: self._number(schema, path, whole=False),
            "boolean": lambda: self.number(path, 2) == 1,
            "null": lambda: None,
            "string": lambda: self._string(schema, path),
        }
        if kind not in makers:
            raise PlanError(f"the schema's type {kind!r} at {path} is none of JSON Schema's")
        return makers[kind]()

    def _fixed(self, schema: _Node, path: str) -> Json:
        if "const" in schema:
            return schema["const"]
        choices = cast("Sequence[Json]", schema["enum"])
        if not choices:
            raise PlanError(f"the schema's enum at {path} allows nothing")
        return choices[self.number(path, len(choices))]

    def _resolve(self, node: _Node, path: str) -> _Node:
        """Follows references, merges ``allOf`` and settles on one of several alternatives."""
        schema = dict(node)
        for _ in range(_TOO_DEEP):
            if "$ref" in schema:
                target = self._target(schema.pop("$ref"), path)
                schema = _merge(target, schema)
            elif "allOf" in schema:
                parts = schema.pop("allOf")
                for part in parts:
                    schema = _merge(schema, self._resolve(part, path))
            elif "anyOf" in schema or "oneOf" in schema:
                name = "anyOf" if "anyOf" in schema else "oneOf"
                choices = schema.pop(name)
                schema = _merge(schema, self._choose(choices, path))
            else:
                return schema
        raise PlanError(f"the schema's references at {path[:80]} run in a circle")

    def _target(self, reference: Any, path: str) -> _Node:
        text = str(reference)
        if not text.startswith("#"):
            raise PlanError(f"the schema's $ref {text!r} at {path} leaves the schema")
        found: Any = self.root
        for step in filter(None, text[1:].split("/")):
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or name not in found:
                raise PlanError(f"the schema's $ref {text!r} at {path} is not there")
            found = cast("_Node", found)[name]
        return {} if found is True else cast("_Node", found)

    def _choose(self, choices: Sequence[Any], path: str) -> _Node:
        usable = [cast("_Node", choice) for choice in choices if isinstance(choice, Mapping)]
        if not usable:
            raise PlanError(f"the schema's alternatives at {path} allow nothing")
        # Deep down, the alternative that ends is taken: an optional parent is null there.
        if path.count(".") + path.count("[") >= _DEEP:
            usable = [choice for choice in usable if self._ends(choice)] or usable
        return usable[self.number(path + "|", len(usable))]

    def _ends(self, node: _Node) -> bool:
        if "$ref" in node:
            return False
        return node.get("type") not in {"object", "array"}

    def _kind(self, schema: _Node, path: str, depth: int) -> str:
        kind = schema.get("type")
        if isinstance(kind, str):
            return kind
        if isinstance(kind, Sequence):
            kinds = [str(name) for name in cast("Sequence[Any]", kind)]
            if not kinds:
                raise PlanError(f"the schema's types at {path} exclude each other")
            if depth >= _DEEP and "null" in kinds:
                return "null"
            return kinds[self.number(path + "?", len(kinds))]
        for word, implied in _IMPLIED.items():
            if word in schema:
                return implied
        return "string"

    def _object(self, schema: _Node, path: str, depth: int) -> Json:
        properties = cast("Mapping[str, Any]", schema.get("properties") or {})
        required = [str(name) for name in schema.get("required") or ()]
        names = list(properties) if depth < _DEEP else []
        names.extend(name for name in required if name not in names)
        found: dict[str, Json] = {}
        for name in names:
            part = properties.get(name, schema.get("additionalProperties", {}))
            try:
                found[name] = self.value(part, path=f"{path}.{name}", depth=depth + 1)
            except PlanError:
                if name in required:
                    raise
        return found

    def _array(self, schema: _Node, path: str, depth: int) -> Json:
        first = cast("Sequence[Any]", schema.get("prefixItems") or ())
        low = int(schema.get("minItems", 0))
        high = int(schema.get("maxItems", max(low, 3, len(first))))
        size = low if depth >= _DEEP else max(low, min(high, 1 + self.number(path + "#", 3)))
        size = min(max(size, min(len(first), high)), high)
        rest = schema.get("items", {})
        if rest is False:
            size = min(size, len(first))
        found: list[Json] = []
        for place in range(size):
            part = first[place] if place < len(first) else rest
            try:
                entry = self._entry(part, f"{path}[{place}]", depth, schema, found)
            except PlanError:
                if place < low:
                    raise
                break
            if entry is not _ABSENT:
                found.append(cast("Json", entry))
        if len(found) < low:
            raise PlanError(f"the schema asks for {low} different entries at {path}")
        return found

    def _entry(
        self, part: Any, path: str, depth: int, schema: _Node, found: Sequence[Json]
    ) -> object:
        for turn in range(32):
            entry = self.value(part, path=f"{path}'{turn}" if turn else path, depth=depth + 1)
            if not schema.get("uniqueItems") or entry not in found:
                return entry
        return _ABSENT

    def _number(self, schema: _Node, path: str, *, whole: bool) -> Json:
        step = schema.get("multipleOf", 1 if whole else None)
        low, high = _bounds(schema, step=step)
        if low > high:
            raise PlanError(f"the schema's bounds at {path} leave no number")
        if step is None:
            found = round(low + (high - low) * self.number(path, 10_001) / 10_000, 6)
            return min(max(found, low), high)
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if first > last:
            raise PlanError(f"the schema's bounds at {path} leave no multiple of {step}")
        found = (first + self.number(path, last - first + 1)) * step
        return int(found) if whole else found

    def _string(self, schema: _Node, path: str) -> str:
        low = int(schema.get("minLength", 0))
        high = int(schema.get("maxLength", max(low, 200)))
        if low > high:
            raise PlanError(f"the schema's lengths at {path} leave no text")
        if "pattern" in schema:
            pattern = str(schema["pattern"])
            return matching(pattern, lambda n, place: self.number(f"{path}/{place}", n), low=low)
        if "format" in schema:
            made = formatted(str(schema["format"]), self.number(path, 2**48))
            if made is not None:
                return made
        self._prepare()
        if high < 24:
            text = self._terms[self.number(path, len(self._terms))]
        else:
            text = self._sentences[self.number(path, len(self._sentences))]
        while len(text) < low:
            text += " " + self._terms[self.number(f"{path}+{len(text)}", len(self._terms))]
        return text[:high]


_ABSENT = object()
_IMPLIED = {
    "properties": "object",
    "required": "object",
    "items": "array",
    "prefixItems": "array",
    "minItems": "array",
    "minimum": "number",
    "maximum": "number",
    "multipleOf": "number",
}


def _merge(left: _Node, right: _Node) -> dict[str, Any]:
    """Both schemas at once, as far as building a value needs it."""
    merged = dict(left)
    for name, value in right.items():
        mine = merged.get(name)
        if mine is None:
            merged[name] = value
        elif name == "properties":
            merged[name] = {**mine, **value}
        elif name == "required":
            merged[name] = [*mine, *(entry for entry in value if entry not in mine)]
        elif name == "enum":
            merged[name] = [entry for entry in mine if entry in value]
        elif name in {"minimum", "exclusiveMinimum", "minLength", "minItems"}:
            merged[name] = max(mine, value)
        elif name in {"maximum", "exclusiveMaximum", "maxLength", "maxItems"}:
            merged[name] = min(mine, value)
        elif name == "type":
            merged[name] = _narrower(mine, value)
        else:
            merged[name] = value
    return merged


def _narrower(left: Any, right: Any) -> Any:
    lefts = [left] if isinstance(left, str) else list(left)
    rights = [right] if isinstance(right, str) else list(right)
    both = [kind for kind in lefts if kind in rights]
    if not both and {"integer", "number"} <= {*lefts, *rights}:
        return "integer"
    return both


def _bounds(schema: _Node, *, step: float | None) -> tuple[float, float]:
    lows = [schema[name] for name in ("minimum", "exclusiveMinimum") if name in schema]
    highs = [schema[name] for name in ("maximum", "exclusiveMaximum") if name in schema]
    low = max(lows) if lows else min(0, min(highs) - 100) if highs else 0
    high = min(highs) if highs else max(100, low + 100)
    nudge = step or (high - low) / 1000 or 1e-6
    if "exclusiveMinimum" in schema and low == schema["exclusiveMinimum"]:
        low += nudge if step is None else step / 2
    if "exclusiveMaximum" in schema and high == schema["exclusiveMaximum"]:
        high -= nudge if step is None else step / 2
    return low, high
