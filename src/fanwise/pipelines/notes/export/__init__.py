"""Notes as files for people: Markdown, HTML, DOCX and PDF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import fanwise as fw
from fanwise.pipelines.notes.export.document import documents_of, markdown_of
from fanwise.pipelines.notes.records import Note, Source

FORMATS = ("md", "html", "docx", "pdf")


def export(notes: Sequence[Note], *, source: Source, kind: str) -> bytes:
    """Notes as one file.

    What a model wrote is Markdown without HTML: tags in it are shown as text, links lead nowhere
    but to ``http`` and ``https``, and pictures are not loaded.

    Args:
        notes: One part for each depth of each of them, in this order.
        source: The recording.
        kind: ``md``, ``html``, ``docx`` or ``pdf``.

    Raises:
        ConfigError: There is no such kind.
    """
    found = documents_of(notes, source=source)
    if kind == "md":
        return markdown_of(found).encode()
    if kind == "html":
        from fanwise.pipelines.notes.export.html import html_of

        return html_of(found, title=source.title or "Notes").encode()
    if kind == "docx":
        from fanwise.pipelines.notes.export.docx import docx_of

        return docx_of(found, title=source.title or "Notes")
    if kind == "pdf":
        from fanwise.pipelines.notes.export.pdf import pdf_of

        return pdf_of(found, title=source.title or "Notes")
    raise fw.errors.ConfigError(
        f"notes cannot be written as {kind!r}", hint=f"one of {', '.join(FORMATS)}"
    )


def kind_of(path: str | Path) -> str:
    """The kind of file that a name asks for.

    Raises:
        ConfigError: It is none of them.
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise fw.errors.ConfigError(
            f"{Path(path).name!r} says no kind of file",
            hint=f"end it in one of .{', .'.join(FORMATS)}",
        )
    return kind


__all__ = ["FORMATS", "export", "kind_of"]
