"""Server-sent events out of bytes that arrive in pieces.

After the event stream format of the WHATWG HTML standard, section 9.2.6
(https://html.spec.whatwg.org/multipage/server-sent-events.html).
"""

from __future__ import annotations

from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"
MAX_EVENT_BYTES = 16 * 1024 * 1024


class EventTooLarge(ValueError):
    """One event is larger than any answer can be: the stream is not what it should be."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its ``data`` lines joined by line feeds, still encoded, and its name if any."""

    data: bytes
    name: str = ""


class SseParser:
    """Turns chunks, split anywhere, into events; the work is linear in the bytes.

    Lines may end in LF, CRLF or CR, a byte order mark at the start is skipped, comments and unknown
    fields are ignored. Where the standard drops an event whose closing empty line never came,
    :meth:`finish` gives it out: servers are known to leave that line away after their last event,
    and half an event is found out by its reader.

    Args:
        max_event_bytes: Refuse an event above this size.
    """

    __slots__ = (
        "_after_cr",
        "_data",
        "_data_bytes",
        "_max_bytes",
        "_name",
        "_start",
        "_tail",
        "_tail_bytes",
    )

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_bytes = max_event_bytes
        self._tail: list[bytes] = []
        self._data: list[bytes] = []
        self._name = ""
        self._tail_bytes = 0
        self._data_bytes = 0
        self._after_cr = False
        self._start = True

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events that this chunk completes.

        Raises:
            EventTooLarge: An event grew above the limit.
        """
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk.startswith(b"\n"):
                chunk = chunk[1:]
        if b"\n" not in chunk and b"\r" not in chunk:
            self._keep(chunk)
            return []
        if self._tail:
            self._tail.append(chunk)
            chunk = b"".join(self._tail)
            self._tail.clear()
            self._tail_bytes = 0
        self._after_cr = chunk.endswith(b"\r")
        lines = chunk.splitlines()
        rest = b"" if chunk.endswith((b"\n", b"\r")) else lines.pop()
        events: list[ServerEvent] = []
        for line in lines:
            if line:
                self._take(line)
            elif self._data:
                events.append(self._event())
            else:
                self._name = ""
        self._keep(rest)
        return events

    def finish(self) -> list[ServerEvent]:
        """What was left when the stream ended: at most one event."""
        line = b"".join(self._tail)
        self._tail.clear()
        if line:
            self._take(line)
        return [self._event()] if self._data else []

    def _keep(self, rest: bytes) -> None:
        """Keeps the begun line for the next chunk."""
        if rest:
            self._tail.append(rest)
            self._tail_bytes += len(rest)
        if self._tail_bytes + self._data_bytes > self._max_bytes:
            raise EventTooLarge(f"a stream event grew above {self._max_bytes} bytes")

    def _take(self, line: bytes) -> None:
        if self._start:
            self._start = False
            line = line.removeprefix(_BOM)
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._data_bytes += len(value) + 1
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")

    def _event(self) -> ServerEvent:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        event = ServerEvent(data, self._name)
        self._data.clear()
        self._data_bytes = 0
        self._name = ""
        return event
