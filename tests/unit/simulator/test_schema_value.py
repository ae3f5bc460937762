from __future__ import annotations

import re

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwise.errors import PlanError
from fanwise.simulator.schema_text import formatted, matching
from fanwise.simulator.schema_value import schema_value

PROMPT = "Order 4711 was shipped on Monday with UPS. The parcel weighs 3 kg. Please confirm."


def valid(schema, value):
    jsonschema_rs.validator_for(schema, validate_formats=True).validate(value)


SHIPMENT = {
    "type": "object",
    "properties": {
        "supplier": {"type": "string", "maxLength": 40},
        "shipments": {
            "type": "array",
            "minItems": 1,
            "maxItems": 4,
            "items": {"$ref": "#/$defs/Shipment"},
        },
        "score": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "required": ["supplier", "shipments", "score"],
    "additionalProperties": False,
    "$defs": {
        "Shipment": {
            "type": "object",
            "properties": {
                "carrier": {"enum": ["UPS", "FedEx", "DHL", None]},
                "shipped_date": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
                "tracking_number": {"type": "string", "pattern": "^1Z[0-9A-Z]{16}$"},
                "pieces": {"type": "integer", "exclusiveMinimum": 0, "multipleOf": 5},
            },
            "required": ["carrier", "shipped_date", "tracking_number", "pieces"],
            "additionalProperties": False,
        }
    },
}

TREE = {
    "$ref": "#/$defs/Node",
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "parent": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            },
            "required": ["name", "parent", "children"],
        }
    },
}

SCHEMAS = [
    SHIPMENT,
    TREE,
    {},
    {"type": "null"},
    {"const": {"a": [1]}},
    {"type": ["string", "null"], "minLength": 3},
    {"type": "integer", "minimum": 5, "maximum": 5},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e-3},
    {"type": "number", "multipleOf": 0.25, "minimum": 10.1, "maximum": 10.3},
    {"type": "integer", "maximum": -7},
    {"type": "array", "uniqueItems": True, "minItems": 3, "items": {"enum": [1, 2, 3]}},
    {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "boolean"}], "items": False},
    {"allOf": [{"type": "object", "required": ["a"]}, {"properties": {"a": {"type": "integer"}}}]},
    {"oneOf": [{"type": "integer"}, {"type": "string"}]},
    {"type": "string", "minLength": 300, "maxLength": 310},
    {"type": "string", "maxLength": 3},
    {"type": "object", "required": ["free"], "additionalProperties": {"type": "integer"}},
    {"properties": {"a~b/c": {"$ref": "#/definitions/x~0y~1z"}}, "definitions": {"x~y/z": True}},
    {"type": "string", "pattern": "[a-z]+", "minLength": 30},
]


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("prompt", [PROMPT, "", "请问包裹在哪里？", "a b c " * 500])
def test_the_value_satisfies_the_schema(schema, prompt):
    value = schema_value(schema, prompt)
    valid(schema, value)
    assert schema_value(schema, prompt) == value


def test_other_prompts_bring_other_values():
    values = {str(schema_value(SHIPMENT, f"{PROMPT} {n}")) for n in range(30)}
    assert len(values) == 30


def test_strings_are_made_of_the_prompt():
    text = schema_value({"type": "string"}, PROMPT)
    assert isinstance(text, str)
    assert text in PROMPT


FORMATS = """
date-time date time duration email idn-email hostname idn-hostname ipv4 ipv6 uuid uri uri-reference
iri json-pointer regex
"""


@pytest.mark.parametrize("name", FORMATS.split())
def test_formats_hold(name):
    for number in (0, 1, 77, 2**47 + 5):
        valid({"type": "string", "format": name}, formatted(name, number))


def test_an_unknown_format_is_plain_text():
    assert isinstance(schema_value({"type": "string", "format": "colour"}, PROMPT), str)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d{3}-\d{4}$",
        r"^[A-Z]{2}\d{9}[A-Z]{2}$",
        r"^(foo|bar|b(a)z)+$",
        r"a?b*c+d{2,}e{1,3}f{,2}",
        r"^[^0-9]+$",
        r"^\w+@\w+\.(?:com|org)$",
        r"^(?P<year>\d{4})-(?<month>0[1-9]|1[0-2])$",
        r"\bword\b",
        r"^[\w.-]+$",
        r"^[]a]$",
        r"x.y\n\x41\u0042",
        r"^$",
        r"^[a-f\d]{8}\}$",
        r"lazy.*?end",
    ],
)
def test_patterns_are_matched(pattern):
    python = pattern.replace("(?<m", "(?P<m")
    for number in range(20):
        text = matching(pattern, lambda n, place, s=number: hash((s, place)) % n)
        assert re.search(python, text), text


@pytest.mark.parametrize(
    "pattern",
    ["(?=a)b", "(?<!x)y", r"(a)\1", "a)", "(a", "[", r"\p{L}", "a{3,1}", r"\u00zz", "[^\\W\\w]("],
)
def test_a_pattern_that_is_not_understood_is_named(pattern):
    with pytest.raises(PlanError, match="pattern"):
        matching(pattern, lambda n, place: 0)


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"enum": []},
        {"$ref": "#/$defs/missing"},
        {"$ref": "https://example.com/schema"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "integer", "minimum": 1, "maximum": 2, "multipleOf": 5},
        {"type": "string", "minLength": 5, "maxLength": 2},
        {"type": "array", "uniqueItems": True, "minItems": 2, "items": {"const": 1}},
        {"type": "colour"},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"anyOf": [False]},
        {
            "$ref": "#/$defs/a",
            "$defs": {
                "a": {
                    "type": "object",
                    "properties": {"a": {"$ref": "#/$defs/a"}},
                    "required": ["a"],
                }
            },
        },
    ],
)
def test_a_schema_that_allows_nothing_is_refused(schema):
    with pytest.raises(PlanError):
        schema_value(schema, PROMPT)


@st.composite
def numbers(draw, *, whole):
    low = draw(st.integers(-50, 50))
    schema = {"type": "integer" if whole else "number", "minimum": low}
    if draw(st.booleans()):
        schema["maximum"] = low + draw(st.integers(7, 60))
    if whole and draw(st.booleans()):
        schema["multipleOf"] = draw(st.sampled_from([1, 2, 3, 7]))
    return schema


@st.composite
def texts(draw):
    low = draw(st.integers(0, 30))
    return {"type": "string", "minLength": low, "maxLength": low + draw(st.integers(0, 40))}


LEAVES = st.one_of(
    numbers(whole=True),
    numbers(whole=False),
    texts(),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"enum": ["a", 2, None]}]),
)


@st.composite
def arrays(draw, parts):
    low = draw(st.integers(0, 3))
    return {
        "type": "array",
        "items": draw(parts),
        "minItems": low,
        "maxItems": low + draw(st.integers(0, 2)),
    }


@st.composite
def objects(draw, parts):
    properties = draw(st.dictionaries(st.sampled_from("abcdef"), parts, max_size=4))
    required = (
        draw(st.lists(st.sampled_from(sorted(properties)), unique=True)) if properties else []
    )
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


ANY_SCHEMA = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        arrays(parts),
        objects(parts),
        st.lists(parts, min_size=1, max_size=3).map(lambda found: {"anyOf": found}),
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(ANY_SCHEMA, st.text(max_size=80))
def test_any_schema_is_satisfied(schema, prompt):
    valid(schema, schema_value(schema, prompt))
