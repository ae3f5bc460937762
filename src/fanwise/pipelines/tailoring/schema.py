"""The shapes that models answer in. Pydantic, and therefore imported only where one is asked."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

ANALYSIS_NAME = "tailoring_analysis"
CHANGES_NAME = "tailoring_changes"


class Analysis(BaseModel):
    """What a posting asks for."""

    model_config = ConfigDict(extra="forbid", title=ANALYSIS_NAME)

    title: str = Field(description="The job's title as the posting has it, or an empty text.")
    required: list[str] = Field(description="What an applicant must bring, one skill each.")
    preferred: list[str] = Field(description="What is welcome and not needed.")
    core: list[str] = Field(description="What the duties are about and the lists above miss.")
    regulatory: list[str] = Field(description="Laws, standards, licences, clearances by name.")


class LineChange(BaseModel):
    """One line, changed."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(description="The line's path as given, such as /experience/0/lines/2.")
    after: str | None = Field(description="The whole new line; null to leave it out.")
    reason: str = Field(description="What it is for, at most 15 words.")
    confidence: float = Field(ge=0, le=1, description="How surely the resume bears it out.")


class OrderChange(BaseModel):
    """The lines of an entry in another order."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(description="The entry's path with /order, such as /experience/0/order.")
    after: list[int] = Field(description="All line numbers of the entry in the new order.")
    reason: str = Field(description="What it is for, at most 15 words.")


class Changes(BaseModel):
    """What is changed in a resume."""

    model_config = ConfigDict(extra="forbid", title=CHANGES_NAME)

    changes: list[LineChange]
    orders: list[OrderChange]
