"""A terminal's view of a run as an SVG picture, for a README."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from fanwise.progress.live import Snapshot
from fanwise.progress.report import Report
from fanwise.progress.terminal import live_panel, report_view
from fanwise.progress.words import plain

_THEME = TerminalTheme(
    (24, 27, 31),
    (214, 219, 226),
    [
        (58, 64, 73),
        (227, 99, 99),
        (52, 171, 155),
        (227, 154, 59),
        (92, 148, 232),
        (169, 131, 224),
        (67, 184, 205),
        (214, 219, 226),
    ],
    [
        (98, 105, 115),
        (240, 120, 120),
        (67, 205, 185),
        (240, 176, 88),
        (122, 170, 245),
        (190, 156, 240),
        (98, 208, 228),
        (240, 242, 245),
    ],
)
# rich's own frame loads a font from the net; this one asks for nothing.
_FRAME = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, "Cascadia Mono", Menlo, \
"DejaVu Sans Mono", monospace; white-space: pre; }}
.{unique_id}-title {{ font: 600 16px system-ui, "DejaVu Sans", sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">\
<rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def report_picture(
    report: Report,
    *,
    command: str = "",
    said: Sequence[str] = (),
    snapshot: Snapshot | None = None,
    title: str = "fanwise",
    width: int = 92,
) -> str:
    """An SVG of what a terminal shows at the end of a run. Asks nothing of any server.

    Args:
        report: The report.
        command: The command line to show above it.
        said: What the command said before its report, line by line.
        snapshot: A live panel to show between the two.
        title: Title of the window.
        width: Columns.
    """
    console = Console(
        file=io.StringIO(),
        record=True,
        width=width,
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
        markup=False,
        emoji=False,
    )
    if command:
        console.print(Text.assemble(("$ ", "green"), plain(command)))
    if snapshot is not None:
        console.print(live_panel(snapshot, name=report.run.spec.name))
    for line in said:
        console.print(Text(plain(line)))
    if said:
        console.print()
    console.print(report_view(report, width=width))
    return console.export_svg(title=title, theme=_THEME, code_format=_FRAME, unique_id="fanwise")
