"""The body of a chat completion, written and read back."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.models.chat_body import encode_chat, encode_schema, request_from_chat_body
from fanwise.models.schemas import schema_of
from fanwise.records import Message, Request, Schema, user

SCHEMA = schema_of(list[int], name="numbers")


def test_a_written_body_is_read_back():
    request = Request(
        model="gpt-4o-mini",
        messages=[Message(role="developer", content="x"), user([{"type": "text", "text": "y"}])],
        parameters={"temperature": 0.25, "seed": 3},
        schema=SCHEMA,
    )
    body = orjson.loads(
        encode_chat(request, model="gpt-4o-mini", response_format=encode_schema(SCHEMA))
    )
    found = request_from_chat_body(body)
    assert found == Request(
        model="gpt-4o-mini",
        messages=request.messages,
        parameters=request.parameters,
        schema=Schema(name="numbers", definition=SCHEMA.definition),
    )


def test_how_it_is_streamed_is_no_part_of_the_question():
    body = {"model": "m", "messages": [], "stream": True, "stream_options": {}, "n": 1}
    assert request_from_chat_body(body).parameters == {"n": 1}


def test_an_answer_in_plain_json_mode_has_no_schema():
    body = {"model": "m", "messages": [], "response_format": {"type": "json_object"}}
    assert request_from_chat_body(body).schema is None


@pytest.mark.parametrize("messages", [None, 7, "x", [7], [{"role": "wizard", "content": "x"}]])
def test_messages_of_an_unknown_shape_are_left_out(messages):
    assert list(request_from_chat_body({"messages": messages}).messages) == []


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["messages", "role", "content", "response_format", "json_schema", "schema", "model"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(body=st.dictionaries(st.sampled_from(["messages", "response_format", "model"]), JSON))
def test_no_body_makes_it_fail(body):
    assert isinstance(request_from_chat_body(body), Request)
