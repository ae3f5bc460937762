"""Notes as one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files

from fanwise.pipelines.notes.export.document import Document
from fanwise.pipelines.notes.export.markup import reader

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def html_of(documents: Sequence[Document], *, title: str) -> str:
    """Documents as one HTML page, with a table of contents where there are several."""
    style = files("fanwise.pipelines.notes.export").joinpath("notes.css").read_text("utf-8")
    several = len(documents) > 1
    contents = "".join(
        f'<li><a href="#note-{n}">{escape(document.title)}</a></li>'
        for n, document in enumerate(documents, 1)
    )
    articles = "".join(_article(document, n) for n, document in enumerate(documents, 1))
    navigation = f'<nav aria-label="Notes"><ol>{contents}</ol></nav>' if several else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>"
        f"<header><p>{escape(title)}</p></header>{navigation}<main>{articles}</main></body></html>\n"
    )


def body_of(document: Document) -> str:
    """A document's sections as HTML."""
    parts = (f"<h2>{escape(heading)}</h2>{reader().render(body)}"
             for heading, body in document.sections)  # fmt: skip
    return "".join(parts)


def _article(document: Document, number: int) -> str:
    about = "".join(f"<p>{reader().renderInline(line)}</p>" for line in document.about)
    return (
        f'<article id="note-{number}"><h1>{escape(document.title)}</h1>'
        f'<aside class="about">{about}</aside>{body_of(document)}</article>'
    )
