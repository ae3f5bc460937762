"""Answers as providers really shape them, and what only looks like an answer."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.models.chat_answer import read_answer, usage_of
from fanwise.records import Failure, Response, Usage
from support.fake_transport import reply

WHO = "openai at api.openai.com"

# The shape of https://platform.openai.com/docs/api-reference/chat/object
OPENAI = {
    "id": "chatcmpl-9Kq",
    "object": "chat.completion",
    "created": 1741569952,
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello!", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 19,
        "completion_tokens": 10,
        "total_tokens": 29,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 6},
    },
    "service_tier": "default",
}


def read(body, *, status=200, keep_body=False, **headers):
    return read_answer(reply(body, status=status, **headers), who=WHO, keep_body=keep_body)


def chat(message=None, **choice):
    return {
        "id": "c1",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", **choice}],
    }


def test_an_openai_answer():
    answer = read(OPENAI, **{"x-request-id": "req_7"})
    assert answer == Response(
        text="Hello!",
        value="Hello!",
        usage=Usage(input_tokens=19, output_tokens=10, cached_input_tokens=4),
        model="gpt-4o-mini-2024-07-18",
        finish_reason="stop",
        status=200,
        request_id="req_7",
        headers={"content-type": "application/json", "x-request-id": "req_7"},
    )


def test_without_a_header_the_answers_own_id_is_the_request_id():
    assert read(OPENAI).request_id == "chatcmpl-9Kq"


def test_the_body_is_kept_only_where_it_is_asked_for():
    assert read(OPENAI).body is None
    assert read(OPENAI, keep_body=True).body == OPENAI


def test_a_refusal_is_in_the_models_words():
    answer = read(chat({"role": "assistant", "content": None, "refusal": "I can't help."}))
    assert (answer.text, answer.refusal) == ("", "I can't help.")


def test_a_filtered_answer_counts_as_refused():
    answer = read(chat({"content": "The first"}, finish_reason="content_filter"))
    assert (answer.text, answer.finish_reason) == ("The first", "content_filter")
    assert answer.refusal == "the provider's content filter stopped the answer"


def test_an_answer_cut_by_its_length_says_so():
    answer = read(chat({"content": '{"a": 1'}, finish_reason="length"))
    assert (answer.text, answer.finish_reason) == ('{"a": 1', "length")


def test_a_reasoning_model_that_used_up_its_tokens_answers_nothing():
    message = {"role": "assistant", "content": None, "reasoning_content": "Let me think…"}
    answer = read(chat(message, finish_reason="length"))
    assert (answer.text, answer.finish_reason, answer.refusal) == ("", "length", None)


def test_content_may_be_a_list_of_parts():
    parts = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "Hel"},
        {"type": "text", "text": "lo"},
    ]
    assert read(chat({"content": parts})).text == "Hello"
    refused = read(chat({"content": [{"type": "refusal", "refusal": "No."}]}))
    assert (refused.text, refused.refusal) == ("", "No.")


def test_deepseek_counts_cached_tokens_by_another_name():
    usage = {"prompt_tokens": 30, "completion_tokens": 2, "prompt_cache_hit_tokens": 20}
    assert usage_of(usage) == Usage(input_tokens=30, output_tokens=2, cached_input_tokens=20)


@pytest.mark.parametrize("usage", [None, [], "12", {}, {"prompt_tokens": "12"}])
def test_usage_that_is_not_stated_is_unknown_and_not_nothing(usage):
    assert usage_of(usage) == Usage()


@pytest.mark.parametrize("value", [-1, 1.5, True, "7"])
def test_a_count_that_is_no_count_is_unknown(value):
    usage = usage_of({"prompt_tokens": value, "completion_tokens": 3})
    assert usage == Usage(input_tokens=None, output_tokens=3)


def test_embeddings_are_answered_whole():
    body = {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }
    answer = read(body, keep_body=True)
    assert (answer.body, answer.text) == (body, "")
    assert answer.usage == Usage(input_tokens=8, output_tokens=0)


def test_a_responses_answer_has_its_text_and_usage():
    body = {
        "id": "resp_1",
        "object": "response",
        "error": None,
        "model": "gpt-4o-mini",
        "output": [
            {"type": "reasoning", "summary": []},
            {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]},
        ],
        "usage": {
            "input_tokens": 5,
            "input_tokens_details": {"cached_tokens": 1},
            "output_tokens": 2,
        },
    }
    answer = read(body, keep_body=True)
    assert (answer.text, answer.request_id) == ("Hi", "resp_1")
    assert answer.usage == Usage(input_tokens=5, output_tokens=2, cached_input_tokens=1)


def test_an_older_completion_is_an_answer_to_a_body_of_ones_own():
    body = {"object": "text_completion", "choices": [{"text": "Hi", "finish_reason": "stop"}]}
    answer = read(body, keep_body=True)
    assert (answer.text, answer.finish_reason, answer.body) == ("Hi", "stop", body)


@pytest.mark.parametrize(
    "choice",
    [
        {"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"},
        {"message": {"content": "The"}, "finish_reason": "content_filter"},
    ],
)
def test_a_refusal_to_a_body_of_ones_own_stays_in_the_body(choice):
    answer = read({"choices": [choice]}, keep_body=True)
    assert answer.refusal is None
    assert answer.body == {"choices": [choice]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "a web page instead of JSON"),
        (b"", "an empty body"),
        (b"OK", "something that is not JSON"),
        (orjson.dumps(OPENAI)[:-40], "JSON that breaks off"),
        (b"[1, 2]", "JSON that is not an object"),
        ({"id": "x", "choices": []}, "no choice with a message"),
        ({"id": "x"}, "no choice with a message"),
        ({"choices": [{"index": 0, "text": "an old completion"}]}, "no choice with a message"),
        ({"choices": ["x"]}, "no choice with a message"),
        ({"choices": {"0": {}}}, "no choice with a message"),
        ({"object": "list", "data": [{"id": "gpt-4o"}]}, "no choice with a message"),
    ],
)
def test_a_success_status_over_no_answer_is_a_failure(body, words):
    failure = read(body)
    assert isinstance(failure, Failure)
    assert failure.kind == "protocol"
    assert f"{WHO} answered 200 with {words}" in failure.message


def test_a_page_under_success_hints_at_the_base_url():
    failure = read(b"<html>", **{"content-type": "text/html"})
    assert failure.hint == "is the base URL right? it usually ends in /v1"


def test_a_chat_answer_without_choices_is_no_answer_for_a_batch_line_either():
    assert read({"object": "chat.completion", "choices": []}, keep_body=True).kind == "protocol"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 429, "message": "Provider returned error", "metadata": {}}, 429),
        ({"code": "502", "message": "upstream"}, 502),
        ({"type": "insufficient_quota", "message": "no money"}, 429),
        ({"type": "invalid_request_error", "message": "bad", "code": "x"}, 400),
        ({"type": "server_error", "message": "oops", "code": None}, 500),
    ],
)
def test_an_error_object_under_success_keeps_its_meaning(error, status):
    failure = read({"error": error})
    assert (failure.kind, failure.status) == ("status", status)
    assert failure.message == f"{WHO} answered with an error: {error['message']}"
    assert orjson.loads(failure.body) == {"error": error}


@pytest.mark.parametrize(
    "error", ["it broke", {"message": "it broke"}, {"code": 7, "msg": "it broke"}]
)
def test_an_error_without_a_status_counts_as_a_broken_answer(error):
    failure = read({"error": error})
    assert (failure.kind, failure.status) == ("protocol", None)
    assert failure.message == f"{WHO} answered with an error: it broke"


def test_an_error_in_the_choice_is_found():
    body = chat({"content": ""}, finish_reason="error", error={"code": 502, "message": "down"})
    assert (read(body).kind, read(body).status) == ("status", 502)


def test_an_error_object_by_vllms_older_shape_is_found():
    failure = read({"object": "error", "message": "too long", "code": 400})
    assert (failure.status, failure.message) == (400, f"{WHO} answered with an error: too long")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "Incorrect API key", "type": "x"}}, "Incorrect API key"),
        ({"error": "model not found"}, "model not found"),
        ({"object": "error", "message": "Invalid model"}, "Invalid model"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": [{"loc": ["body"], "msg": "x"}]}, '[{"loc":["body"],"msg":"x"}]'),
        ([{"error": {"code": 400, "message": "API key not valid."}}], "API key not valid."),
        (b"upstream\n  connect error", "upstream connect error"),
        (b"<html>502</html>", "a web page"),
        (b"", "Bad Request"),
        ({}, "Bad Request"),
    ],
)
def test_an_error_status_says_what_the_server_said(body, words):
    failure = read(body, status=400, **{"retry-after": "3"})
    assert (failure.kind, failure.status) == ("status", 400)
    assert failure.message == f"{WHO} answered 400: {words}"
    assert failure.headers["retry-after"] == "3"


def test_the_excerpt_of_a_body_is_bounded():
    failure = read(b"\xc3\xa4" * 10_000, status=500)
    assert failure.body == "ä" * 4096
    assert len(failure.message) < 500


def test_a_status_that_nobody_registered_is_an_error_too():
    assert read(b"", status=599).message == f"{WHO} answered 599: no explanation"


def test_a_redirect_is_not_followed_and_says_where_it_leads():
    failure = read(b"", status=308, location="https://new.example/v1")
    assert failure.message == f"{WHO} answered 308: moved to https://new.example/v1"
    assert "set the final base URL" in failure.hint


def test_a_404_that_is_not_the_apis_own_hints_at_the_base_url():
    assert "ends in /v1" in read(b"404 page not found", status=404).hint
    assert read({"error": {"message": "no such model"}}, status=404).hint == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "error",
                    "choices",
                    "message",
                    "content",
                    "usage",
                    "code",
                    "type",
                    "refusal",
                    "output",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(body=JSON, status=st.sampled_from([200, 204, 302, 404, 429, 500]), keep=st.booleans())
def test_no_json_makes_it_fail(body, status, keep):
    answer = read(body, status=status, keep_body=keep)
    assert isinstance(answer, (Response, Failure))
    if status >= 300:
        assert answer.status == status


@given(raw=st.binary(max_size=80), status=st.sampled_from([200, 500]))
def test_no_bytes_make_it_fail(raw, status):
    assert isinstance(read(raw, status=status), (Response, Failure))


@given(place=st.integers(min_value=0, max_value=len(orjson.dumps(OPENAI)) - 1))
def test_a_cut_answer_is_never_an_answer(place):
    assert read(orjson.dumps(OPENAI)[:place]).kind == "protocol"
