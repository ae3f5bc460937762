"""A transcript cut on the boundaries of its cues: into passages to cite, and into parts to read."""

from __future__ import annotations

from collections.abc import Sequence

import fanwise as fw
from fanwise.pipelines.notes.records import Part, Passage

PASSAGE_TOKENS = 100
MOST_PASSAGES = 80
_CHARS_A_TOKEN = 4
_WIDE = 0x2E80  # from here on (Chinese, Japanese, Korean) a letter is about a token


def tokens_of(text: str) -> int:
    """About how many tokens a text is; never 0."""
    wide = sum(letter >= chr(_WIDE) for letter in text)
    return max(1, wide + (len(text) - wide) // _CHARS_A_TOKEN)


def clock(seconds: float) -> str:
    """A time as ``mm:ss``, from an hour on as ``h:mm:ss``."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute:02d}:{second:02d}"


def span(passage: Passage) -> str:
    """A passage's time range in words; empty without times."""
    if passage.start_s is None or passage.end_s is None:
        return ""
    return f"{clock(passage.start_s)}-{clock(passage.end_s)}"


def cut(transcript: fw.documents.Transcript) -> list[Passage]:
    """The passages of a transcript: whole cues, together all of it, none in two of them.

    Each has about 100 tokens; of a long transcript so many more that there are at most 80, since
    a model has to cite every one.
    """
    sizes = [tokens_of(cue.text) for cue in transcript.cues]
    wanted = max(PASSAGE_TOKENS, -(-sum(sizes) // MOST_PASSAGES))
    found: list[Passage] = []
    first, tokens = 0, 0
    for place, size in enumerate(sizes):
        tokens += size
        if tokens >= wanted or place == len(sizes) - 1:
            found.append(_passage(transcript, first, place, number=len(found) + 1, tokens=tokens))
            first, tokens = place + 1, 0
    return found


def _passage(
    transcript: fw.documents.Transcript, first: int, last: int, *, number: int, tokens: int
) -> Passage:
    cues = transcript.cues[first : last + 1]
    return Passage(
        id=f"P{number}",
        text="\n".join(_turns(cues)),
        start_s=cues[0].start_s,
        end_s=None if cues[0].start_s is None else max(cue.end_s or 0.0 for cue in cues),
        tokens=tokens,
        cues=(first, last),
    )


def _turns(cues: Sequence[fw.documents.Cue]) -> list[str]:
    """What was said, a line a turn: cues are cut where the screen ends, not the sentence."""
    lines: list[str] = []
    speaker: str | None = None
    for cue in cues:
        if speaker is None or cue.speaker != speaker:
            lines.append(f"{cue.speaker}: {cue.text}" if cue.speaker else cue.text)
        else:
            lines[-1] += f" {cue.text}"
        speaker = cue.speaker
    return lines


def parts_of(passages: Sequence[Passage], *, part_tokens: int) -> list[Part]:
    """Passages in parts of about so many tokens, each a run of whole passages of much the same
    size as the others.
    """
    total = sum(passage.tokens for passage in passages)
    count = max(1, -(-total // part_tokens))
    found: list[list[Passage]] = [[]]
    begun = 0
    for passage in passages:
        if found[-1] and begun + passage.tokens / 2 > len(found) * total / count:
            found.append([])
        found[-1].append(passage)
        begun += passage.tokens
    return [Part(id=f"part-{n}", passages=tuple(part)) for n, part in enumerate(found, 1)]


def ranges(names: Sequence[str], *, order: Sequence[str]) -> str:
    """Ids of passages in short: ``P1-P4, P9``."""
    places = sorted(order.index(name) for name in names)
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][1] + 1:
            runs[-1][1] = place
        else:
            runs.append([place, place])
    return ", ".join(
        order[first] if first == last else f"{order[first]}-{order[last]}" for first, last in runs
    )
