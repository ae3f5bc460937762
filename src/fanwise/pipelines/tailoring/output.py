"""A resume as Markdown, text and DOCX."""

from __future__ import annotations

import io
import re

from fanwise.pipelines.tailoring.records import Entry, Resume

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def as_markdown(resume: Resume) -> str:
    """The resume as Markdown, one heading a section and one below it an entry."""
    lines: list[str] = []
    if resume.name:
        lines += [f"# {_escaped(resume.name)}", ""]
    if resume.headline:
        lines += [f"**{_escaped(resume.headline)}**", ""]
    for contact in resume.contacts:
        lines += [_escaped(contact), ""]
    for section in resume.sections:
        lines += [f"## {_escaped(section.title)}", ""]
        for entry in section.entries:
            if entry.heading:
                lines += [f"### {_escaped(entry.heading)}", ""]
            for line in entry.lines:
                lines.append(f"- {_escaped(line)}" if entry.bulleted else _escaped(line))
                if not entry.bulleted:
                    lines.append("")
            if entry.bulleted and entry.lines:
                lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def as_text(resume: Resume) -> str:
    """The resume as plain text, in the shape that most screening software reads best."""
    lines = [one for one in (resume.name, resume.headline, *resume.contacts) if one]
    for section in resume.sections:
        lines += ["", section.title]
        for number, entry in enumerate(section.entries):
            if entry.heading:
                lines += [*([""] if number else []), entry.heading]
            lines += [f"- {line}" if entry.bulleted else line for line in entry.lines]
    return "\n".join(lines) + "\n"


def as_docx(resume: Resume) -> bytes:
    """The resume as a DOCX of plain headings and lists, without tables and text boxes: what both
    people and screening software read.
    """
    from docx import Document
    from docx.shared import Cm, Pt

    document = Document()
    for part in document.sections:
        part.left_margin = part.right_margin = Cm(2)
        part.top_margin = part.bottom_margin = Cm(1.8)
    base = document.styles["Normal"]
    base.font.name = "Calibri"  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    base.font.size = Pt(10.5)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    base.paragraph_format.space_after = Pt(2)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    if resume.name:
        document.add_heading(_clean(resume.name), level=0)
    if resume.headline:
        document.add_paragraph().add_run(_clean(resume.headline)).bold = True
    for contact in resume.contacts:
        document.add_paragraph(_clean(contact))
    for section in resume.sections:
        document.add_heading(_clean(section.title), level=1)
        for entry in section.entries:
            _add_entry(document, entry)
    document.core_properties.author = _clean(resume.name)
    document.core_properties.title = _clean(f"{resume.name} {resume.headline}".strip())
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def _add_entry(document: object, entry: Entry) -> None:
    from typing import Any, cast

    page = cast("Any", document)
    if entry.heading:
        paragraph = page.add_paragraph()
        paragraph.add_run(_clean(entry.heading)).bold = True
        paragraph.paragraph_format.keep_with_next = True
    for line in entry.lines:
        if entry.bulleted:
            page.add_paragraph(_clean(line), style="List Bullet")
        else:
            page.add_paragraph(_clean(line))


def _clean(text: str) -> str:
    return _CONTROL.sub("", text)


def _escaped(text: str) -> str:
    """A line that Markdown shows as it stands."""
    text = re.sub(r"([\\`*<>\[\]])", r"\\\1", text)
    text = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)
    return re.sub(r"^(\d+)([.)])(\s)|^([-+#])(?=\s)", _opening, text)


def _opening(match: re.Match[str]) -> str:
    return f"{match[1]}\\{match[2]}{match[3]}" if match[1] else f"\\{match[4]}"
