"""Shows a run while it goes on, on stderr, and lets results and notices pass above the panel."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fanwise.cli.display import say
from fanwise.clock import SystemClock
from fanwise.progress.display import Display, open_display

if TYPE_CHECKING:
    from fanwise.engine.run import Run

_PERIOD_S = 0.25


class Screen:
    """Progress on stderr, which has to make room for anything else that is written.

    Args:
        name: What stands on the panel.
        quiet: Show no progress.
        animate: Draw a moving panel; decided by the terminal where left out.
    """

    def __init__(self, *, name: str, quiet: bool, animate: bool | None = None) -> None:
        self._name = name
        self._quiet = quiet
        self._animate = animate
        self._display: Display | None = None

    def start(self) -> None:
        """Begins to show progress."""
        self._display = open_display(
            sys.stderr,
            clock=SystemClock(),
            name=self._name,
            quiet=self._quiet,
            animate=self._animate,
        )
        self._display.__enter__()

    def stop(self) -> None:
        """Leaves the terminal as it was found."""
        display, self._display = self._display, None
        if display is not None:
            display.__exit__(None, None, None)

    def show(self, run: Run, *, last: bool = False) -> None:
        """Shows where a run stands."""
        if self._display is not None:
            self._display.show(run.snapshot(), last=last)

    def say(self, sentence: str) -> None:
        """A notice on stderr, below what the panel showed last."""
        showing = self._display is not None
        self.stop()
        say(sentence)
        if showing:
            self.start()


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
        screen.show(run, last=True)
        screen.stop()


async def _refresh(run: Run, screen: Screen) -> None:
    while True:
        screen.show(run)
        await asyncio.sleep(_PERIOD_S)
