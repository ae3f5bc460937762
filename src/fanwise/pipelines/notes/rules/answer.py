"""The rules as a model: from a request to an answer of the same schema."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import fanwise as fw
from fanwise.pipelines.notes.catalogue import Template, template
from fanwise.pipelines.notes.prompt import read_back
from fanwise.pipelines.notes.records import Depth, Passage
from fanwise.pipelines.notes.rules.chapters import chapters_of
from fanwise.pipelines.notes.rules.sections import KINDS, Recording, shortened
from fanwise.pipelines.notes.rules.text import best, sentences_of, weights_of

RULES_VERSION = "rules-1"
"""Changes with every change to the rules."""

_POINT_WORDS = 60
_ENTRY = re.compile(r"(?:-|\d+\.) ")


def note_rules(request: fw.Request) -> Any:
    """The note that a request asks for, in the recording's own sentences.

    Chapters begin where the words change, sentences are chosen by how frequent their words are,
    and some sections by wording alone ("you need", "what can go wrong"). Nothing is understood.
    """
    task, headers, passages = read_back(request)
    if not passages:
        raise ValueError("the request holds no recording")
    found = recording_of(headers.get("title", ""), passages)
    kind = template(task["template"])
    add: Mapping[str, Sequence[str]] = task.get("add", {})
    wanted: Mapping[Depth, Sequence[str]] = task["wanted"]
    depths: list[Depth] = [*wanted, *(depth for depth in add if depth not in wanted)]  # type: ignore[list-item]
    parts: list[Any] = []
    for depth in depths:
        sections = [_section(kind, name, found, depth) for name in wanted.get(depth, ())]
        if add.get(depth):
            only = [passage for passage in passages if passage.id in add[depth]]
            extra = recording_of(found.title, only)
            sections.append(_section(kind, kind.whole.id, extra, depth))
        parts.append({"depth": depth, "sections": sections})
    return {"template": kind.id, "parts": parts}


def part_rules(request: fw.Request) -> Any:
    """The points of each passage: its weightiest sentences, at most 60 words."""
    _, __, passages = read_back(request)
    sentences = sentences_of(passages)
    weights = weights_of(sentences)
    points: list[Any] = []
    for place, passage in enumerate(passages):
        own = [one for one in sentences if one.passage == place]
        chosen = [one.text for one in best(own, weights, words=_POINT_WORDS, most=5)]
        said = chosen or [shortened(passage.text, 12) or "Nothing was said."]
        points.append({"passage": passage.id, "points": said})
    return {"passages": points}


def recording_of(title: str, passages: Sequence[Passage]) -> Recording:
    """A recording as the rules see it."""
    sentences = sentences_of(passages)
    return Recording(
        title=title,
        passages=passages,
        sentences=sentences,
        weights=weights_of(sentences),
        chapters=chapters_of(passages, sentences),
    )


def _section(kind: Template, name: str, found: Recording, depth: Depth) -> Any:
    section = kind.section(name)
    if section is None:
        raise ValueError(f"the template {kind.id} has no section {name!r}")
    body = KINDS[section.rules](found, depth)
    lines = body.markdown.splitlines()
    entries = sum(_ENTRY.match(line) is not None for line in lines)
    if section.items_min is not None and entries < section.items_min:
        # Too little was said to fill the list, and nothing is made up for it.
        lines += ["- The recording holds nothing more for this list."] * (
            section.items_min - entries
        )
    return {"section": name, "markdown": "\n".join(lines), "sources": list(body.sources)}
