"""Schemas from types and from JSON Schema: what is asked for, and what is built."""

import dataclasses
import datetime as dt
import enum
from decimal import Decimal
from typing import Annotated, Literal

import jsonschema_rs
import pytest
from pydantic import BaseModel, ConfigDict, Field, HttpUrl
from typing_extensions import TypedDict

from fanwise.errors import ConfigError
from fanwise.models.json_schema import closed, is_strict
from fanwise.models.schemas import Schemas, schema_of
from fanwise.records import Schema


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Hook(BaseModel):
    text: str = Field(description="6 to 12 words")
    score: float = 0.5
    mood: Mood | None = None
    when: dt.date | None = Field(None, description="the day")
    kind: Mood = Field(Mood.GOOD, description="what kind")


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    when: dt.date
    mood: Mood


class Node(BaseModel):
    value: int
    children: list["Node"] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Bounded(BaseModel):
    name: str = Field(min_length=1, max_length=9, examples=["Ann"])
    price: Decimal
    page: HttpUrl
    day: dt.date
    rank: int = Field(ge=1, le=5)
    marks: set[int] = Field(max_length=3)


class Pets(BaseModel):
    pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]]


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Row(TypedDict):
    name: str


def objects(definition):
    """Every object schema inside a definition."""
    if isinstance(definition, dict):
        if definition.get("type") == "object":
            yield definition
        for value in definition.values():
            yield from objects(value)
    elif isinstance(definition, list):
        for value in definition:
            yield from objects(value)


@pytest.mark.parametrize(
    "shape", [Hook, Strict, Node, Pets, Point, Row, list[Hook], Cat | Dog, int, Bounded]
)
def test_a_types_schema_is_in_the_strict_subset(shape):
    definition = schema_of(shape).definition
    assert is_strict(definition)
    for found in objects(definition):
        assert found["additionalProperties"] is False
        assert found["required"] == list(found["properties"])
    assert jsonschema_rs.meta.is_valid(definition)
    assert definition["type"] == "object"


def test_what_a_provider_cannot_guarantee_is_left_to_the_type():
    schema = schema_of(Bounded)
    properties = schema.definition["properties"]
    assert properties["name"] == {"title": "Name", "type": "string"}
    assert properties["rank"] == {"title": "Rank", "type": "integer", "minimum": 1, "maximum": 5}
    assert properties["day"]["format"] == "date"
    assert "format" not in properties["page"]
    fine = {
        "name": "Ann", "price": "1.50", "page": "https://h/", "day": "2026-11-22", "rank": 1,
        "marks": [1],
    }  # fmt: skip
    assert schema.build(fine).price == Decimal("1.50")
    for change in ({"name": ""}, {"rank": 6}, {"page": "no"}, {"marks": [1, 2, 3, 4]}):
        with pytest.raises(ValueError, match="validation error"):
            schema.build({**fine, **change})


@pytest.mark.parametrize(
    "part",
    [
        {"type": "string", "minLength": 1},
        {"type": "string", "format": "uri"},
        {"type": "string", "pattern": "^(?!x)"},
        {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
        {"type": "string", "default": "x"},
    ],
)
def test_a_json_schema_beyond_the_subset_is_asked_for_as_it_is(part):
    given = {"type": "object", "properties": {"a": part}, "required": ["a"]}
    definition = schema_of(given).definition
    assert definition["properties"]["a"] == part
    assert not is_strict(definition)


def test_free_keys_are_asked_for_without_strictness():
    definition = schema_of(dict[str, int]).definition
    assert definition["additionalProperties"] == {"type": "integer"}
    assert not is_strict(definition)


@pytest.mark.parametrize(
    ("shape", "value", "built"),
    [
        (Hook, {"text": "x", "score": 1, "mood": "bad"}, Hook(text="x", score=1, mood=Mood.BAD)),
        (
            Strict,
            {"when": "2026-11-22", "mood": "good"},
            Strict(when=dt.date(2026, 11, 22), mood=Mood.GOOD),
        ),
        (
            Node,
            {"value": 1, "children": [{"value": 2}]},
            Node(value=1, children=[Node(value=2)]),
        ),
        (Pets, {"pets": [{"kind": "cat", "lives": 9}]}, Pets(pets=[Cat(kind="cat", lives=9)])),
        (Point, {"x": 1}, Point(1)),
        (Row, {"name": "a"}, {"name": "a"}),
        (list[Point], {"value": [{"x": 1}]}, [Point(1)]),
        (list[Point], [{"x": 1}], [Point(1)]),
        (int, {"value": 3}, 3),
        (int, 3, 3),
        (Literal["a", "b"], {"value": "b"}, "b"),
        (dict[str, int], {"value": 3}, {"value": 3}),
        (tuple[int, str], {"value": [1, "a"]}, (1, "a")),
        (set[int], {"value": [1, 1]}, {1}),
    ],
)
def test_a_type_builds_its_value_from_json(shape, value, built):
    assert schema_of(shape).build(value) == built


@pytest.mark.parametrize(
    ("shape", "value"),
    [(Hook, {}), (Hook, []), (int, {"value": "x"}), (int, {"other": 1}), (Literal["a"], "b")],
)
def test_what_does_not_fit_a_type_is_refused(shape, value):
    with pytest.raises(ValueError, match="validation error"):
        schema_of(shape).build(value)


def test_descriptions_stay_beside_references():
    kind = schema_of(Hook).definition["properties"]["kind"]
    assert kind["description"] == "what kind"
    assert kind["anyOf"] == [{"$ref": "#/$defs/Mood"}]


@pytest.mark.parametrize(
    ("shape", "name", "found"),
    [
        (Hook, None, "Hook"),
        (Hook, "my hook!", "my_hook"),
        (list[Hook], "hooks", "hooks"),
        (list[int], None, "list_int"),
        ({"type": "object", "title": "A Title"}, None, "A_Title"),
        ({"type": "object"}, None, "answer"),
        ({"type": "object"}, "ü", "answer"),
        (Hook, "x" * 100, "x" * 64),
    ],
)
def test_names_are_what_providers_take(shape, name, found):
    assert schema_of(shape, name=name).name == found


def test_a_schema_is_taken_as_it_is():
    schema = Schema(name="s", definition={"type": "object"}, build=int)
    assert schema_of(schema) is schema
    renamed = schema_of(schema, name="t")
    assert (renamed.name, renamed.definition, renamed.build) == ("t", {"type": "object"}, int)


PERSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "home": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
    "required": ["name", "home"],
}


def test_a_json_schema_that_requires_all_is_closed_and_so_strict():
    schema = schema_of(PERSON)
    assert is_strict(schema.definition)
    assert "$schema" not in schema.definition
    assert PERSON["properties"]["home"] == {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    }


def test_a_json_schema_with_optional_properties_keeps_its_meaning():
    optional = {"type": "object", "properties": {"email": {"type": "string"}}}
    schema = schema_of(optional)
    assert schema.definition == optional
    assert not is_strict(schema.definition)
    assert schema.build({}) == {}


def test_an_answer_is_held_to_the_json_schema_as_it_was_given():
    value = {"name": "Ann", "home": {"city": "Bonn", "zip": "53111"}}
    assert schema_of(PERSON).build(value) == value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"name": 7, "home": {"city": "x"}}, '$.name: 7 is not of type "string"'),
        ({"name": "x", "home": {}}, '$.home: "city" is a required property'),
        ([], '$: [] is not of type "object"'),
    ],
)
def test_a_misfit_names_its_place(value, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- the message is what is tested
        schema_of(PERSON).build(value)
    assert words in str(caught.value)


def test_a_json_schema_without_an_object_at_its_root_is_wrapped():
    schema = schema_of(
        {"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}}}
    )
    assert is_strict(schema.definition)
    assert schema.definition["properties"]["value"]["type"] == "array"
    assert schema.build({"value": [1, 2]}) == [1, 2]
    assert schema.build([1, 2]) == [1, 2]
    with pytest.raises(ValueError, match=r"\$\.value\[1\]"):
        schema.build({"value": [1, "x"]})


def test_a_json_schema_that_refers_to_its_root_is_left_where_it_is():
    tree = {"type": "array", "items": {"$ref": "#"}}
    assert schema_of(tree).definition == tree
    assert schema_of(tree).build([[], [[]]]) == [[], [[]]]


@pytest.mark.parametrize(
    "wrapped",
    [
        {"name": "person", "strict": True, "schema": PERSON},
        {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}},
    ],
)
def test_an_openai_response_format_is_understood(wrapped):
    schema = schema_of(wrapped)
    assert schema.name == "person"
    assert schema.definition == schema_of(PERSON).definition


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"type": "objet"}, "the JSON Schema is invalid at $.type"),
        ({"type": "object", "properties": {"a": {"type": 3}}}, "at $.properties.a.type"),
        ({"$ref": "#/$defs/nowhere"}, "Pointer '/$defs/nowhere' does not exist"),
        ({"$ref": "http://127.0.0.1:9/x.json"}, "is outside the schema and is not fetched"),
        ({"$ref": "file:///etc/passwd"}, "is outside the schema and is not fetched"),
        ({"properties": {"a": {1, 2}}}, "the JSON Schema is invalid"),
        (lambda x: x, "it is a function"),
        ("Hook", "cannot be turned into a JSON Schema"),
        (Hook(text="x"), "cannot be turned into a JSON Schema"),
        (7, "cannot be turned into a JSON Schema"),
    ],
)
def test_a_shape_that_is_none_is_refused_before_anything_is_spent(shape, words):
    with pytest.raises(ConfigError) as caught:
        schema_of(shape)
    assert words in str(caught.value)
    assert caught.value.hint


def test_a_property_named_like_a_keyword_is_a_property():
    definition = {
        "type": "object",
        "properties": {
            "properties": {"type": "string"},
            "default": {"type": "string"},
            "required": {"type": "string"},
            "$ref": {"type": "string"},
        },
        "required": ["properties", "default", "required", "$ref"],
    }
    assert is_strict(closed(definition))
    assert schema_of(definition).definition["properties"] == definition["properties"]


@pytest.mark.parametrize(
    "definition",
    [
        {"type": "array", "items": {"type": "string"}},
        {"type": "object"},
        {"type": "object", "properties": {"a": {}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
        {"type": "object", "properties": {}, "additionalProperties": False, "allOf": []},
        {"type": "object", "properties": {}, "additionalProperties": False, "anyOf": []},
    ],
)
def test_what_is_not_strict_is_not_called_so(definition):
    assert not is_strict(definition)


def test_shapes_are_worked_out_once():
    schemas = Schemas()
    assert schemas.of(Hook) is schemas.of(Hook)
    assert schemas.of(list[Hook]) is schemas.of(list[Hook])
    assert schemas.of(dict(PERSON)) is schemas.of(dict(PERSON))
    assert schemas.of(Hook, name="other") is not schemas.of(Hook)
    given = Schema(name="s", definition={})
    assert schemas.of(given) is given


def test_a_schema_written_anew_for_every_call_fills_no_memory():
    schemas = Schemas()
    for index in range(1000):
        schemas.of({"type": "object", "title": f"t{index}"})
    assert int(repr(schemas).split("(")[1].split()[0]) <= 256
