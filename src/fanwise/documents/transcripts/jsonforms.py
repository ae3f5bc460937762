"""Transcripts as JSON, in the shapes that tools write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from fanwise.documents.transcripts.captions import plain_text
from fanwise.documents.transcripts.plain import clock_seconds
from fanwise.documents.transcripts.records import Cue, Transcript, in_order
from fanwise.errors import InputError

_LISTS = ("cues", "segments", "transcript", "snippets", "captions", "events", "utterances")
_STARTS = ("start_s", "start", "offset", "from", "begin", "startTime", "start_time")
_ENDS = ("end_s", "end", "to", "endTime", "end_time")
_LENGTHS = ("duration", "dur", "duration_s")
_TEXTS = ("text", "content", "utf8")
_HINT = 'give [{"text": "…", "start": 1.5, "duration": 2.0}, …] or {"title": …, "cues": [ … ]}'


def read_json(text: str, *, source: str) -> Transcript:
    """A transcript out of JSON.

    Taken are a list of cues (``text`` with ``start`` and ``duration`` or ``end``, in seconds or as
    ``mm:ss``), an object that holds such a list under its usual names (Whisper's ``segments``,
    ``transcript``, ``cues``, …) and YouTube's ``events`` with ``tStartMs``. An object may also say
    ``title``, ``author``, ``description``, ``language`` and the ``video_id``.

    Raises:
        InputError: It is no JSON, or holds no cues; the cue at fault is named.
    """
    try:
        found: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InputError(
            f"this is no JSON: {error.msg}", source=source, line=error.lineno, hint=_HINT
        ) from error
    about: Mapping[str, Any] = {}
    if isinstance(found, Mapping):
        about = cast("Mapping[str, Any]", found)
        found = next((about[name] for name in _LISTS if isinstance(about.get(name), list)), None)
        if found is None and isinstance(about.get("text"), str):
            found = [{"text": about["text"]}]
    if not isinstance(found, list):
        raise InputError("it holds no list of cues", source=source, hint=_HINT)
    entries = cast("list[Any]", found)
    cues = [_cue(entry, number, source=source) for number, entry in enumerate(entries, 1)]
    spoken = [cue for cue in cues if cue.text]
    timed = {cue.start_s is not None for cue in spoken}
    if len(timed) > 1:
        bare = next(at for at, cue in enumerate(cues, 1) if cue.text and cue.start_s is None)
        raise InputError(f"cue {bare} has no time although others have", source=source, hint=_HINT)
    return Transcript(
        cues=in_order(spoken),
        title=_said(about, "title"),
        author=_said(about, "author", "channel", "author_name"),
        description=_said(about, "description"),
        language=_said(about, "language", "language_code"),
        video=_said(about, "video_id", "videoId", "video"),
    )


def _cue(entry: Any, number: int, *, source: str) -> Cue:
    if isinstance(entry, str):
        return Cue(text=plain_text(entry))
    if not isinstance(entry, Mapping):
        raise InputError(f"cue {number} is no object", source=source, hint=_HINT)
    cue = cast("Mapping[str, Any]", entry)
    if "tStartMs" in cue:
        return _of_youtube(cue, number, source=source)
    text = next((cue[name] for name in _TEXTS if isinstance(cue.get(name), str)), None)
    if text is None:
        raise InputError(f"cue {number} has no text", source=source, hint=_HINT)
    start_s = _time(cue, _STARTS, number, source=source)
    end_s = _time(cue, _ENDS, number, source=source)
    length_s = _time(cue, _LENGTHS, number, source=source)
    if end_s is None and start_s is not None and length_s is not None:
        end_s = start_s + length_s
    return Cue(text=plain_text(text), start_s=start_s, end_s=end_s, speaker=_said(cue, "speaker"))


def _of_youtube(cue: Mapping[str, Any], number: int, *, source: str) -> Cue:
    pieces: Any = cue.get("segs") or ()
    listed = cast("list[Any]", pieces) if isinstance(pieces, list) else []
    parts = [
        str(cast("Mapping[str, Any]", piece).get("utf8", ""))
        for piece in listed
        if isinstance(piece, Mapping)
    ]
    start_ms = _number(cue["tStartMs"], "tStartMs", number, source=source)
    length_ms = cue.get("dDurationMs")
    end_s = None
    if length_ms is not None:
        end_s = (start_ms + _number(length_ms, "dDurationMs", number, source=source)) / 1000
    return Cue(text=plain_text("".join(parts)), start_s=start_ms / 1000, end_s=end_s)


def _time(
    cue: Mapping[str, Any], names: Sequence[str], number: int, *, source: str
) -> float | None:
    for name in names:
        if cue.get(name) is not None:
            return _number(cue[name], name, number, source=source)
    return None


def _number(value: Any, name: str, number: int, *, source: str) -> float:
    found: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = float(value)
    elif isinstance(value, str):
        found = clock_seconds(value)
    if found is None or not 0 <= found < 1e9:
        raise InputError(
            f"cue {number}: {name} is {value!r}, which is no time",
            source=source,
            hint="give seconds, or a text such as 01:02.5",
        )
    return found


def _said(about: Mapping[str, Any], *names: str) -> str:
    value = next((about[name] for name in names if isinstance(about.get(name), str)), "")
    return " ".join(value.split()) if names[0] != "description" else value.strip()
