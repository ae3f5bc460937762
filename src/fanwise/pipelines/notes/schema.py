"""What a note is: the shape a model answers in.

Pydantic, and therefore imported only where an answer is asked for or held against it.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from fanwise.pipelines.notes.records import Depth

NOTE_SCHEMA = "notes_note"
PART_SCHEMA = "notes_part"


class SectionAnswer(BaseModel):
    """One section at one depth."""

    model_config = ConfigDict(extra="forbid")

    section: str = Field(description="The section's id.")
    markdown: str = Field(description="Its body, without its title.")
    sources: list[str] = Field(description='Passages it was written from: "P3" or "P3-P7".')


class DepthAnswer(BaseModel):
    """All sections at one depth."""

    model_config = ConfigDict(extra="forbid")

    depth: Depth
    sections: list[SectionAnswer]


class NoteAnswer(BaseModel):
    """A note, or what is to be added to one."""

    model_config = ConfigDict(extra="forbid", title=NOTE_SCHEMA)

    template: str = Field(description="The template's id.")
    parts: list[DepthAnswer] = Field(description="One part a depth.")


class PassagePoints(BaseModel):
    """What one passage says."""

    model_config = ConfigDict(extra="forbid")

    passage: str = Field(description="The passage's id.")
    points: list[str] = Field(description="The points made in it.")


class PartAnswer(BaseModel):
    """A part of a transcript, condensed."""

    model_config = ConfigDict(extra="forbid", title=PART_SCHEMA)

    passages: list[PassagePoints]
