"""Text out of documents: PDF and DOCX in a process of its own, plain text here."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from fanwise.documents.charsets import decoded_text
from fanwise.errors import ConfigError, InputError

DocumentKind: TypeAlias = Literal["pdf", "docx", "txt", "md", "json"]

MOST_BYTES = 10_000_000
MEMORY_BYTES = 512_000_000
TIMEOUT_S = 10.0

_SUFFIXES: dict[str, DocumentKind] = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".txt": "txt",
    ".text": "txt",
    ".md": "md",
    ".markdown": "md",
    ".json": "json",
}
_OTHERS = {
    ".doc": "save it as DOCX in a word processor",
    ".rtf": "save it as DOCX in a word processor",
    ".odt": "save it as DOCX in a word processor",
    ".pages": "export it as PDF or DOCX",
    ".html": "save it as text or PDF",
    ".htm": "save it as text or PDF",
    ".png": "run text recognition (OCR) on it and give the text",
    ".jpg": "run text recognition (OCR) on it and give the text",
    ".jpeg": "run text recognition (OCR) on it and give the text",
}
_PARSER = Path(__file__).with_name("parser.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The text of a document.

    Args:
        name: Its file name, or what the caller called it.
        kind: ``pdf``, ``docx``, ``txt``, ``md`` or ``json``, by content rather than by name.
        text: Its text, line by line as far as the format has lines.
        pages: Number of pages of a PDF; 0 elsewhere.
    """

    name: str
    kind: DocumentKind
    text: str
    pages: int = 0


async def read_document(
    source: str | Path | bytes,
    *,
    name: str = "",
    timeout_s: float = TIMEOUT_S,
    memory_bytes: int = MEMORY_BYTES,
) -> Document:
    """The text of a PDF, DOCX, text, Markdown or JSON file.

    PDF and DOCX are read by another process, so that neither a large nor a hostile file can hold
    up the event loop or fill this process's memory.

    Args:
        source: Path of the file, or its bytes.
        name: What messages call it; by default the path.
        timeout_s: Seconds that reading may take, above 0; the other process is then killed.
        memory_bytes: Address space that the other process may take, at least 128 MB.

    Raises:
        InputError: There is no such file; it is empty, larger than 10 MB, of another kind,
            encrypted, damaged, without text, unpacks to too much, or took too long.
        ConfigError: A bound is impossible.

    Cancelling it kills the other process and waits for its end.
    """
    if not timeout_s > 0:
        raise ConfigError(f"timeout_s is {timeout_s}", hint="it is in seconds, above 0")
    if memory_bytes < 128_000_000:
        raise ConfigError(f"memory_bytes is {memory_bytes}", hint="give at least 128_000_000")
    if isinstance(source, bytes):
        data, shown = source, name or "document"
    else:
        shown = name or str(source)
        data = await asyncio.to_thread(_read, Path(source), shown)
    if not data.strip():
        raise InputError("the file is empty", source=shown, hint="give a document with text")
    if len(data) > MOST_BYTES:
        raise _too_large(len(data), shown)
    kind = kind_of(data, shown)
    if kind in {"pdf", "docx"}:
        answer = await _parsed(
            data, kind=kind, source=shown, timeout_s=timeout_s, memory_bytes=memory_bytes
        )
        return Document(
            name=shown, kind=kind, text=_tidy(str(answer["text"])), pages=int(answer["pages"])
        )
    if b"\x00" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(
            "the file is binary and no PDF or DOCX",
            source=shown,
            hint="give a PDF, DOCX, TXT, MD or JSON file",
        )
    charset = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else None
    return Document(name=shown, kind=kind, text=_tidy(decoded_text(data, charset=charset).text))


def kind_of(data: bytes, name: str) -> DocumentKind:
    """What a file is: by its first bytes, then by its name.

    Raises:
        InputError: It is of a kind that is not read.
    """
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        if b"word/" in data:
            return "docx"
        raise InputError(
            "the file is a ZIP archive and no DOCX", source=name, hint="give the document itself"
        )
    suffix = Path(name).suffix.lower()
    hint = _OTHERS.get(suffix, "")
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        hint = "an old .doc, or one with a password: save it as DOCX without a password"
    if hint:
        raise InputError(f"{suffix or 'this kind of'} files are not read", source=name, hint=hint)
    if suffix in {".pdf", ".docx"}:
        raise InputError(
            f"the file is no {suffix[1:].upper()}, whatever its name says",
            source=name,
            hint="open it in the program it was written in and save it anew",
        )
    return _SUFFIXES.get(suffix, "json" if data.lstrip().startswith(b"{") else "txt")


def _read(path: Path, name: str) -> bytes:
    try:
        if path.is_dir():
            raise InputError(
                "this is a directory", source=name, hint="name the documents in it one by one"
            )
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"the file cannot be read: {error.strerror}", source=name, hint="check its name"
        ) from error
    if len(data) > MOST_BYTES:
        raise _too_large(path.stat().st_size, name)
    return data


def _too_large(size: int, name: str) -> InputError:
    return InputError(
        f"the file has {size:,} bytes",
        source=name,
        hint=f"at most {MOST_BYTES:,} are read: take large pictures out of it",
    )


async def _parsed(
    data: bytes, *, kind: str, source: str, timeout_s: float, memory_bytes: int
) -> dict[str, Any]:
    slow = InputError(
        f"reading it takes longer than {timeout_s:g} s",
        source=source,
        hint="save it anew from the program it was written in, or give the text as .txt",
    )
    cpu_s = max(1, int(timeout_s) + 1)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(_PARSER),
        kind,
        str(memory_bytes),
        str(cpu_s),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": ""},
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, _ = await process.communicate(data)
    except TimeoutError:
        raise slow from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if not out:
        raise InputError(
            f"the {kind.upper()} could not be read within {memory_bytes // 1_000_000:,} MB of "
            f"memory and {cpu_s} s",
            source=source,
            hint="save it anew from the program it was written in",
        )
    answer: dict[str, Any] = json.loads(out)
    if "problem" in answer:
        raise InputError(answer["problem"], source=source, hint=answer["hint"])
    return answer


def _tidy(text: str) -> str:
    """Line ends, odd spaces and ligatures as everybody writes them."""
    import unicodedata

    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n")
    text = unicodedata.normalize("NFC", text.translate(_ODD))
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


_ODD = {
    **dict.fromkeys((0xA0, 0x2007, 0x202F, 0x2009, 0x200A), " "),
    **dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF), None),
    0xFB00: "ff",
    0xFB01: "fi",
    0xFB02: "fl",
    0xFB03: "ffi",
    0xFB04: "ffl",
    0xF0B7: "•",
    0xF0A7: "•",
    0x2028: "\n",
    0x2029: "\n",
}
