"""From text to values: taken as JSON, out of prose, repaired or refused."""

import json

import json_repair
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from fanwise.errors import InvalidOutput
from fanwise.models.repair import faults
from fanwise.models.structured import parse, schema_of
from fanwise.records import Schema


class Item(BaseModel):
    name: str
    price: float
    note: str = ""


class Node(BaseModel):
    value: int
    children: list["Node"] = []


ITEM = schema_of(Item)
NODE = schema_of(Node)
LOOSE = schema_of({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})
TEXT = '{"name": "pen", "price": 1.5, "note": "blue"}'
PEN = Item(name="pen", price=1.5, note="blue")


def refused(text, schema=ITEM, **options):
    with pytest.raises(InvalidOutput) as caught:
        parse(text, schema, **options)
    return caught.value.message


def test_json_is_taken_as_it_stands():
    parsed = parse(TEXT, ITEM)
    assert parsed.value == PEN
    assert parsed.json == json.loads(TEXT)
    assert not parsed.repaired


def test_the_journals_json_builds_the_same_value_again():
    assert ITEM.build(parse(TEXT, ITEM).json) == PEN


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{TEXT}\n```",
        f"```\n{TEXT}\n```\n",
        f"Here you are:\n\n```JSON\n{TEXT}\n```\nAnything else?",
        f"Sure! {TEXT} I hope this helps.",
        f'<think>maybe {{\'name\': 1}} or {{"name": "x", "price": 0}}</think>\n{TEXT}',
        f"The schema [1] asks for {{name, price}}, so: {TEXT}",
        f'A draft: {{"name": "draft"}}. The answer: {TEXT}',
        f"\ufeff{TEXT}",
        f"{TEXT}\n{TEXT}",
        f'{{"name": 3}}\n{TEXT}',
    ],
)
def test_json_is_found_inside_prose_without_a_repair(text):
    parsed = parse(text, ITEM)
    assert (parsed.value, parsed.repaired) == (PEN, False)


def test_of_several_answers_that_fit_the_last_one_counts():
    assert parse('First {"a": 1}, no: {"a": 2}.', LOOSE).json == {"a": 2}


@pytest.mark.parametrize(
    "text",
    [
        "{'name': 'pen', 'price': 1.5, 'note': 'blue'}",
        '{"name": "pen", "price": 1.5, "note": "blue",}',
        '{name: "pen", price: 1.5, note: "blue"}',
        '{"name": "pen" "price": 1.5 "note": "blue"}',
        '{"name": "pen", // the name\n "price": 1.5, "note": "blue"}',
        '```json\n{"name": "pen", "price": 1.5, "note": "blue"\n```',
        '{"name": "pen", "price": 1.5, "note": "blue"',
    ],
)
def test_what_was_meant_as_json_is_repaired_and_said_to_be(text):
    parsed = parse(text, ITEM)
    assert (parsed.value, parsed.repaired) == (PEN, True)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "pen", "price": 1.5, "note": "bl',
        '{"name": "pen", "pri',
        '{"name": "pen',
        '{"name": "pen", "price": 1.5, "note": ',
        '{"name": "pen", "note": "blue", "price": 1.5',
        '{"name": "pen", "note": "blue", "price": 1.5,',
    ],
)
def test_a_text_that_ends_inside_a_value_is_not_repaired(text):
    assert "breaks off before its JSON is complete" in refused(text)


def test_a_text_that_ends_behind_a_key_is_not_repaired():
    refused('{"name": "pen", "price": 1.5, "note"')


def test_a_closed_cut_does_not_put_defaults_for_what_is_missing():
    # The type would take note="" where the model did not get to the note.
    assert '"note" is a required property' in refused('{"price": 1.5, "name": "pen"')


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "pen", "price": 1,500, "note": ""}',
        '{"name": "pen", "price": , "note": ""}',
        '{"name": , "price": 1, "note": "",}',
        '{"name": "pen", "price": 1, "note":}',
    ],
)
def test_a_value_that_is_not_there_is_not_invented(text):
    refused(text)


def test_an_answer_that_the_provider_cut_is_not_repaired_at_all():
    text = '{"name": "pen", "price": 1.5, "note": "blue"'
    assert parse(text, ITEM).repaired
    assert "breaks off" in refused(text, complete=False)
    assert parse(TEXT, ITEM, complete=False).value == PEN


def test_a_part_of_a_cut_answer_is_not_the_answer():
    text = '{"value": 1, "children": [{"value": 2, "children": []}, {"value": 3, "chil'
    assert "breaks off" in refused(text, NODE)
    assert "breaks off" in refused(f"Here: {text}", NODE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the answer is empty where JSON was asked for"),
        (" \n", "the answer is empty where JSON was asked for"),
        ("I cannot do that.", "the answer holds no JSON object or array"),
        ("null", "$: Input should be an object"),
        ("[]", "$: Input should be an object"),
        ('{"name": "pen"}', "$.price: Field required"),
        ('{"name": "pen", "price": "dear"}', "$.price: Input should be a valid number"),
        ('{"name": "pen", "price": "dear"}', "(got 'dear')"),
        ("```json\n[1, 2]\n```", "$: Input should be an object"),
    ],
)
def test_a_misfit_is_told_in_words_for_the_model(text, words):
    assert words in refused(text)


def test_a_misfit_names_the_schema_and_at_most_three_places():
    class Many(BaseModel):
        a: int
        b: int
        c: int
        d: int
        e: int

    message = refused("{}", schema_of(Many))
    assert message == (
        "the answer does not fit the schema Many: $.a: Field required; $.b: Field required; "
        "$.c: Field required; and 2 more"
    )


def test_places_in_lists_are_counted():
    text = '{"value": [{"name": "a", "price": 1, "note": ""}, {"name": "b", "price": "x"}]}'
    assert "$.value[1].price: " in refused(text, schema_of(list[Item]))


def test_a_long_misfit_is_cut():
    assert len(refused(json.dumps({"a": "x" * 100_000}), LOOSE)) < 1000


def test_a_schema_without_a_builder_is_checked_too():
    schema = Schema(name="s", definition=LOOSE.definition)
    assert parse('{"a": 1}', schema).value == {"a": 1}
    assert "$.a: " in refused('{"a": "x"}', schema)


def test_a_builder_may_raise_whatever_it_likes():
    def build(value):
        raise LookupError("no such hook")

    schema = Schema(name="s", definition={}, build=build)
    assert refused("{}", schema) == "the answer does not fit the schema s: no such hook"


@pytest.mark.parametrize(
    "text", ['{"a": 1e999}', '{"a": NaN}', '{"a": Infinity}', '{"a": 1e999,}', '{"a": -Infinity,}']
)
def test_numbers_that_json_does_not_have_are_refused(text):
    refused(text, LOOSE)


def test_an_answer_too_deep_for_the_journal_is_refused():
    anything = schema_of({"type": "object"})
    deep = '{"a":' * 300 + "1" + "}" * 300
    assert "nested more than 200 levels" in refused(deep, anything)
    refused("so: " + deep, anything)
    assert parse('{"a":' * 150 + "1" + "}" * 150, anything).json


def test_a_large_answer_with_one_fault_is_repaired():
    rows = [{"name": f"item {index}", "price": index, "note": ""} for index in range(800)]
    text = json.dumps({"value": rows})[:-1] + ",}"
    parsed = parse(text, schema_of(list[Item]))
    assert parsed.repaired
    assert len(parsed.value) == 800


@pytest.mark.parametrize(
    "text",
    [
        "[1" + ', "a"' * 20_000,
        "{" * 60_000,
        '{"a" ' * 10_000,
        '[true"' + 'true"' * 10_000,
        "[1,null" + "\n'null" * 10_000,
        '{"a": [' + "{," * 3_000 + "]}",
    ],
)
def test_a_hostile_text_never_reaches_the_repair(text, monkeypatch):
    # json-repair needs seconds to minutes for these.
    monkeypatch.setattr(json_repair, "loads", lambda *_, **__: pytest.fail("it was repaired"))
    refused(text, LOOSE)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('{"a": [1, {"b": null}], "c": "x, {y}"}', 0),
        ("{'a': 1}", 0),
        ('{"a" 1}', 1),
        ('{"a": 1,, "b": 2}', 1),
        ("[,1]", 1),
        ("[1 2 3]", 2),
        ("[1] [2]", 1),
        ('["a": "b": 1]', 1),
        ("[#]", 4),
    ],
)
def test_faults_are_counted(text, count):
    assert faults(text, most=100) == count


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)
ANYTHING = schema_of({"type": "object"})


@given(
    value=st.dictionaries(st.text(max_size=6), VALUES, max_size=5),
    indent=st.sampled_from([None, 2]),
)
def test_every_json_object_is_read_back(value, indent):
    text = json.dumps(value, indent=indent)
    for wrapped in (text, f"```json\n{text}\n```", f"The answer is:\n{text}\nDone."):
        parsed = parse(wrapped, ANYTHING)
        assert parsed.json == value
        assert not parsed.repaired


@settings(max_examples=300)
@given(
    value=st.fixed_dictionaries(
        {"name": st.text(max_size=20), "price": st.floats(0, 1e6), "note": st.text(max_size=20)}
    ),
    data=st.data(),
)
def test_a_cut_answer_is_whole_or_refused(value, data):
    text = json.dumps(value)
    place = data.draw(st.integers(0, len(text) - 1))
    try:
        parsed = parse(text[:place], ITEM)
    except InvalidOutput:
        return
    # Only the closing bracket may be made up.
    assert text[:place].rstrip() + "}" == text
    assert parsed.repaired
    assert parsed.json == value


# fmt: off
PIECES = st.sampled_from(
    ["{", "}", "[", "]", '"', "'", ",", ":", "a", '"a"', "1", "-", "e9", " ", "\n", "null", "//",
     "/*", "\\", '\\"', "…", "```json\n", "```", '"a":', "<think>", "</think>", "\ud800", "\x00"]
)
# fmt: on


@given(pieces=st.lists(PIECES, max_size=40))
def test_no_text_makes_it_fail(pieces):
    text = "".join(pieces)
    for schema in (LOOSE, ITEM, ANYTHING):
        try:
            parsed = parse(text, schema)
        except InvalidOutput:
            continue
        else:
            assert schema.build(parsed.json) == parsed.value
            json.dumps(parsed.json, allow_nan=False).encode()


LINES = Schema(
    name="lines",
    definition={"type": "array", "items": {"type": "string"}, "minItems": 2},
    salvage=lambda text: text.split("\n") if "\n" in text else None,
)


def test_what_holds_no_value_that_fits_is_salvaged_by_the_tasks_own_rule():
    parsed = parse("one\ntwo", LINES)
    assert (parsed.value, parsed.repaired) == (["one", "two"], True)
    assert not parse('["one", "two"]', LINES).repaired
    assert parse('["one"]\nmore', LINES).value == ['["one"]', "more"]


def test_what_is_salvaged_has_to_fit_and_a_cut_answer_is_not_salvaged():
    assert refused("nothing", LINES) == "the answer holds no JSON object or array"
    assert refused("one\ntwo", LINES, complete=False)
    picky = Schema(name="picky", definition={"type": "object"}, salvage=lambda text: [text])
    assert "does not fit the schema picky" in refused("text", picky)
