"""What the kernel knows about a connection and asyncio does not tell."""

from __future__ import annotations

import asyncio
import select
import ssl
import sys
from typing import Any

if sys.platform == "linux":
    import fcntl
    import termios

    def _unacknowledged_bytes(descriptor: int, /) -> int:
        """Bytes written to a TCP socket that the peer's kernel has not acknowledged."""
        answer = fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0\0\0\0")
        return int.from_bytes(answer, sys.byteorder)

else:

    def _unacknowledged_bytes(_: int, /) -> int:
        return 0


def proves_unheard(transport: asyncio.WriteTransport, *, sent_bytes: int) -> bool:
    """Whether the kernel vouches that the peer closed before ``sent_bytes`` could reach it.

    Ask when the peer's orderly end (FIN) has come. That segment acknowledges everything which the
    peer's kernel had received when its program closed; if all of the last ``sent_bytes`` are
    unacknowledged even so, no program can have read one of them. Not to be asked after a reset: a
    reset's acknowledgement is not evaluated. ``False`` where the system cannot say (not Linux).
    """
    sock: Any = transport.get_extra_info("socket")
    try:
        unacknowledged = _unacknowledged_bytes(sock.fileno())
    except (OSError, AttributeError, ValueError):
        return False  # closed already
    return unacknowledged + transport.get_write_buffer_size() >= sent_bytes


def said_farewell(transport: asyncio.BaseTransport) -> bool:
    """Whether an end of the peer's bytes was meant: over TLS, whether it sent its closure alert.

    Ask when the end has come. asyncio reports a connection that was merely cut as an end, too.
    """
    session: Any = transport.get_extra_info("ssl_object")
    if session is None:
        return True
    try:
        return session.read(1) == b""
    except ssl.SSLError:
        return False


class HangUpCheck:
    """Finds out whether the peer has hung up on a connection, before the event loop hears of it.

    One system call that does not wait. Elsewhere than on Linux it finds nothing.
    """

    __slots__ = ("_descriptor", "_poll")

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._poll: select.poll | None = None
        sock: Any = transport.get_extra_info("socket")
        if sys.platform == "linux" and sock is not None:
            self._poll = select.poll()
            self._poll.register(sock.fileno(), select.POLLRDHUP)

    def __call__(self) -> bool:
        return self._poll is not None and bool(self._poll.poll(0))
