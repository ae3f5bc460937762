"""Progress that a run shows by itself (``open_run(…, progress=True)``)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fanwise.ending import end_all

if TYPE_CHECKING:
    from fanwise.engine.run import Run
    from fanwise.progress.display import Display

_PERIOD_S = 0.25


class Showing:
    """Keeps a display up to date with a run.

    Args:
        run: What to show.
        display: Where to.
    """

    def __init__(self, run: Run, display: Display) -> None:
        self._run = run
        self._display = display
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Shows the run from now on."""
        self._display.__enter__()
        self._task = asyncio.get_running_loop().create_task(
            self._refresh(), name="fanwise-progress"
        )

    async def stop(self) -> None:
        """Shows it for the last time."""
        try:
            if self._task is not None:
                await end_all((self._task,))
        finally:
            self._display.show(self._run.snapshot(), last=True)
            self._display.__exit__(None, None, None)

    async def _refresh(self) -> None:
        while True:
            self._display.show(self._run.snapshot())
            await asyncio.sleep(_PERIOD_S)
