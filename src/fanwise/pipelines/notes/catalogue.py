"""The templates: six kinds of notes, each a file of data."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from fanwise.errors import ConfigError

NAMES = (
    "basic-summary",
    "study-notes",
    "presentation-slides",
    "tutorial-guide",
    "research-paper",
    "quick-reference",
)
_WHOLE = ("chapters", "slides", "steps", "timeline")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section that a template asks for.

    Args:
        id: What answers call it.
        title: Its heading.
        ask: What has to be in it, as the prompt says it.
        rules: How the rules write it.
        items_min, items_max: How many entries its list has, where that is said.
        marks: Words that have to stand in it.
    """

    id: str
    title: str
    ask: str
    rules: str
    items_min: int | None = None
    items_max: int | None = None
    marks: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A kind of notes.

    Args:
        id: What it is called by programs.
        name: What it is called by people.
        description: One sentence.
        prompt: What is particular to it, as the model is told.
        sections: What has to be in it, in order.
        concept: What its depths count words by.
        estimated_tokens: Tokens of a note of standard depth about half an hour of speech.
        version: Changes with every change to the file.
    """

    id: str
    name: str
    description: str
    prompt: str
    sections: Sequence[Section]
    concept: str
    estimated_tokens: int
    version: str

    @property
    def whole(self) -> Section:
        """The section that goes through all of the recording."""
        return next(section for section in self.sections if section.rules in _WHOLE)

    def section(self, name: str) -> Section | None:
        """The section of an id; ``None`` where it has none of it."""
        return next((section for section in self.sections if section.id == name), None)


@cache
def template(name: str) -> Template:
    """The template of an id.

    Raises:
        ConfigError: There is none.
    """
    if name not in NAMES:
        raise ConfigError(f"there is no template {name!r}", hint=f"one of: {', '.join(NAMES)}")
    place = files("fanwise.pipelines.notes.templates").joinpath(f"{name}.toml")
    data: dict[str, Any] = tomllib.loads(place.read_text(encoding="utf-8"))
    data["sections"] = tuple(_section(section) for section in data["sections"])
    data["prompt"] = " ".join(data["prompt"].split())
    return Template(**data)


def _section(data: dict[str, Any]) -> Section:
    data["marks"] = tuple(data.get("marks", ()))
    return Section(**data)
