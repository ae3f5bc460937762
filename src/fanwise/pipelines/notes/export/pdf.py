"""Notes as a PDF file."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fanwise.pipelines.notes.export.document import Document
from fanwise.pipelines.notes.export.html import body_of
from fanwise.pipelines.notes.export.markup import reader

_PLACES = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("/Library/Fonts"),
    Path("/System/Library/Fonts/Supplemental"),
    Path("C:/Windows/Fonts"),
)
_FAMILIES = (
    ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf",
     "DejaVuSans-BoldOblique.ttf"),
    ("NotoSans-Regular.ttf", "NotoSans-Bold.ttf", "NotoSans-Italic.ttf", "NotoSans-BoldItalic.ttf"),
    ("LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf", "LiberationSans-Italic.ttf",
     "LiberationSans-BoldItalic.ttf"),
    ("Arial.ttf", "Arial Bold.ttf", "Arial Italic.ttf", "Arial Bold Italic.ttf"),
    ("arial.ttf", "arialbd.ttf", "ariali.ttf", "arialbi.ttf"),
)  # fmt: skip
_LACKING = (
    "The font of this file lacks some letters, which stand here as question marks; "
    "as HTML, DOCX or Markdown the notes have all of them."
)
_STYLES = ("", "B", "I", "BI")
_LATIN: Mapping[str, str] = MappingProxyType(
    {"–": "-", "—": "-", "…": "...", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "•": "-",
     "→": "->", "×": "x", "≥": ">=", "≤": "<=", "€": "EUR", "\u202f": " "}
)  # fmt: skip


def pdf_of(documents: Sequence[Document], *, title: str, places: Sequence[Path] = _PLACES) -> bytes:
    """Documents as one PDF file, each beginning on a page of its own.

    Letters are those of a font of this machine (DejaVu, Noto, Liberation, Arial); without one, only
    those of Western European languages. Others become a question mark, and the document says so.

    Args:
        documents: What stands in it.
        title: Its title.
        places: Where fonts are looked for.
    """
    from fpdf import FPDF

    file: Any = FPDF(format="A4")
    file.set_title(title)
    file.set_creator("fanwise")
    file.set_auto_page_break(auto=True, margin=18)
    file.set_margins(20, 18, 20)
    family, shown = _font(file, places)
    for document in documents:
        file.add_page()
        about = "".join(f"<p>{reader().renderInline(line)}</p>" for line in document.about)
        body = body_of(document).replace("<p>", '<p line-height="1.25">')
        if shown(body).count("?") > body.count("?"):
            about += f"<p>{_LACKING}</p>"
        page = f"<h1>{_text(document.title)}</h1>{about}{body}"
        file.set_font(family, size=10.5)
        file.write_html(
            shown(page),
            font_family=family,
            tag_styles=_styles(family),
            ul_bullet_char="-",
            li_prefix_color="#1c1b1a",
        )
    return bytes(file.output())


def _font(file: Any, places: Sequence[Path]) -> tuple[str, Any]:
    """The font's name, and what makes texts of letters that it has."""
    for family in _FAMILIES:
        found = [_find(name, places) for name in family]
        if all(found):
            for style, path in zip(_STYLES, found, strict=True):
                file.add_font("notes", style=style, fname=str(path))
            drawn = [frozenset(file.fonts[f"notes{style}"].cmap) for style in _STYLES]
            return "notes", partial(_in_font, letters=_in_all(drawn))
    return "helvetica", _in_latin


def _in_all(drawn: Sequence[frozenset[int]]) -> frozenset[int]:
    first, *others = drawn
    return first.intersection(*others)


def _find(name: str, places: Sequence[Path]) -> Path | None:
    for place in places:
        if place.is_dir():
            found = next(place.rglob(name), None)
            if found is not None:
                return found
    return None


def _in_font(text: str, *, letters: frozenset[int]) -> str:
    found: list[str] = []
    for letter in text:
        if ord(letter) in letters or letter.isspace():
            found.append(letter)
        elif unicodedata.category(letter) not in {"Cf", "Cc", "Mn"}:  # those show nothing alone
            found.append("?")
    return "".join(found)


def _in_latin(text: str) -> str:
    plain = "".join(_LATIN.get(letter, letter) for letter in text)
    found: list[str] = []
    for letter in plain:
        if letter > "\xff":
            base = unicodedata.normalize("NFKD", letter)[0]
            found.append(base if base <= "\xff" else "?")
        else:
            found.append(letter)
    return "".join(found)


def _text(text: str) -> str:
    from html import escape

    return escape(text)


def _styles(family: str) -> dict[str, Any]:
    from fpdf import FontFace, TextStyle

    def heading(size: float, above: float) -> Any:
        return TextStyle(
            font_family=family,
            font_style="B",
            font_size_pt=size,
            color="#1c1b1a",
            t_margin=above,
            b_margin=0.5,
        )

    return {
        "h1": heading(19, 2),
        "h2": heading(14, 6),
        "h3": heading(11.5, 4),
        "h4": heading(10.5, 3),
        "a": FontFace(color="#14539a", emphasis="UNDERLINE"),
        "code": FontFace(family="courier" if family == "helvetica" else family),
        "pre": TextStyle(font_family="courier" if family == "helvetica" else family),
    }
