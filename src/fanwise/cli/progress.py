"""Shows a run while it goes on, on stderr, and lets results and notices pass above the panel."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fanwise.cli.display import say
from fanwise.cli.failures import printable, silence_stdout
from fanwise.clock import SystemClock
from fanwise.progress.display import Display, PanelDisplay, open_display

if TYPE_CHECKING:
    from fanwise.engine.run import Run

_PERIOD_S = 0.25


class Screen:
    """Progress on stderr, which has to make room for anything else that is written.

    Args:
        name: What stands on the panel; may be set later.
        quiet: Show no progress.
        animate: Draw a moving panel; decided by the terminal where left out.
    """

    def __init__(self, *, name: str, quiet: bool, animate: bool | None = None) -> None:
        self.name = name
        self._quiet = quiet
        self._animate = animate
        self._display: Display | None = None
        self._above: list[str] = []

    def start(self) -> None:
        """Begins to show progress."""
        self._display = open_display(
            sys.stderr,
            clock=SystemClock(),
            name=self.name,
            quiet=self._quiet,
            animate=self._animate,
        )
        self._display.__enter__()

    def stop(self) -> None:
        """Leaves the terminal as it was found."""
        self._put_above()
        display, self._display = self._display, None
        if display is not None:
            display.__exit__(None, None, None)

    def show(self, run: Run, *, last: bool = False) -> None:
        """Shows where a run stands."""
        self._put_above()
        if self._display is not None:
            self._display.show(run.snapshot(), last=last)

    def _put_above(self) -> None:
        if self._above and isinstance(self._display, PanelDisplay):
            self._display.above("".join(self._above))
            self._above.clear()

    def say(self, sentence: str) -> None:
        """A notice on stderr."""
        if isinstance(self._display, PanelDisplay):
            self._above.append(printable(sentence) + "\n")
            self._put_above()
        else:
            say(sentence)

    def write(self, lines: bytes) -> None:
        """Whole lines of data on stdout; where that is the panel's own terminal, above the panel.

        Raises:
            BrokenPipeError: Nobody reads them any more.
        """
        if isinstance(self._display, PanelDisplay) and sys.stdout.isatty():
            # Drawn with the next panel, not one by one.
            self._above.append(printable(lines.decode("utf-8", "replace")))
        else:
            sys.stdout.buffer.write(lines)
            sys.stdout.buffer.flush()


class ScreenFile(io.RawIOBase):
    """Standard output as a file of bytes, for whoever writes whole lines into one.

    Args:
        screen: Shows them.
        on_gone: Called once when nobody reads standard output any more; later lines go nowhere.
    """

    def __init__(self, screen: Screen, *, on_gone: Callable[[], None]) -> None:
        self._screen = screen
        self._on_gone = on_gone
        self._gone = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if not self._gone:
            try:
                self._screen.write(bytes(data))
            except BrokenPipeError:
                self._gone = True
                silence_stdout()
                self._on_gone()
        return len(data)


@asynccontextmanager
async def shown(run: Run, screen: Screen) -> AsyncGenerator[None]:
    """Keeps the screen up to date while the block runs."""
    screen.start()
    task = asyncio.get_running_loop().create_task(_refresh(run, screen), name="fanwise-screen")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))
        if run.snapshot().calls:
            screen.show(run, last=True)
        screen.stop()


async def _refresh(run: Run, screen: Screen) -> None:
    while True:
        screen.show(run)
        await asyncio.sleep(_PERIOD_S)
