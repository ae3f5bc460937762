from __future__ import annotations

import jsonschema_rs
import pytest

from fanwise.errors import ConfigError
from fanwise.records import Request, Schema, assistant, system, user
from fanwise.simulator.answers import answers_by_schema, computed_answer, prompt_of
from fanwise.simulator.embeddings import embed
from fanwise.simulator.extract import extract, key_terms, sentences
from fanwise.simulator.service import wrong
from fanwise.simulator.tokens import count_messages, count_text, cut, pieces, text_of

TEXT = (
    "Good morning. The harbour was closed for a week because the harbour crane broke. "
    "My cat sleeps. The crane of the harbour is repaired now!"
)
POINT = Schema(
    name="point",
    definition={"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
)


def request(*messages, schema=None):
    return Request(model="sim/default", messages=messages, schema=schema)


def test_free_text_is_drawn_from_what_the_user_asked():
    asked = request(system("Be brief."), user("Old question?"), assistant("Hm."), user(TEXT))
    answer = computed_answer(asked)
    summary, _, terms = answer.partition("\n\nKey terms: ")
    assert all(sentence in TEXT for sentence in sentences(summary))
    assert "My cat sleeps." not in summary
    assert terms.startswith("harbour, crane")
    assert computed_answer(asked) == answer


def test_a_schema_gets_a_value_that_fits():
    value = computed_answer(request(user(TEXT), schema=POINT))
    jsonschema_rs.validator_for(POINT.definition).validate(value)


@pytest.mark.parametrize("content", ["", "   ", "…", [], None, [{"type": "image_url"}]])
def test_a_prompt_without_text_still_gets_an_answer(content):
    assert isinstance(computed_answer(request(user(content))), str)


def test_answers_are_chosen_by_the_schemas_name():
    answer = answers_by_schema(
        {"point": lambda asked: {"x": len(asked.messages)}}, otherwise=lambda _: "other"
    )
    assert answer(request(user("a"), user("b"), schema=POINT)) == {"x": 2}
    assert answer(request(user("a"))) == "other"
    assert answer(request(user("a"), schema=Schema(name="else", definition={}))) == "other"


def test_an_answer_that_is_no_function_is_refused():
    with pytest.raises(ConfigError, match="'point' is no function"):
        answers_by_schema({"point": {"x": 1}})


def test_parts_of_a_message_count_as_text():
    parts = [
        {"type": "text", "text": "one"},
        {"type": "image_url"},
        {"type": "text", "text": "two"},
    ]
    assert text_of(parts) == "one\ntwo"
    assert prompt_of(request(system("zero"), user(parts))) == "zero\none\ntwo"


@pytest.mark.parametrize("schema", [POINT.definition, {"type": "array"}, {"type": "object"}])
def test_a_wrong_answer_does_not_satisfy_the_schema(schema):
    shape = Schema(name="s", definition=schema)
    value = computed_answer(request(user(TEXT), schema=shape))
    validator = jsonschema_rs.validator_for(schema)
    assert validator.is_valid(value)
    assert not validator.is_valid(wrong(value, request(user(TEXT), schema=shape)))


def test_wrong_free_text_is_empty():
    assert wrong("text", request(user(TEXT))) == ""


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("abcd" * 10, 10), ("123456", 2), ("包裹在哪里", 5), ("Привет", 3), ("é", 1)],
)
def test_tokens_follow_the_script(text, tokens):
    assert count_text(text) == tokens


def test_a_conversation_costs_more_than_its_texts():
    assert count_messages([user("abcd"), user("abcd")]) == 2 + 2 * 4 + 3


@pytest.mark.parametrize("text", [TEXT, "包裹在哪里" * 20, "7" * 100])
@pytest.mark.parametrize("limit", [1, 5, 12])
def test_a_text_is_cut_at_its_tokens(text, limit):
    beginning, was_cut = cut(text, limit)
    assert was_cut
    assert text.startswith(beginning)
    assert count_text(beginning) <= limit < count_text(text[: len(beginning) + 4])
    assert cut("short", 100) == ("short", False)


@pytest.mark.parametrize("text", [TEXT, "", "  ", "a\n\n b ", "word " * 5000, '{"a": [1, 2]}'])
def test_pieces_make_up_the_text(text):
    parts = pieces(text)
    assert "".join(parts) == text
    assert len(parts) <= 200


def test_the_telling_sentences_come_in_their_own_order():
    assert extract(TEXT, max_sentences=2) == (
        "The harbour was closed for a week because the harbour crane broke. "
        "The crane of the harbour is repaired now!"
    )


def test_key_terms_leave_common_words_out():
    assert key_terms("The crane and the crane and the cat", most=5) == ["crane", "cat"]


def test_texts_that_share_words_lie_close_together():
    def near(left, right):
        pairs = zip(embed(left, size=64), embed(right, size=64), strict=True)
        return sum(a * b for a, b in pairs)

    assert near(TEXT, TEXT) == pytest.approx(1.0)
    assert near("the harbour crane", "a harbour crane") > near("the harbour crane", "my lazy cat")
    assert sum(x * x for x in embed("…", size=8)) == pytest.approx(1.0)
    assert sum(x * x for x in embed("a b c d e f", size=1)) == pytest.approx(1.0)
