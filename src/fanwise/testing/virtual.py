"""An event loop whose time jumps: hours of waits pass in milliseconds, and always the same way."""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_FINE_UNTIL_S = 1e6  # nanoseconds can be told apart before


def _ignore(_: float) -> None:
    """No loop yet."""


class _JumpingSelector(selectors.BaseSelector):
    """Polls real descriptors without waiting; a wait moves the clock instead."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.now_s = 0.0
        self.coarser: Callable[[float], None] = _ignore

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError(
                "virtual time stands still: every task waits and nothing is scheduled. "
                "A thread, a socket or a future that nobody resolves is being awaited."
            )
        self.now_s += max(0.0, timeout)
        if self.now_s > _FINE_UNTIL_S:
            self.coarser(2.0 * math.ulp(self.now_s))
        return []

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Any:
        return self._real.get_map()


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop on virtual time, starting at 0 s.

    Timers fire in the order of their deadlines without any real waiting. Threads are refused, since
    the clock could not wait for them. Raises RuntimeError where every task waits for something that
    virtual time cannot bring. After trio's autojumping ``MockClock``.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._jumping.coarser = self._set_resolution

    def _set_resolution(self, seconds: float) -> None:
        """What two instants must differ by: late in time, floats are no longer nanoseconds apart.

        asyncio takes a timer for due within its clock's resolution. One that is lost in rounding
        would never be due, and the loop would turn for ever.
        """
        self._clock_resolution = seconds

    def time(self) -> float:
        return self._jumping.now_s

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        raise RuntimeError("threads have no place in virtual time: inject what runs in them")


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end on a fresh :class:`VirtualTimeLoop` and returns its result.

    Raises whatever ``main`` raises. Tasks left over are cancelled, as :func:`asyncio.run` does.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
