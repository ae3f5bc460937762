"""What the parts of this pipeline hand to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

Depth = Literal["brief", "standard", "comprehensive"]
DEPTHS: tuple[Depth, ...] = get_args(Depth)
Status = Literal["pending", "processing", "complete", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What notes are written from.

    Args:
        id: The video's id, or a hash of the transcript.
        transcript: The transcript; ``None`` of a video of which only metadata is used.
        title, author, description, language: As far as known.
        video: The video's id, where its times can be linked to.
        duration_s: Its length in seconds, where known.
    """

    id: str
    transcript: Any = None
    title: str = ""
    author: str = ""
    description: str = ""
    language: str = ""
    video: str = ""
    duration_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A range of cues that notes cite.

    Args:
        id: ``P1``, ``P2``, …
        text: What is said, one line a turn; or the points noted of it.
        start_s, end_s: Its time in seconds, where known.
        tokens: About how many tokens the text is.
        cues: Its first and last cue, 0-based.
    """

    id: str
    text: str
    start_s: float | None = None
    end_s: float | None = None
    tokens: int = 0
    cues: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Passages that are condensed by one call."""

    id: str
    passages: Sequence[Passage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A section as it was written.

    Args:
        section: Its id.
        title: Its heading.
        markdown: Its body.
        sources: Ids of the passages that it cites, in order.
    """

    section: str
    title: str
    markdown: str
    sources: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthNote:
    """One depth of a note: all sections of the template, in its order."""

    depth: Depth
    sections: Sequence[Written]

    @property
    def words(self) -> int:
        """How many words it has."""
        return sum(len(section.markdown.split()) for section in self.sections)

    @property
    def cited(self) -> frozenset[str]:
        """The passages that its sections cite."""
        return frozenset(name for section in self.sections for name in section.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A template's note.

    Args:
        template: The template's id.
        depths: What was asked for, in the order brief, standard, comprehensive.
        models: Who wrote it, most used first.
        passages: How many ranges of the recording there are to cite; 0 from metadata.
        uncovered: For each depth that cites less than all, the ids of the rest.
        asked: How many answers it took.
        warnings: What is not as it should be.
    """

    template: str
    depths: Sequence[DepthNote]
    models: Sequence[str]
    passages: int = 0
    uncovered: Mapping[str, Sequence[str]]
    asked: int = 0
    warnings: Sequence[str] = ()

    @property
    def coverage(self) -> float | None:
        """Share of the passages that every depth cites, the lowest over its depths."""
        if not self.passages:
            return None
        return min(1 - len(self.uncovered.get(d.depth, ())) / self.passages for d in self.depths)

    def as_json(self) -> dict[str, Any]:
        """The note as plain JSON."""
        return {
            "template": self.template,
            "models": list(self.models),
            "passages": self.passages,
            "coverage": self.coverage,
            "uncovered": {depth: list(names) for depth, names in self.uncovered.items()},
            "asked": self.asked,
            "warnings": list(self.warnings),
            "depths": [
                {
                    "depth": depth.depth,
                    "words": depth.words,
                    "sections": [
                        {
                            "section": one.section,
                            "title": one.title,
                            "markdown": one.markdown,
                            "sources": list(one.sources),
                        }
                        for one in depth.sections
                    ],
                }
                for depth in self.depths
            ],
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Note:
        """The note that :meth:`as_json` wrote."""
        return cls(
            template=found["template"],
            models=tuple(found["models"]),
            passages=found["passages"],
            uncovered={name: tuple(ids) for name, ids in found["uncovered"].items()},
            asked=found["asked"],
            warnings=tuple(found["warnings"]),
            depths=tuple(
                DepthNote(
                    depth=depth["depth"],
                    sections=tuple(_written(section) for section in depth["sections"]),
                )
                for depth in found["depths"]
            ),
        )


def _written(found: Mapping[str, Any]) -> Written:
    return Written(
        section=found["section"],
        title=found["title"],
        markdown=found["markdown"],
        sources=tuple(found["sources"]),
    )
