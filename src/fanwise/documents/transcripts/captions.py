"""WebVTT and SubRip."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fanwise.documents.transcripts.records import Cue
from fanwise.errors import InputError

_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})(?:[.,](\d{1,3}))?"
_ARROW = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?$")
_TAG = re.compile(r"</?[a-zA-Z0-9][^<>]*>|</?>|\{\\[^{}]*\}")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^<>]+)>")
_ROLLING = re.compile(r"<\d{1,3}:\d{2}(?::\d{2})?[.,]\d{1,3}>")
_SPEAKER = re.compile(r"^(?:>>\s*)?([A-Z][\w.'’-]*(?: [A-Z][\w.'’-]*){0,3}): +(?=\S)")
_NOT_CUES = ("NOTE", "STYLE", "REGION")


@dataclass(frozen=True, slots=True, kw_only=True)
class Captions:
    """Cues as they stand in a file, and the headers above them."""

    cues: Sequence[Cue]
    headers: dict[str, str]


def read_captions(text: str, *, source: str) -> Captions:
    """The cues of a WebVTT or SubRip file.

    Hours may be left out, a comma may stand for the point, numbers and settings are passed over.
    Captions that roll (YouTube's automatic ones repeat the line above) are unrolled.

    Raises:
        InputError: A line with ``-->`` in it holds no two times; the line is named.
    """
    rolling = _ROLLING.search(text) is not None
    cues: list[Cue] = []
    before: list[str] = []
    for block in _blocks(text):
        place = next((at for at, (_, line) in enumerate(block) if "-->" in line), None)
        if place is None:
            continue
        number, line = block[place]
        found = _ARROW.match(line)
        if found is None:
            raise InputError(
                f"{line.strip()[:60]!r} holds no two times",
                source=source,
                line=number,
                hint="times are written 00:01:02.500 --> 00:01:04.000",
            )
        lines = [line for _, line in block[place + 1 :]]
        speaker = next((match[1].strip() for line in lines if (match := _VOICE.search(line))), "")
        plain = [words for line in lines if (words := plain_text(line))]
        fresh = _unrolled(plain, before) if rolling else plain
        before = plain or before
        said = " ".join(fresh)
        if not speaker and (named := _SPEAKER.match(said)):
            speaker, said = named[1], said[named.end() :]
        start_s, end_s = seconds(found.groups()[:4]), seconds(found.groups()[4:])
        cues.append(Cue(text=said, start_s=start_s, end_s=end_s, speaker=speaker))
    return Captions(cues=cues, headers=_headers(text))


def seconds(parts: Sequence[str | None]) -> float:
    """Seconds of hours, minutes, seconds and a decimal fraction, each as text."""
    hours, minutes, whole, fraction = parts
    return (
        int(hours or 0) * 3600
        + int(minutes or 0) * 60
        + int(whole or 0)
        + (float(f"0.{fraction}") if fraction else 0.0)
    )


def plain_text(line: str) -> str:
    """A line of captions without tags, entities and surplus space."""
    return " ".join(html.unescape(_TAG.sub("", _ROLLING.sub(" ", line))).split())


def _blocks(text: str) -> Iterator[list[tuple[int, str]]]:
    """Stretches of lines between empty ones, with their numbers; comments and styles left out."""
    block: list[tuple[int, str]] = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.strip():
            if block and "-->" in line and any("-->" in other for _, other in block):
                # Two cues without an empty line between them; a number stands before the second.
                last = block.pop() if block[-1][1].strip().isdigit() else None
                yield block
                block = [] if last is None else [last]
            block.append((number, line))
            continue
        if block and not block[0][1].startswith(_NOT_CUES):
            yield block
        block = []


def _unrolled(lines: list[str], before: list[str]) -> list[str]:
    """What lines add to the lines shown before them."""
    for size in range(min(len(lines), len(before)), 0, -1):
        if before[-size:] == lines[:size]:
            return lines[size:]
    return lines


def _headers(text: str) -> dict[str, str]:
    head = re.split(r"\r?\n\r?\n", text.lstrip(), maxsplit=1)[0].splitlines()
    if not head or not head[0].startswith("WEBVTT"):
        return {}
    found = (line.partition(":") for line in head[1:] if "-->" not in line)
    headers = {name.strip().lower(): value.strip() for name, mark, value in found if mark}
    title = head[0].removeprefix("WEBVTT").strip(" -\t")
    return headers | ({"title": title} if title else {})
