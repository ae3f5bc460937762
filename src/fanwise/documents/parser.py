"""The program that reads one PDF or DOCX: run by file in a process of its own, never imported.

Bytes come in on standard input, one JSON object goes out: ``{"text", "pages"}``, or ``{"problem",
"hint"}``. It imports nothing of this package, so that it begins fast and with few things in reach.
What a hostile file can make it do is bounded by the limits that it sets itself before it looks.

    python parser.py pdf|docx MEMORY_BYTES CPU_SECONDS
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Iterator
from typing import Any

MOST_CHARS = 400_000
MOST_PAGES = 100
MOST_UNPACKED_BYTES = 60_000_000
MOST_ENTRIES = 2_000
MOST_RATIO = 200  # of unpacked to packed bytes, in an entry above 1 MB


class Unreadable(Exception):
    """Why a file cannot be read, and what to do about it."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


def limit_self(memory_bytes: int, cpu_s: int) -> None:
    """Bounds memory and processor time, and takes away the right to write or start anything."""
    try:
        import resource
    except ImportError:  # no such thing on this system: the caller's deadline remains
        return
    bounds = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, bound in bounds.items():
        _, hard = resource.getrlimit(kind)
        top = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(kind, (top, top))


def read_pdf(data: bytes) -> tuple[str, int]:
    """The text of a PDF and its number of pages."""
    import logging

    from pypdf import PdfReader

    logging.disable(logging.CRITICAL)
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise Unreadable(
            "the PDF is protected by a password", "save a copy without the password, and give that"
        )
    pages = len(reader.pages)
    if pages > MOST_PAGES:
        raise Unreadable(f"the PDF has {pages} pages", f"give one of at most {MOST_PAGES} pages")
    texts: list[str] = []
    chars = 0
    for page in reader.pages:
        text = page.extract_text()
        texts.append(text)
        chars += len(text)
        if chars > MOST_CHARS:
            raise Unreadable(
                f"the PDF holds more than {MOST_CHARS:,} characters", "give a shorter document"
            )
    whole = "\n".join(texts)
    if sum(character.isalnum() for character in whole) < 20:
        raise Unreadable(
            "the PDF holds pictures and no text: it was probably scanned",
            "save it from the program it was written in, or run text recognition (OCR) on it",
        )
    return whole, pages


def read_docx(data: bytes) -> tuple[str, int]:
    """The text of a DOCX; list items begin with ``- `` and cells are parted by ``|``."""
    check_zip(data)
    from docx import Document

    document = Document(io.BytesIO(data))
    lines: list[str] = []
    chars = 0
    for line in _docx_lines(document):
        lines.append(line)
        chars += len(line) + 1
        if chars > MOST_CHARS:
            raise Unreadable(
                f"the DOCX holds more than {MOST_CHARS:,} characters", "give a shorter document"
            )
    whole = "\n".join(lines)
    if sum(character.isalnum() for character in whole) < 20:
        raise Unreadable(
            "the DOCX holds no text", "text in pictures and drawings is not read: type it as text"
        )
    return whole, 0


def _docx_lines(document: Any) -> Iterator[str]:
    from docx.table import Table

    header = document.sections[0].header if len(document.sections) else None
    if header is not None and not header.is_linked_to_previous:
        for paragraph in header.paragraphs:  # names and addresses often stand there
            if paragraph.text.strip():
                yield paragraph.text
    for block in document.iter_inner_content():
        if not isinstance(block, Table):
            yield _paragraph(block)
            continue
        for row in block.rows:
            cells: list[str] = []
            whole: list[str] = []
            for cell in row.cells:
                text = cell.text.strip()
                if text and text not in cells:  # a merged cell is named once for each place
                    cells.append(text)
                    whole += [_paragraph(one) for one in cell.paragraphs]
            if any("\n" in cell for cell in cells):  # a table used for its columns
                yield from whole
            else:
                yield " | ".join(cells)


def _paragraph(paragraph: Any) -> str:
    text: str = paragraph.text
    style = (paragraph.style.name or "") if paragraph.style is not None else ""
    properties = paragraph._p.pPr  # noqa: SLF001 -- the library has no other way to numbering
    numbered = properties is not None and properties.numPr is not None
    if text.strip() and (style.startswith("List") or numbered):
        return f"- {text.strip()}"
    if text.strip() and style.startswith("Heading"):
        return f"\n{text.strip()}"
    return text


def check_zip(data: bytes) -> None:
    """Refuses an archive that would fill the memory, before anything of it is unpacked."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        total = sum(entry.file_size for entry in entries)
        worst = max(
            (
                entry.file_size / max(1, entry.compress_size)
                for entry in entries
                if entry.file_size > 1_000_000
            ),
            default=0.0,
        )
        if len(entries) > MOST_ENTRIES or total > MOST_UNPACKED_BYTES or worst > MOST_RATIO:
            raise Unreadable(
                f"the DOCX unpacks to {total:,} bytes in {len(entries):,} parts",
                "this is no ordinary document: save it anew from a word processor, without "
                "large pictures",
            )
        if any(entry.flag_bits & 1 for entry in entries):
            raise Unreadable(
                "the DOCX is protected by a password", "save a copy without the password"
            )


def main() -> None:
    """Reads standard input, answers on standard output."""
    kind, memory, cpu = sys.argv[1:]
    limit_self(int(memory), int(cpu))
    data = sys.stdin.buffer.read()
    name = kind.upper()
    try:
        text, pages = (read_pdf if kind == "pdf" else read_docx)(data)
        answer: dict[str, Any] = {"text": text, "pages": pages}
    except Unreadable as error:
        answer = {"problem": error.problem, "hint": error.hint}
    except (MemoryError, RecursionError):
        answer = {
            "problem": f"the {name} takes more memory to read than is allowed",
            "hint": "save it anew from the program it was written in",
        }
    except Exception as error:  # noqa: BLE001 -- a foreign file may break its library in any way
        answer = {
            "problem": f"the {name} is damaged ({type(error).__name__}: {str(error)[:200]})",
            "hint": "open it and save it anew, or give the text as .txt",
        }
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
