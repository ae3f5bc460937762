"""Event loops, and a way into them from code that is not asynchronous."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from types import CoroutineType
from typing import Any, TypeVar, cast

from fanwise.errors import UsageError

T = TypeVar("T")
_LOOK_S = 0.1
_STOPPED = (asyncio.CancelledError, RuntimeError)  # a loop that is stopped raises the latter


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Makes uvloop's loop where it is installed; ``None`` for asyncio's own."""
    if find_spec("uvloop") is None:
        return None
    import uvloop

    return uvloop.new_event_loop


def run_sync(main: Callable[..., Awaitable[T]] | Coroutine[Any, Any, T], *args: Any) -> T:
    """Runs an asynchronous function to its end from code that is not asynchronous.

        outcomes = fw.run_sync(main, "resumes.csv")

    In a script it runs on a loop of its own in the present thread: uvloop's where that is
    installed. In a notebook, where a loop runs already, it runs on a loop of its own in a thread of
    its own, and this call waits for it. Context variables are those of the caller, copied.

    Args:
        main: ``async (*args) -> value``, or a coroutine, which then takes no ``args``.
        args: Its arguments.

    Returns:
        What ``main`` returns.

    Raises:
        Exception: What ``main`` raises, as it stands.
        KeyboardInterrupt: Ctrl-C. The first one cancels ``main`` and waits for its end, so that
            blocks are left in order and runs are closed; a second one cancels whatever else runs
            and waits for that only.
        UsageError: ``main`` is not asynchronous, or a coroutine that was given arguments too.

    No task outlives it: what ``main`` left running is cancelled and awaited. Signals are looked at
    in the main thread only, and left as they were found.
    """
    work = _coroutine(main, args)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(work)
    return _Aside(work).run()


class _Aside:
    """Runs a coroutine on a loop in a thread of its own, and waits for it."""

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work
        self._began = threading.Event()
        self._ended = threading.Event()
        self._presses = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._value: Any = None
        self._error: BaseException | None = None

    def run(self) -> Any:
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run, args=(self._carry_out,), name="fanwise-run-sync", daemon=True
        )
        with self._obeying():
            thread.start()
            try:
                self._wait()
            except BaseException:
                self._ask(stop=False)
                self._wait()
                raise
            thread.join()
        stopped = asyncio.CancelledError if self._presses == 1 else _STOPPED
        if self._presses and isinstance(self._error, stopped):
            raise KeyboardInterrupt from self._error
        if self._error is not None:
            raise self._error
        return self._value

    def _wait(self) -> None:
        # A signal that comes in the instant before a wait begins does not break it off.
        while not self._ended.wait(_LOOK_S):
            pass

    @contextmanager
    def _obeying(self) -> Generator[None]:
        """Ctrl-C comes to us while the block runs, where it would raise KeyboardInterrupt."""
        ours = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if ours:
            signal.signal(signal.SIGINT, self._pressed)
        try:
            yield
        finally:
            if ours:
                signal.signal(signal.SIGINT, signal.default_int_handler)

    def _pressed(self, *_: object) -> None:
        self._presses += 1
        if self._presses > 2:
            raise KeyboardInterrupt
        self._ask(stop=self._presses == 2)

    def _carry_out(self) -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                self._loop = runner.get_loop()
                self._value = runner.run(self._main())
        except BaseException as error:  # noqa: BLE001 - it is raised where the caller waits
            self._error = error
        finally:
            self._began.set()
            self._ended.set()

    async def _main(self) -> Any:
        self._task = asyncio.current_task()
        self._began.set()
        return await self._work

    def _ask(self, *, stop: bool) -> None:
        self._began.wait()
        loop, task = self._loop, self._task
        if loop is None or task is None or loop.is_closed():
            return
        try:
            loop.call_soon_threadsafe(loop.stop if stop else task.cancel)
        except RuntimeError:
            return  # it has just ended


def _coroutine(main: object, args: tuple[Any, ...]) -> Coroutine[Any, Any, Any]:
    if isinstance(main, CoroutineType):
        work = cast("CoroutineType[Any, Any, Any]", main)
        if args:
            work.close()
            raise UsageError(
                "main is a coroutine, and arguments were given too",
                hint="give the function itself: run_sync(main, 7) instead of run_sync(main(), 7)",
            )
        return work
    if not callable(main):
        raise UsageError(
            f"main is a {type(main).__name__}", hint="give an asynchronous function: run_sync(main)"
        )
    return _awaited(main, args)


async def _awaited(main: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    from fanwise.engine.together.operations import invoke

    return await invoke(main, *args)
