"""Cancels a piece of work before each callback that its event loop runs, one run for each.

Whatever is between two callbacks cannot be interrupted, so these are all the moments at which a
cancellation can arrive.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fanwise.testing.virtual import VirtualTimeLoop

PATIENCE_S = 1000.0  # more than any leaf takes to end, several times over

MANNERS = ("obeys", "holds on", "returns", "fails", "goes on")


class SteppedLoop(VirtualTimeLoop):
    """Counts the callbacks that it runs; ``before`` holds what is to happen before one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self.before: dict[int, Callable[[], object]] = {}

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_soon(self._counted, callback, args, context=context)

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return super().call_at(when, self._counted, callback, args, context=context)

    def _counted(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.steps += 1
        happening = self.before.pop(self.steps, None)
        if happening is not None:
            happening()
        callback(*args)


class Part:
    """Functions and sources of a piece of work; knows which of them have not ended.

    Args:
        manner: How its functions take a cancellation: they end at once, take five seconds to end,
            return as if nothing had been, fail, or go on for five seconds and return then.
    """

    def __init__(self, manner: str) -> None:
        self.manner = manner
        self.open = 0
        self.kept: Any = None  # what the work leaves for whoever looks at it afterwards

    def leaf(self, seconds: float, *, error: type[Exception] | None = None) -> Callable[..., Any]:
        """A function that takes so long and then returns its first argument, or fails."""

        async def leaf(*args: Any, **_: Any) -> Any:
            self.open += 1
            try:
                try:
                    await asyncio.sleep(seconds)
                except asyncio.CancelledError:
                    await self._cancelled()
                if error is not None:
                    raise error
                return args[0] if args else seconds
            finally:
                self.open -= 1

        return leaf

    async def _cancelled(self) -> None:
        if self.manner in {"holds on", "goes on"}:
            await asyncio.sleep(5)
        if self.manner in {"obeys", "holds on"}:
            raise asyncio.CancelledError
        if self.manner == "fails":
            raise LookupError("cancelled")

    async def source(self, count: int, *, every_s: float = 0.5) -> AsyncIterator[int]:
        """So many items, one after another."""
        self.open += 1
        try:
            for item in range(count):
                await asyncio.sleep(every_s)
                yield item
        finally:
            try:
                await asyncio.sleep(0.25)
            finally:
                self.open -= 1


Work = Callable[[Part], Awaitable[None]]


class Explorer:
    """Plays one piece of work over and over.

    Args:
        work: The work.
        manner: How its functions take a cancellation.
        again: Callbacks from the first cancellation to a second one; ``None`` for only one.
        inline: Functions of the work run in the cancelled task itself, so that a cancellation which
            they keep to themselves is lost by rights.
        after: Looks at what has become of it, once it has ended.
    """

    def __init__(
        self,
        work: Work,
        *,
        manner: str,
        again: int | None = None,
        inline: bool = False,
        after: Work | None = None,
    ) -> None:
        self._work = work
        self._after = after
        self._manner = manner
        self._again = again
        self._heard = not inline or manner in {"obeys", "holds on"}
        self.checks: list[Callable[[], None]] = []

    def explore(self, *, every: int = 1, first: int = 1) -> int:
        """Cancels before each callback, or every so manyth; how many there are.

        Raises:
            AssertionError: Something was left, or a cancellation did not get through; says where.
        """
        count = self.play(None)
        for step in range(first, count + 1, every):
            try:
                self.play(step)
            except Exception as error:
                error.add_note(f"cancelled before callback {step} of {count}")
                raise
        return count

    def play(self, step: int | None) -> int:
        """Plays the work once, cancelled before a callback or not; how many it ran."""
        with asyncio.Runner(loop_factory=SteppedLoop) as runner:
            return runner.run(self._play(step))

    async def _play(self, step: int | None) -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteppedLoop)
        complaints: list[object] = []
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        part = Part(self._manner)
        ended_at = 0

        async def driven() -> None:
            nonlocal ended_at
            try:
                await self._work(part)
            finally:
                ended_at = loop.steps

        task = asyncio.create_task(driven())
        asked: list[bool] = []
        begin = loop.steps
        if step is not None:
            loop.before[begin + step] = lambda: asked.append(task.cancel())
            if self._again is not None:
                loop.before[begin + step + self._again] = task.cancel
        await asyncio.wait([task], timeout=PATIENCE_S)
        assert task.done(), f"it does not end: {asyncio.all_tasks()}"
        loop.before.clear()
        if not any(asked):
            task.result()
        elif self._heard:
            assert task.cancelled(), f"the cancellation was lost: {task}"
        elif not task.cancelled():
            task.exception()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others, f"tasks are left: {others}"
        assert not part.open, f"{part.open} functions or sources are left"
        for check in self.checks:
            check()
        if self._after is not None:
            await self._after(part)
        assert not complaints, complaints
        return ended_at - begin
