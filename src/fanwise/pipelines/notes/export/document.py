"""What stands in an export: one document for each depth of each note."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fanwise.pipelines.notes.catalogue import template
from fanwise.pipelines.notes.links import watch_url
from fanwise.pipelines.notes.passages import clock
from fanwise.pipelines.notes.records import DepthNote, Note, Source

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One depth of one note, as it is read.

    Args:
        title: Its heading.
        about: Lines about where it comes from, as Markdown.
        sections: Headings and bodies, as Markdown.
    """

    title: str
    about: Sequence[str]
    sections: Sequence[tuple[str, str]]


def documents_of(notes: Sequence[Note], *, source: Source) -> list[Document]:
    """The documents of some notes, in their order."""
    return [_document(note, depth, source) for note in notes for depth in note.depths]


def markdown_of(documents: Sequence[Document]) -> str:
    """Documents as Markdown, one after another."""
    parts: list[str] = []
    for document in documents:
        lines = [f"# {document.title}", "", *(f"> {line}  " for line in document.about)]
        for heading, body in document.sections:
            lines += ["", f"## {heading}", "", body]
        parts.append("\n".join(lines))
    return "\n\n---\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """A text that Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _document(note: Note, depth: DepthNote, source: Source) -> Document:
    name = template(note.template).name
    what = plain(source.title or "a recording")
    if source.video:
        what = f"[{what}]({watch_url(source.video)})"
    facts = [f"Notes of {what}"]
    if source.author:
        facts.append(f"by {plain(source.author)}")
    if source.duration_s is not None:
        facts.append(f"({clock(source.duration_s)})")
    written = f"Written by {', '.join(plain(model) for model in note.models)}."
    if note.passages:
        missing = note.uncovered.get(depth.depth, ())
        share = f"{note.passages - len(missing)} of {note.passages}"
        written += f" Its sections cite {share} passages of the recording."
    return Document(
        title=f"{name} ({depth.depth})",
        about=[" ".join(facts) + ".", written, *(plain(text) for text in note.warnings)],
        sections=[(section.title, section.markdown) for section in depth.sections],
    )
