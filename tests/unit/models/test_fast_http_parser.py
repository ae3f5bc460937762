"""Answers out of bytes: the same however the bytes are cut, and never a short one."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fanwise.models.http.fast_parser import AnswerParser, Bounds, UnusableAnswer

BODY = b'{"choices": [{"text": "caf\xc3\xa9"}]}'
LENGTH = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-A: 1\r\nx-a: 2\r\nX-Empty:\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BODY)
) + BODY
CHUNKS = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;ext=1\r\nhello\r\n1\r\n \r\n00A\r\n0123456789\r\n0\r\nX-Trailer: t\r\n\r\n"
)
NOTHING = b"HTTP/1.1 204 No Content\r\nX-B: y\r\n\r\n"
WIRES = {"length": LENGTH, "chunks": CHUNKS, "nothing": NOTHING}


def new_parser(**bounds: int) -> AnswerParser:
    return AnswerParser(bounds=Bounds(**bounds), names={})


def parsed(parser: AnswerParser, *pieces: bytes) -> tuple[int, dict[str, str], bytes, bool]:
    for piece in pieces:
        assert not parser.complete
        parser.feed(memoryview(piece))
    assert parser.complete
    return parser.status, dict(parser.headers), parser.body(), parser.keep_alive


EXPECTED = {
    "length": (
        200,
        {
            "content-type": "application/json",
            "x-a": "1, 2",
            "x-empty": "",
            "content-length": str(len(BODY)),
        },
        BODY,
        True,
    ),
    "chunks": (201, {"transfer-encoding": "chunked"}, b"hello 0123456789", True),
    "nothing": (204, {"x-b": "y"}, b"", True),
}


@pytest.mark.parametrize("name", WIRES)
def test_an_answer_cut_in_two_at_any_place_is_the_same(name: str) -> None:
    wire = WIRES[name]
    assert parsed(new_parser(), wire) == EXPECTED[name]
    for at in range(1, len(wire)):
        assert parsed(new_parser(), wire[:at], wire[at:]) == EXPECTED[name], at


@pytest.mark.parametrize("name", WIRES)
def test_an_answer_byte_by_byte_is_the_same(name: str) -> None:
    pieces = [bytes([byte]) for byte in WIRES[name]]
    assert parsed(new_parser(), *pieces) == EXPECTED[name]


@given(
    order=st.lists(st.sampled_from(sorted(WIRES)), min_size=1, max_size=5),
    seed=st.integers(0, 2**32),
)
def test_answer_after_answer_on_one_connection(order: list[str], seed: int) -> None:
    chance, parser = random.Random(seed), new_parser()
    for name in order:
        wire, at, pieces = WIRES[name], 0, []
        while at < len(wire):
            step = chance.randint(1, 40)
            pieces.append(wire[at : at + step])
            at += step
        assert parsed(parser, *pieces) == EXPECTED[name]
        parser.reset()


@pytest.mark.parametrize("name", WIRES)
def test_no_prefix_of_an_answer_is_a_whole_answer(name: str) -> None:
    wire = WIRES[name]
    for at in range(len(wire)):
        parser = new_parser()
        if at:
            parser.feed(memoryview(wire[:at]))
        assert not parser.complete
        assert not parser.end(), at


@given(st.binary(max_size=400))
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n")
@example(b"HTTP/1.1 999 \r\n\r\n")
@example(b"HTTP/0.9 200 OK\r\n\r\n")
@example(b"\r\n\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\n folded\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nx\0y: a\r\n\r\n")
def test_any_bytes_are_an_answer_or_an_error_of_ours(data: bytes) -> None:
    parser = new_parser()
    with suppress(UnusableAnswer):
        if data:
            parser.feed(memoryview(data))
        parser.end()
        if parser.complete:
            parser.body()


@given(st.sampled_from(sorted(WIRES)), st.integers(0, 2**32), st.integers(1, 4))
def test_damaged_answers_are_an_answer_or_an_error_of_ours(name: str, seed: int, hurt: int) -> None:
    chance, wire = random.Random(seed), bytearray(WIRES[name])
    for _ in range(hurt):
        wire[chance.randrange(len(wire))] = chance.randrange(256)
    test_any_bytes_are_an_answer_or_an_error_of_ours.hypothesis.inner_test(bytes(wire))


def test_bytes_behind_an_answer_leave_it_whole_and_end_the_connection() -> None:
    for more in (LENGTH, b"garbage", b"HTTP/1.1 200 OK\r\n"):
        parser = new_parser()
        assert parsed(parser, LENGTH + more) == (*EXPECTED["length"][:3], False)


def test_an_empty_line_behind_an_answer_is_forgiven() -> None:
    assert parsed(new_parser(), LENGTH + b"\r\n") == EXPECTED["length"]


def test_connection_close_and_http_1_0_end_the_connection() -> None:
    close = LENGTH.replace(b"X-A: 1", b"Connection: close")
    assert not parsed(new_parser(), close)[3]
    assert not parsed(new_parser(), LENGTH.replace(b"HTTP/1.1", b"HTTP/1.0"))[3]


def test_a_body_until_close_is_whole_only_at_the_end() -> None:
    parser = new_parser()
    parser.feed(memoryview(b"HTTP/1.1 200 OK\r\n\r\npart"))
    assert not parser.complete
    parser.feed(memoryview(b" and part"))
    assert not parser.complete
    assert parser.end()
    assert parser.body() == b"part and part"
    assert not parser.keep_alive


def feed_until_refused(parser: AnswerParser, start: bytes, again: bytes) -> int:
    """Feeds ``again`` until it is refused; how many bytes were taken."""
    parser.feed(memoryview(start))
    for number in range(100_000):
        try:
            parser.feed(memoryview(again))
        except UnusableAnswer:
            return number * len(again)
    raise AssertionError("it was never refused")


HEAD = b"HTTP/1.1 200 OK\r\n"
IN_CHUNKS = HEAD + b"transfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "again", "most"),
    [
        (HEAD, b"x-a: b\r\n", 1000),
        (HEAD + b"x-a: ", b"aaaaaaaaaa", 1000),
        (HEAD, b"n", 1000),
        (b"HTTP/1.1 200 ", b"OK and", 1000),
        (b"HTTP/1.1 100 C\r\n\r\n", b"HTTP/1.1 100 C\r\n\r\n", 1000),
        (IN_CHUNKS, b"1\r\nx\r\n", 6000),
        (IN_CHUNKS, b"ff\r\n" + b"x" * 255 + b"\r\n", 6000),
        (IN_CHUNKS + b"1;", b"extension=", 1100),
        (IN_CHUNKS + b"0\r\n", b"x-t: trailer\r\n", 1100),
        (IN_CHUNKS + b"0\r\nx-t: ", b"trailer", 1100),
        (HEAD + b"\r\n", b"until the end", 6000),
        (b"", b"\r\n", 1000),
    ],
)
def test_no_server_can_fill_the_memory(start: bytes, again: bytes, most: int) -> None:
    parser = new_parser(head_bytes=1000, body_bytes=5000)
    if not start:
        start = b"\r\n"
    taken = feed_until_refused(parser, start, again)
    assert taken <= most + len(again)


def test_a_head_in_one_piece_with_its_body_is_measured_alone() -> None:
    wire = LENGTH.replace(b"X-A: 1", b"X-A: " + b"1" * 500)
    body = b"b" * 4000
    wire = HEAD + b"content-length: 4000\r\nx-a: " + b"1" * 500 + b"\r\n\r\n" + body
    assert parsed(new_parser(head_bytes=1000, body_bytes=5000), wire)[2] == body
    with pytest.raises(UnusableAnswer, match="400 bytes of headers"):
        parsed(new_parser(head_bytes=400, body_bytes=5000), wire)


def test_header_names_are_remembered_and_no_more_than_that() -> None:
    names: dict[bytes, str] = {}
    parser = AnswerParser(bounds=Bounds(), names=names)
    parsed(parser, LENGTH)
    assert names[b"Content-Type"] == "content-type"
    for number in range(3000):
        parser.reset()
        parsed(parser, HEAD + b"content-length: 0\r\nx-%d: 1\r\n\r\n" % number)
        assert parser.headers[f"x-{number}"] == "1"
    assert len(names) <= 1024


@pytest.mark.parametrize(
    ("wire", "hint"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x46", "https://"),
        (b"SSH-2.0-OpenSSH\r\n", "base URL"),
    ],
)
def test_other_protocols_are_named_with_a_remedy(wire: bytes, hint: str) -> None:
    with pytest.raises(UnusableAnswer) as caught:
        new_parser().feed(memoryview(wire))
    assert hint in caught.value.hint
