"""One connection against a transport that does as it is told, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from fanwise.models.http.errors import TransportFault, TransportTimeout
from fanwise.models.http.fast_parser import Bounds
from fanwise.models.http.fast_protocol import UPLOAD_BYTES, Connection, StaleConnectionError
from fanwise.models.http.fast_stream import StreamBody
from fanwise.models.http.transport import HttpReply
from fanwise.records import Timeouts
from fanwise.testing.virtual import run_virtual

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
HEAD = b"POST / HTTP/1.1\r\n\r\n"


class Wire:
    """Stands in for asyncio's transport: takes what is written, reads on or not, closes."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.written = bytearray()
        self.closed = False
        self.reading = True

    def set_write_buffer_limits(self, *, high: int, low: int) -> None:
        assert low == 0

    def get_extra_info(self, name: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written += data

    def abort(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.lose)

    def lose(self) -> None:
        assert self.connection is not None
        self.connection.connection_lost(None)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Bench:
    """A connection between such a transport and an owner who notes what he is told."""

    def __init__(self) -> None:
        self.free, self.lost = 0, 0
        self.wire = Wire()
        self.buffer = memoryview(bytearray(65536))
        self.connection = Connection(
            loop=asyncio.get_running_loop(),
            server="h:1",
            bounds=Bounds(head_bytes=1000, body_bytes=10_000_000),
            names={},
            buffer=self.buffer,
            on_free=self._on_free,
            on_lost=self._on_lost,
        )
        self.wire.connection = self.connection
        self.connection.connection_made(cast("asyncio.BaseTransport", self.wire))

    def _on_free(self, _: Connection) -> None:
        self.free += 1

    def _on_lost(self, _: Connection) -> None:
        self.lost += 1

    def begin(
        self, body: bytes = b"{}", *, stream: StreamBody | None = None, **timeouts: float
    ) -> asyncio.Future[HttpReply]:
        return self.connection.begin(
            HEAD,
            body,
            timeouts=Timeouts(**timeouts),
            started_at=asyncio.get_running_loop().time(),
            connect_s=0.0,
            stream=stream,
        )

    def hear(self, data: bytes) -> None:
        self.connection.get_buffer(-1)[: len(data)] = data
        self.connection.buffer_updated(len(data))


def virtually(test: Any) -> Any:
    def run() -> None:
        run_virtual(test())

    run.__name__ = test.__name__
    return run


@virtually
async def test_an_answer_gives_the_connection_back_before_the_reply_goes_out() -> None:
    bench = Bench()
    pending = bench.begin()
    assert bytes(bench.wire.written) == HEAD + b"{}"
    bench.hear(OK[:10])
    assert not pending.done()
    bench.hear(OK[10:])
    assert bench.free == 1
    assert (await pending).body == b"ok"
    again = bench.begin()
    bench.hear(OK)
    assert (await again).body == b"ok"


@virtually
async def test_a_caller_who_left_as_the_answer_came_does_not_close_the_next_ones_connection() -> (
    None
):
    bench = Bench()
    first = bench.begin()
    bench.hear(OK)
    second = bench.begin()
    bench.connection.abandon(first)
    assert not bench.wire.closed
    bench.hear(OK)
    assert (await second).body == b"ok"


@virtually
async def test_an_answer_whose_caller_was_cancelled_ends_the_connection() -> None:
    bench = Bench()
    pending = bench.begin()
    pending.cancel()
    bench.hear(OK)
    assert bench.free == 0
    assert bench.wire.closed


@virtually
async def test_the_first_byte_counts_from_the_last_byte_sent() -> None:
    bench = Bench()
    body = b"x" * (4 * UPLOAD_BYTES)
    pending = bench.begin(body, first_byte_s=10)
    bench.connection.pause_writing()
    upload = asyncio.create_task(bench.connection.upload(body, pending))
    for _ in range(4):
        await asyncio.sleep(9)
        bench.connection.resume_writing()
        await asyncio.sleep(0)
        bench.connection.pause_writing()
    await upload
    assert bytes(bench.wire.written) == HEAD + body
    bench.connection.resume_writing()
    await asyncio.sleep(9)
    bench.hear(OK)
    assert (await pending).body == b"ok"
    assert bench.free == 1


@virtually
async def test_a_server_that_stops_reading_is_late_too() -> None:
    bench = Bench()
    body = b"x" * (4 * UPLOAD_BYTES)
    pending = bench.begin(body, first_byte_s=10)
    bench.connection.pause_writing()
    upload = asyncio.create_task(bench.connection.upload(body, pending))
    with pytest.raises(TransportTimeout) as caught:
        await pending
    assert caught.value.phase == "first_byte"
    await upload
    assert bench.wire.closed


@virtually
async def test_an_answer_before_the_request_was_sent_is_taken_and_ends_the_connection() -> None:
    bench = Bench()
    body = b"x" * (4 * UPLOAD_BYTES)
    pending = bench.begin(body)
    bench.connection.pause_writing()
    upload = asyncio.create_task(bench.connection.upload(body, pending))
    await asyncio.sleep(1)
    bench.hear(OK)
    assert (await pending).body == b"ok"
    await upload
    assert bench.free == 0
    assert bench.wire.closed


@virtually
async def test_what_nobody_asked_for_closes_the_connection() -> None:
    bench = Bench()
    bench.hear(OK)
    await asyncio.sleep(0)
    assert bench.wire.closed
    assert bench.lost == 1


@virtually
async def test_a_stream_holds_the_server_back_and_lets_it_go_on() -> None:
    bench, body = Bench(), StreamBody(max_bytes=10_000_000)
    size = 20 * 60_000
    pending = bench.begin(stream=body, between_chunks_s=5)
    bench.hear(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
    assert (await pending).status == 200
    heard = 0
    while bench.wire.reading:
        bench.hear(b"x" * 60_000)
        heard += 60_000
    assert heard < size
    await asyncio.sleep(100)  # the reader sleeps: no deadline of the server's
    read = 0
    while not bench.wire.reading:
        read += len(await body.next() or b"")
    assert read < heard
    while heard < size:
        bench.hear(b"x" * 60_000)
        heard += 60_000
    while piece := await body.next():
        read += len(piece)
    assert read == size
    assert bench.free == 1


@virtually
async def test_a_stream_that_breaks_off_hands_out_what_came_before_the_error() -> None:
    bench, body = Bench(), StreamBody(max_bytes=1000)
    pending = bench.begin(stream=body)
    bench.hear(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
    await pending
    bench.connection.connection_lost(ConnectionResetError("reset"))
    assert await body.next() == b"half"
    for _ in range(2):
        with pytest.raises(TransportFault) as caught:
            await body.next()
        assert caught.value.kind == "reset"


@virtually
async def test_a_waiting_reader_is_told_of_the_end() -> None:
    bench, body = Bench(), StreamBody(max_bytes=1000)
    pending = bench.begin(stream=body)
    bench.hear(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    await pending
    reader = asyncio.create_task(body.next())
    await asyncio.sleep(1)
    bench.hear(b"0\r\n\r\n")
    assert await reader is None
    assert bench.free == 1


@virtually
async def test_a_stream_abandoned_after_its_end_keeps_its_connection() -> None:
    bench, body = Bench(), StreamBody(max_bytes=1000)
    pending = bench.begin(stream=body)
    bench.hear(OK)
    await pending
    bench.connection.abandon(pending)
    assert not bench.wire.closed
    assert bench.free == 1


@virtually
async def test_a_stream_abandoned_before_its_end_closes_its_connection() -> None:
    bench, body = Bench(), StreamBody(max_bytes=1000)
    pending = bench.begin(stream=body)
    bench.hear(OK[:-1])
    await pending
    bench.connection.abandon(pending)
    assert bench.wire.closed


@virtually
async def test_a_connection_lost_while_idle_is_reported_once() -> None:
    bench = Bench()
    pending = bench.begin()
    bench.hear(OK)
    await pending
    bench.connection.connection_lost(None)
    assert bench.lost == 1
    assert not bench.connection.usable


@pytest.mark.parametrize("exchanges", [1, 2])
@pytest.mark.parametrize("heard", [b"", b"H"])
def test_only_a_kept_connection_without_a_byte_of_an_answer_is_called_stale(
    monkeypatch: pytest.MonkeyPatch, exchanges: int, heard: bytes
) -> None:
    """Whatever the kernel vouches for."""

    async def main() -> None:
        monkeypatch.setattr(
            "fanwise.models.http.fast_protocol.proves_unheard", lambda _, sent_bytes: True
        )
        bench = Bench()
        for _ in range(exchanges - 1):
            pending = bench.begin()
            bench.hear(OK)
            await pending
        pending = bench.begin()
        if heard:
            bench.hear(heard)
        bench.connection.eof_received()
        stale = exchanges == 2 and not heard
        with pytest.raises(StaleConnectionError if stale else TransportFault):
            await pending

    run_virtual(main())
