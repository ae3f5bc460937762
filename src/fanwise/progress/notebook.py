"""A run as it goes, where a program shows it by itself: in a notebook, on a terminal, in a log."""

from __future__ import annotations

import io
import sys
from importlib import import_module
from typing import Any, Self

from fanwise.clock import Clock
from fanwise.progress.display import Display, open_display
from fanwise.progress.lines import progress_line
from fanwise.progress.live import Snapshot

_EVERY_S = 0.5
_WIDTH = 80
_FRAME = (
    '<pre style="white-space:pre;overflow-x:auto;line-height:1.2;'
    "font-family:ui-monospace,Menlo,'DejaVu Sans Mono',Consolas,monospace\">{code}</pre>"
)


class NotebookDisplay:
    """The terminal's panel as one output of a cell, drawn anew at most twice a second.

    Args:
        show: IPython's ``display``.
        clock: Source of time.
        name: What stands on the panel.
    """

    def __init__(self, show: Any, *, clock: Clock, name: str) -> None:
        self._display = show
        self._clock = clock
        self._name = name
        self._handle: Any = None
        self._next = 0.0

    def show(self, snapshot: Snapshot, *, last: bool = False) -> None:
        now = self._clock.monotonic()
        if not last and now < self._next:
            return
        self._next = now + _EVERY_S
        shown = {
            "text/plain": progress_line(snapshot),
            "text/html": panel_html(snapshot, name=self._name),
        }
        if self._handle is None:
            self._handle = self._display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def panel_html(snapshot: Snapshot, *, name: str) -> str:
    """The live panel as HTML with its styles in it; all text is escaped."""
    from rich.console import Console

    from fanwise.progress.terminal import live_panel

    console = Console(
        file=io.StringIO(),
        record=True,
        width=_WIDTH,
        force_terminal=True,
        force_jupyter=False,  # else it makes an output of its own
        color_system="truecolor",
    )
    console.print(live_panel(snapshot, name=name))
    return console.export_html(inline_styles=True, code_format=_FRAME)


def display_of_program(*, clock: Clock, name: str) -> Display:
    """The display for a program that asked for progress: a notebook's, else standard error's.

    IPython is looked for among what is loaded, and never imported where it is not.
    """
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is not None:
        show: Any = import_module("IPython.display").display
        return NotebookDisplay(show, clock=clock, name=name)
    return open_display(sys.stderr, clock=clock, name=name)
