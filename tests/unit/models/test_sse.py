"""Server-sent events: the bytes of a stream may be cut anywhere."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise.models.sse import EventTooLarge, ServerEvent, SseParser


def events(*chunks, **options):
    parser = SseParser(**options)
    found = [event for chunk in chunks for event in parser.feed(chunk)]
    return found + parser.finish()


def data(*chunks):
    return [event.data for event in events(*chunks)]


def test_an_event_ends_with_an_empty_line():
    assert data(b"data: one\n\ndata: two\n\n") == [b"one", b"two"]


def test_only_one_blank_after_the_colon_is_dropped():
    assert data(b"data:  x\n\ndata:y\n\n") == [b" x", b"y"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_end_in_lf_crlf_or_cr(end):
    assert data(b"data: a" + end + b"data: b" + end + end + b"data: c" + end + end) == [
        b"a\nb",
        b"c",
    ]


def test_a_crlf_cut_in_two_is_one_line_end():
    assert data(b"data: a\r", b"\ndata: b\r", b"\n", b"\r", b"\n") == [b"a\nb"]


def test_comments_unknown_fields_and_a_byte_order_mark_are_skipped():
    stream = b"\xef\xbb\xbf: OPENROUTER PROCESSING\n\nid: 7\nretry: 10\ndata: x\n\n"
    assert data(stream) == [b"x"]


def test_a_byte_order_mark_is_only_one_at_the_start():
    assert data(b"\xef\xbb\xbfdata: x\n\n\xef\xbb\xbfdata: y\n\n") == [b"x"]


def test_an_event_has_a_name_that_the_next_one_does_not_inherit():
    stream = b"event: error\ndata: x\n\nevent: lost\n\ndata: y\n\n"
    assert events(stream) == [ServerEvent(b"x", "error"), ServerEvent(b"y", "")]


def test_data_without_a_colon_is_an_empty_line_of_data():
    assert data(b"data\ndata: x\n\n") == [b"\nx"]


def test_the_last_event_counts_without_its_closing_line():
    assert data(b"data: [DONE]") == [b"[DONE]"]
    assert data(b"data: [DONE]\n") == [b"[DONE]"]


def test_an_event_above_the_limit_is_refused():
    with pytest.raises(EventTooLarge):
        events(b"data: " + b"x" * 60, b"y" * 60, max_event_bytes=100)
    with pytest.raises(EventTooLarge):
        events(*[b"data: xxxxxxxxx\n"] * 20, max_event_bytes=100)


def test_many_small_events_never_reach_the_limit():
    assert len(events(*[b"data: xxxxxxxxx\n\n"] * 50, max_event_bytes=100)) == 50


def test_comments_for_ever_hold_no_memory_and_reach_no_limit():
    assert events(*[b": keep-alive\n\n"] * 50, max_event_bytes=100) == []


TEXT = st.lists(
    st.sampled_from(
        [
            b"data",
            b"event",
            b":",
            b" ",
            b"\n",
            b"\r",
            b"\r\n",
            b"\n\n",
            b"\xef\xbb\xbf",
            b"x",
            b"\xff",
        ]
    ),
    max_size=60,
).map(b"".join)


@given(stream=TEXT, cuts=st.lists(st.integers(min_value=0, max_value=200), max_size=8))
def test_the_borders_of_chunks_mean_nothing(stream, cuts):
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    chunks = [stream[a:b] for a, b in pairwise(places)]
    assert events(*chunks) == events(stream) == events(*(bytes([byte]) for byte in stream))


@given(chunks=st.lists(st.binary(max_size=30), max_size=20))
def test_no_bytes_make_it_fail(chunks):
    for event in events(*chunks):
        assert isinstance(event.data, bytes)


@given(
    payloads=st.lists(
        st.binary(max_size=40).filter(lambda data: b"\r" not in data and b"\n" not in data),
        max_size=8,
    )
)
def test_what_is_written_is_read(payloads):
    assert data(b"".join(b"data: " + payload + b"\n\n" for payload in payloads)) == payloads
