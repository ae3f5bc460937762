"""Shows a run as it goes: a live panel on a terminal, plain lines anywhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from fanwise.clock import Clock
from fanwise.progress.lines import progress_line
from fanwise.progress.live import Snapshot

if TYPE_CHECKING:
    from rich.live import Live

_PANEL_EVERY_S = 0.25


class Display(Protocol):
    """Shows snapshots; a context manager, so that a terminal is left as it was found."""

    def show(self, snapshot: Snapshot, *, last: bool = False) -> None:
        """Takes a snapshot; shows it if it is time to, and always if it is the ``last``."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...


class LineDisplay:
    """A line every few seconds, and one at the end.

    Args:
        stream: Where to write.
        clock: Source of time.
        every_s: Shortest time between two lines, in seconds.
    """

    def __init__(self, stream: TextIO, *, clock: Clock, every_s: float = 5.0) -> None:
        self._stream = stream
        self._clock = clock
        self._every_s = every_s
        self._next = clock.monotonic() + every_s

    def show(self, snapshot: Snapshot, *, last: bool = False) -> None:
        now = self._clock.monotonic()
        if last or now >= self._next:
            self._next = now + self._every_s
            self._stream.write(progress_line(snapshot) + "\n")
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.flush()


class PanelDisplay:
    """A panel that is drawn anew at most four times a second.

    Args:
        stream: A terminal.
        clock: Source of time.
        name: What stands on the panel.
    """

    def __init__(self, stream: TextIO, *, clock: Clock, name: str) -> None:
        # rich costs a tenth of a second to import, which a piped run need not pay.
        from rich.live import Live

        from fanwise.progress.terminal import console_for, live_panel

        self._clock = clock
        self._name = name
        self._draw = live_panel
        self._next = 0.0
        self._live: Live = Live(
            console=console_for(stream),
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )

    def show(self, snapshot: Snapshot, *, last: bool = False) -> None:
        now = self._clock.monotonic()
        if last or now >= self._next:
            self._next = now + _PANEL_EVERY_S
            self._live.update(self._draw(snapshot, name=self._name), refresh=True)

    def above(self, text: str) -> None:
        """Writes whole lines to the terminal, above the panel: results as they land, notices."""
        self._live.console.out(text, end="", highlight=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()


class NoDisplay:
    """Shows nothing (``--quiet``)."""

    def show(self, snapshot: Snapshot, *, last: bool = False) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def open_display(
    stream: TextIO,
    *,
    clock: Clock,
    name: str,
    quiet: bool = False,
    animate: bool | None = None,
    environ: Mapping[str, str] | None = None,
) -> Display:
    """The display that suits a stream, to be entered with ``with``.

    Args:
        stream: Where to show progress, usually standard error.
        clock: Source of time.
        name: What stands on the panel.
        quiet: Show nothing.
        animate: Draw a panel; decided by the stream (a terminal that is not ``dumb``) if omitted.
            Say no where results are written to the same terminal meanwhile.
        environ: The environment; the process's own if omitted.
    """
    if quiet:
        return NoDisplay()
    terms = os.environ if environ is None else environ
    if animate is None:
        animate = stream.isatty() and terms.get("TERM", "") not in {"", "dumb", "unknown"}
    if animate:
        return PanelDisplay(stream, clock=clock, name=name)
    return LineDisplay(stream, clock=clock)
