"""From a file of any known kind to its transcript."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Literal, get_args

from fanwise.documents.transcripts.captions import read_captions
from fanwise.documents.transcripts.jsonforms import read_json
from fanwise.documents.transcripts.plain import read_plain
from fanwise.documents.transcripts.records import Transcript, in_order
from fanwise.errors import ConfigError, InputError

Format = Literal["vtt", "srt", "json", "txt"]
FORMATS: tuple[Format, ...] = get_args(Format)
MAX_BYTES = 32 * 1024 * 1024

_KINDS = "a transcript is a .vtt, .srt, .json or .txt file"


def read_transcript(path: str | Path) -> Transcript:
    """The transcript in a file: WebVTT, SubRip, JSON or plain text, told apart by the file's name.

    UTF-8, UTF-16 with its mark, or Windows-1252. Reads all of it: in a thread, where a loop runs.

    Args:
        path: The file, at most 32 MB.

    Raises:
        InputError: It cannot be read, is of another kind, or nothing is said in it; names file and
            line.
    """
    place = Path(path)
    kind = place.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise InputError("this is no transcript by its name", source=str(path), hint=_KINDS)
    try:
        if place.stat().st_size > MAX_BYTES:
            raise InputError(
                f"it is larger than {MAX_BYTES >> 20} MB", source=str(path), hint=_KINDS
            )
        data = place.read_bytes()
    except OSError as error:
        raise InputError(
            f"it cannot be read: {error.strerror}", source=str(path), hint=_KINDS
        ) from error
    return parse_transcript(_decoded(data, source=str(path)), kind, source=str(path))


def parse_transcript(text: str, kind: str, *, source: str = "the transcript") -> Transcript:
    """The transcript in a text.

    Args:
        text: The text.
        kind: ``vtt``, ``srt``, ``json`` or ``txt``.
        source: What errors call it.

    Raises:
        ConfigError: There is no such kind.
        InputError: It is broken, or nothing is said in it.
    """
    if kind not in FORMATS:
        raise ConfigError(f"{kind!r} is no kind of transcript", hint=_KINDS)
    if kind == "json":
        found = read_json(text, source=source)
    elif kind == "txt":
        found = Transcript(cues=in_order(read_plain(text)))
    else:
        captions = read_captions(text, source=source)
        headers = captions.headers
        found = Transcript(
            cues=in_order(captions.cues),
            title=headers.get("title", ""),
            language=headers.get("language", ""),
        )
    if not found.cues:
        raise InputError("nothing is said in it", source=source, hint=_KINDS)
    return found


def _decoded(data: bytes, *, source: str) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", errors="replace")
    if "\0" in text:
        raise InputError("this is no text", source=source, hint=_KINDS)
    return text
