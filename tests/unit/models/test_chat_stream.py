"""Streamed answers: whole, cut, broken, and servers that do not stream at all."""

from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.clock import LoopClock
from fanwise.models.http.errors import TransportFault, TransportTimeout
from fanwise.records import Failure, Request, Response, Timeouts, Usage, user
from fanwise.testing.virtual import run_virtual
from support.endpoints import chat_endpoint
from support.fake_transport import FakeTransport, reply

RESET = TransportFault("cut off", kind="reset", phase="between_chunks", maybe_sent=True)
SILENCE = TransportTimeout("silent", phase="between_chunks", maybe_sent=True)
ASKED = Request(model="openai/gpt-4o-mini", messages=[user("hello")])


def event(data):
    return b"data: " + orjson.dumps(data) + b"\n\n"


def delta(text=None, *, finish=None, **fields):
    piece = {} if text is None else {"content": text}
    return event(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "model": "gpt-4o-mini",
            "choices": [{"index": 0, "delta": {**piece, **fields}, "finish_reason": finish}],
            "usage": None,
        }
    )


ROLE = delta("", role="assistant")
STOP = delta(finish="stop")
USAGE = event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}})
DONE = b"data: [DONE]\n\n"
WHOLE = [ROLE, delta("Hel"), delta("lo"), STOP, USAGE, DONE]


def ask(*chunks, request=ASKED, headers=None, transport=None, **options):
    """The result of a streamed attempt, and the tokens that were handed out."""
    transport = transport or FakeTransport(list(chunks), headers=headers)
    model = chat_endpoint(transport, **options)
    tokens = []
    result = run_virtual(model.send(request, timeouts=Timeouts(), on_token=tokens.append))
    return result, tokens


def test_a_stream_is_one_answer_and_its_tokens():
    answer, tokens = ask(*WHOLE)
    assert tokens == ["Hel", "lo"]
    assert (answer.text, answer.value, answer.finish_reason) == ("Hello", "Hello", "stop")
    assert answer.usage == Usage(input_tokens=9, output_tokens=2)
    assert (answer.model, answer.request_id) == ("gpt-4o-mini", "chatcmpl-1")


def test_it_asks_for_a_stream_and_for_its_usage():
    transport = FakeTransport(WHOLE)
    ask(transport=transport)
    body = transport.body()
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
    assert transport.sent[0].headers["accept"] == "text/event-stream"


def test_a_server_that_knows_no_stream_options_is_spared_them():
    transport = FakeTransport(WHOLE)
    ask(transport=transport, stream_usage=False)
    assert "stream_options" not in transport.body()


def test_the_time_to_the_first_token_is_counted_from_the_send():
    answer, _ = ask(0.5, ROLE, 1.0, delta("Hel"), 2.0, delta("lo"), STOP, DONE)
    assert answer.first_token_s == 1.5


def test_a_body_is_not_streamed_but_its_text_is_handed_out():
    transport = FakeTransport(
        reply({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]})
    )
    answer, tokens = ask(
        transport=transport, request=Request(model="openai/x", body={"messages": []})
    )
    assert tokens == ["hi"]
    assert answer.body is not None
    assert "stream" not in transport.body()


@given(cuts=st.lists(st.integers(0, len(b"".join(WHOLE))), max_size=12))
def test_chunks_may_be_cut_anywhere(cuts):
    stream = b"".join(WHOLE)
    places = [0, *sorted(cuts), len(stream)]
    answer, tokens = ask(*(stream[a:b] for a, b in pairwise(places)))
    assert answer.text == "".join(tokens) == "Hello"
    assert answer.usage.output_tokens == 2


@given(end=st.integers(0, len(b"".join([ROLE, delta("Hel"), delta("lo")]))))
def test_a_stream_that_ends_early_is_never_an_answer(end):
    failure, tokens = ask(b"".join(WHOLE)[:end])
    assert isinstance(failure, Failure)
    assert failure.kind == "protocol"
    assert "".join(tokens) in ("", "Hel", "Hello")


def test_a_cut_stream_says_so():
    failure, tokens = ask(ROLE, delta("Hel"))
    assert failure.message == (
        "openai at api.openai.com sent a stream that ends before the answer does "
        "(after 3 characters of text)"
    )
    assert tokens == ["Hel"]


@pytest.mark.parametrize("end", [[STOP], [DONE], [DONE.rstrip()], [STOP, USAGE]])
def test_a_finish_reason_or_done_ends_an_answer(end):
    answer, _ = ask(ROLE, delta("Hi"), *end)
    assert isinstance(answer, Response)
    assert answer.text == "Hi"


@pytest.mark.parametrize("error", [RESET, SILENCE])
def test_a_connection_lost_before_the_end_is_a_failure(error):
    failure, tokens = ask(ROLE, delta("Hel"), error)
    assert failure.kind == ("reset" if error is RESET else "timeout")
    assert tokens == ["Hel"]


@pytest.mark.parametrize("error", [RESET, SILENCE])
def test_a_connection_lost_after_the_end_costs_the_usage_only(error):
    answer, _ = ask(ROLE, delta("Hi"), STOP, error)
    assert (answer.text, answer.usage) == ("Hi", Usage())


def test_a_server_that_keeps_the_stream_open_after_done_is_left_soon():
    transport = FakeTransport([*WHOLE, 3600.0])
    clock = []

    async def watched():
        result = await chat_endpoint(transport).send(
            ASKED, timeouts=Timeouts(), on_token=lambda _: None
        )
        clock.append(LoopClock().monotonic())
        return result

    answer = run_virtual(watched())
    assert answer.text == "Hello"
    assert clock == [1.0]


def test_a_stream_read_to_its_end_leaves_its_connection_to_the_next():
    transport = FakeTransport(WHOLE)
    ask(transport=transport)
    assert transport.streams_left_early == 0


def test_an_error_inside_the_stream_is_a_failure_with_its_status():
    # The shape of https://openrouter.ai/docs/api/reference/streaming, "Mid-stream errors"
    broken = event(
        {
            "id": "gen-1",
            "object": "chat.completion.chunk",
            "error": {"code": 502, "message": "Provider disconnected unexpectedly"},
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        }
    )
    failure, tokens = ask(b": OPENROUTER PROCESSING\n\n", delta("Hel"), broken)
    assert (failure.kind, failure.status, tokens) == ("status", 502, ["Hel"])
    assert failure.message.endswith("answered with an error: Provider disconnected unexpectedly")


def test_an_error_event_by_name_is_a_failure():
    failure, _ = ask(b'event: error\ndata: {"type": "rate_limit_error", "message": "slow"}\n\n')
    assert (failure.kind, failure.status) == ("status", 429)


def test_an_error_of_the_choice_is_a_failure():
    chunk = event({"choices": [{"index": 0, "error": {"code": 429, "message": "x"}, "delta": {}}]})
    assert ask(chunk)[0].status == 429


def test_an_error_after_the_end_comes_too_late():
    answer, _ = ask(*WHOLE[:4], event({"error": {"code": 500, "message": "x"}}))
    assert answer.text == "Hello"


@pytest.mark.parametrize("data", [b"{oops", b"7", b'{"choices": [3]}'])
def test_a_corrupted_event_is_a_failure(data):
    chunk = b"data: " + data + b"\n\n"
    failure, tokens = ask(ROLE, delta("Hel"), chunk, delta("lo"), STOP, DONE)
    assert (failure.kind, tokens) == ("protocol", ["Hel"])


def test_an_azure_prompt_filter_event_before_the_answer_is_no_end():
    first = event({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]})
    assert ask(first, *WHOLE)[0].text == "Hello"


def test_a_streamed_refusal_is_put_together():
    answer, tokens = ask(delta(refusal="I "), delta(refusal="can't."), STOP, DONE)
    assert (answer.refusal, answer.text, tokens) == ("I can't.", "", [])


def test_a_filtered_stream_counts_as_refused():
    answer, _ = ask(delta("The"), delta(finish="content_filter"), DONE)
    assert answer.refusal == "the provider's content filter stopped the answer"


def test_only_the_first_of_several_choices_is_read():
    other = event({"choices": [{"index": 1, "delta": {"content": "no"}, "finish_reason": "stop"}]})
    failure, tokens = ask(delta("Hi"), other)
    assert isinstance(failure, Failure)
    assert tokens == ["Hi"]


def test_reasoning_is_not_shown_as_answer():
    answer, tokens = ask(delta(reasoning_content="hm"), delta("Hi"), STOP, DONE)
    assert (answer.text, tokens) == ("Hi", ["Hi"])


def test_a_server_that_does_not_stream_is_understood():
    body = reply({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]})
    answer, tokens = ask(transport=FakeTransport(body))
    assert (answer.text, tokens) == ("hi", ["hi"])


def test_an_error_status_is_no_stream():
    body = reply({"error": {"message": "slow down"}}, status=429, **{"retry-after": "1"})
    failure, tokens = ask(transport=FakeTransport(body))
    assert (failure.kind, failure.status, tokens) == ("status", 429, [])
    assert failure.headers["retry-after"] == "1"


def test_a_page_in_place_of_a_stream_is_a_failure():
    failure, _ = ask(b"<html>hello</html>", headers={"content-type": "text/html; charset=utf-8"})
    assert failure.kind == "protocol"
    assert "a web page instead of JSON" in failure.message


def test_an_event_without_end_is_a_failure_and_not_a_full_memory():
    failure, _ = ask(*[b"data: " + b"x" * 1_000_000] * 20)
    assert (failure.kind, "grew above" in failure.message) == ("protocol", True)


@given(
    chunks=st.lists(st.sampled_from([*WHOLE, b"data: {", b"\n\n", b"data: null\n\n"]), max_size=8)
)
def test_no_stream_makes_it_fail(chunks):
    result, tokens = ask(*chunks)
    assert isinstance(result, (Response, Failure))
    if isinstance(result, Response):
        assert result.text == "".join(tokens)
