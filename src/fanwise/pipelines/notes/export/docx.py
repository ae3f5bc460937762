"""Notes as a DOCX file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

from fanwise.pipelines.notes.export.document import Document
from fanwise.pipelines.notes.export.markup import tokens_of

if TYPE_CHECKING:
    from markdown_it.token import Token

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_LINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink"
_DEEPEST = 3


def docx_of(documents: Sequence[Document], *, title: str) -> bytes:
    """Documents as one DOCX file, each on a page of its own."""
    import docx

    file: Any = docx.Document()
    file.core_properties.title = clean(title)[:200]
    file.core_properties.author = ""
    for number, document in enumerate(documents):
        if number:
            file.add_page_break()
        file.add_heading(clean(document.title), level=1)
        for line in document.about:
            _Writer(file).write(tokens_of(line))
        for heading, body in document.sections:
            file.add_heading(clean(heading), level=2)
            _Writer(file).write(tokens_of(body))
    held = BytesIO()
    file.save(held)
    return held.getvalue()


def clean(text: str) -> str:
    """A text without characters that XML cannot hold."""
    return _CONTROL.sub("", text)


class _Writer:
    """Writes blocks of Markdown into a file."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._lists: list[tuple[str, int]] = []
        self._fresh = False  # whether the next paragraph begins a list's entry
        self._quoted = 0

    def write(self, tokens: Sequence[Token]) -> None:
        level = 0
        place = 0
        while place < len(tokens):
            token = tokens[place]
            kind = token.type
            if kind == "heading_open":
                level = min(9, max(3, int(token.tag[1:])))
            elif kind == "heading_close":
                level = 0
            elif kind in {"bullet_list_open", "ordered_list_open"}:
                self._lists.append((kind, int(token.attrs.get("start", 1) or 1) - 1))
            elif kind in {"bullet_list_close", "ordered_list_close"}:
                self._lists.pop()
            elif kind == "list_item_open":
                self._enter_item()
            elif kind in {"blockquote_open", "blockquote_close"}:
                self._quoted += 1 if token.nesting > 0 else -1
            elif kind == "table_open":
                place = self._table(tokens, place)
            elif kind in {"fence", "code_block"}:
                self._paragraph().add_run(clean(token.content)).font.name = "DejaVu Sans Mono"
            elif kind == "inline":
                into = self._file.add_heading("", level=level) if level else self._paragraph()
                _inline(into, token.children or ())
            place += 1

    def _enter_item(self) -> None:
        kind, number = self._lists[-1]
        self._lists[-1] = (kind, number + 1)
        self._fresh = True

    def _paragraph(self) -> Any:
        if not self._lists:
            return self._file.add_paragraph(style="Quote" if self._quoted else None)
        depth = min(len(self._lists), _DEEPEST)
        kind, number = self._lists[-1]
        ending = "" if depth == 1 else f" {depth}"
        if not self._fresh:
            return self._file.add_paragraph(style=f"List Continue{ending}")
        self._fresh = False
        if kind == "bullet_list_open":
            return self._file.add_paragraph(style=f"List Bullet{ending}")
        # Numbers are written out: the numbering of a style goes on from one list to the next.
        made = self._file.add_paragraph(style=f"List Continue{ending}")
        made.add_run(f"{number}. ")
        return made

    def _table(self, tokens: Sequence[Token], place: int) -> int:
        rows: list[list[Token]] = []
        while tokens[place].type != "table_close":
            if tokens[place].type == "tr_open":
                rows.append([])
            elif tokens[place].type == "inline":
                rows[-1].append(tokens[place])
            place += 1
        table = self._file.add_table(len(rows), max(map(len, rows)), style="Light Grid Accent 1")
        for row, cells in zip(table.rows, rows, strict=True):
            for cell, token in zip(row.cells, cells, strict=False):
                _inline(cell.paragraphs[0], token.children or ())
        return place


def _inline(paragraph: Any, tokens: Sequence[Token]) -> None:
    bold = italic = 0
    into: Any = paragraph
    for token in tokens:
        kind = token.type
        if kind in {"strong_open", "strong_close"}:
            bold += token.nesting
        elif kind in {"em_open", "em_close"}:
            italic += token.nesting
        elif kind == "link_open":
            into = _link(paragraph, str(token.attrs.get("href", "")))
        elif kind == "link_close":
            into = paragraph
        elif kind in {"softbreak", "hardbreak", "text", "code_inline"}:
            text = " " if kind == "softbreak" else "\n" if kind == "hardbreak" else token.content
            run = _run(paragraph, into, clean(text))
            run.bold, run.italic = bold > 0 or None, italic > 0 or None
            if kind == "code_inline":
                run.font.name = "DejaVu Sans Mono"


def _run(paragraph: Any, into: Any, text: str) -> Any:
    run = paragraph.add_run(text)
    if into is not paragraph:
        from docx.shared import RGBColor

        into.append(run._r)  # noqa: SLF001 - python-docx knows no links of its own
        run.font.underline = True
        run.font.color.rgb = RGBColor(0x14, 0x53, 0x9A)
    return run


def _link(paragraph: Any, url: str) -> Any:
    name = paragraph.part.relate_to(url, _LINK, is_external=True)
    elements: Any = import_module("docx.oxml")
    names: Any = import_module("docx.oxml.ns")
    made = elements.OxmlElement("w:hyperlink")
    made.set(names.qn("r:id"), name)
    paragraph._p.append(made)  # noqa: SLF001 - likewise
    return made
