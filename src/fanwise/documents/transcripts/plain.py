"""Transcripts as plain text, with times in it or without."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fanwise.documents.transcripts.captions import plain_text, seconds
from fanwise.documents.transcripts.records import Cue

_CLOCK = re.compile(r"^(?:(\d{1,3}):)?(\d{1,2}):(\d{2})(?:[.,](\d{1,3}))?$")
_SECONDS = re.compile(r"^\d{1,8}(?:\.\d+)?$")
_STAMP = re.compile(
    r"^\s*[\[(]?\s*(?:(\d{1,3}):)?([0-5]?\d):([0-5]\d)(?:[.,](\d{1,3}))?\s*[\])]?"
    r"(?:\s*(?:-->?|–|—)\s*[\[(]?(?:\d{1,3}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?[\])]?)?"
    r"(?=\s|$)[\s:–—-]*"
)
_SPEAKER = re.compile(r"^([A-Z][\w.'’-]*(?: [A-Z][\w.'’-]*){0,3}): +(?=\S)")
_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)]*\s+|(?<=[。！？])\s*")
_LONGEST_CUE = 600  # characters of an untimed cue


def clock_seconds(text: str) -> float | None:
    """Seconds of ``h:mm:ss.fff``, ``mm:ss`` or a plain number; ``None`` of anything else."""
    stripped = text.strip()
    found = _CLOCK.match(stripped)
    if found is not None:
        return seconds(found.groups())
    return float(stripped) if _SECONDS.match(stripped) else None


def read_plain(text: str) -> list[Cue]:
    """The cues of plain text.

    Lines that begin with a time (``[01:02] …``, ``1:02:03 Speaker: …``, or the time on a line of
    its own as YouTube's page copies it) begin a cue, where at least two do and they do not go
    back. Otherwise paragraphs are cues without times, long ones cut between sentences.
    """
    return _timed(text) or list(_untimed(text))


def _timed(text: str) -> list[Cue]:
    starts: list[float] = []
    said: list[list[str]] = []
    ahead: list[str] = []
    for line in text.splitlines():
        found = _STAMP.match(line)
        rest = plain_text(line[found.end() :] if found else line)
        if found is not None:
            starts.append(seconds(found.groups()))
            said.append([])
        if rest:
            (said[-1] if said else ahead).append(rest)
    if len(starts) < 2 or starts != sorted(starts):
        return []
    if ahead and said:
        said[0] = [*ahead, *said[0]]
    cues: list[Cue] = []
    for start_s, lines in zip(starts, said, strict=True):
        speaker, words = _spoken(" ".join(lines))
        cues.append(Cue(text=words, start_s=start_s, speaker=speaker))
    return cues


def _untimed(text: str) -> Iterator[Cue]:
    for paragraph in re.split(r"\n\s*\n|\n(?=[A-Z][\w.'’ -]{0,40}: )", text):
        speaker, words = _spoken(plain_text(paragraph))
        piece = ""
        for sentence in _SENTENCE.split(words):
            for part in _cut(sentence):
                if piece and len(piece) + len(part) >= _LONGEST_CUE:
                    yield Cue(text=piece, speaker=speaker)
                    piece = ""
                piece = f"{piece} {part}".strip()
        if piece:
            yield Cue(text=piece, speaker=speaker)


def _cut(sentence: str) -> Iterator[str]:
    """A sentence, or pieces of one that has no end: automatic captions know no full stop."""
    while len(sentence) > _LONGEST_CUE:
        at = sentence.rfind(" ", 1, _LONGEST_CUE)
        at = _LONGEST_CUE if at < 0 else at
        yield sentence[:at]
        sentence = sentence[at:].strip()
    yield sentence


def _spoken(text: str) -> tuple[str, str]:
    found = _SPEAKER.match(text)
    return ("", text) if found is None else (found[1], text[found.end() :])
