"""What the kernel knows about a connection and asyncio does not tell."""

from __future__ import annotations

import asyncio
import select
import sys
from typing import Any

_RECEIVE_BYTES = 64 * 1024

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


def new_buffer() -> memoryview:
    """Memory to receive into."""
    return memoryview(bytearray(_RECEIVE_BYTES))


def shared_buffer() -> memoryview | None:
    """Memory to receive into for all connections; ``None`` where each needs its own.

    It can be shared where a loop fills it and tells of it in one go. Windows' proactor loop does
    not: there a read is under way while others are told of theirs.
    """
    return None if sys.platform == "win32" else new_buffer()


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
