"""What a transcript is, whatever it was written in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

_WORDS_A_SECOND = 2.5
_SHORTEST_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A stretch of speech.

    Args:
        text: What is said, on one line, without markup.
        start_s: When it begins, in seconds; ``None`` where nobody noted times.
        end_s: When it ends, likewise.
        speaker: Who speaks; empty where unknown.
    """

    text: str
    start_s: float | None = None
    end_s: float | None = None
    speaker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """Speech as cues in order, and what its file says about it.

    Args:
        cues: At least one; either all of them have times or none has.
        title: Of what was said; empty where the file does not say.
        author: Who published it, likewise.
        description: A description, likewise.
        language: A language code, likewise.
        video: The id of the video, likewise.
    """

    cues: Sequence[Cue]
    title: str = ""
    author: str = ""
    description: str = ""
    language: str = ""
    video: str = ""

    @property
    def timed(self) -> bool:
        """Whether its cues have times."""
        return self.cues[0].start_s is not None

    @property
    def duration_s(self) -> float | None:
        """When the last cue ends; ``None`` without times."""
        return max((cue.end_s or 0.0 for cue in self.cues), default=0.0) if self.timed else None


def in_order(cues: Sequence[Cue]) -> list[Cue]:
    """Cues by their beginning, empty ones left out, each with an end not before its beginning.

    Where no end was noted, a cue lasts until the next one; the last for as long as its words take.
    """
    spoken = [cue for cue in cues if cue.text]
    spoken.sort(key=lambda cue: cue.start_s or 0.0)
    found: list[Cue] = []
    for place, cue in enumerate(spoken):
        start_s, end_s = cue.start_s, cue.end_s
        if start_s is None:
            found.append(cue)
            continue
        if end_s is None or end_s < start_s:
            following = spoken[place + 1].start_s if place + 1 < len(spoken) else None
            spoken_s = max(_SHORTEST_S, len(cue.text.split()) / _WORDS_A_SECOND)
            end_s = start_s + spoken_s if following is None else following
        found.append(replace(cue, end_s=end_s))
    return found
