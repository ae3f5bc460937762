"""The prompts, out of their template files."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

import fanwise as fw
from fanwise.pipelines.fences import mark_of, text_of
from fanwise.pipelines.notes.catalogue import Template
from fanwise.pipelines.notes.passages import clock, ranges, span
from fanwise.pipelines.notes.records import Depth, Part, Passage, Source

PROMPT_VERSION = "notes-1"
"""Changes with every change to a prompt or to how the data is shown: it is part of each call's
identity, so that a resumed run never mixes answers to two prompts."""

_OPEN = re.compile(r"^===== recording ([0-9a-f]{16}) begins =====$", re.MULTILINE)


def note_messages(
    template: Template,
    wanted: Mapping[Depth, Sequence[str]],
    passages: Sequence[Passage],
    *,
    source: Source,
    shape: str,
    more: Mapping[str, Any] | None = None,
) -> list[fw.types.Message]:
    """The messages that ask for a note, or for what one still lacks.

    Args:
        template: What kind of note.
        wanted: By depth, the ids of the sections that are wanted.
        passages: The data.
        source: What it is about.
        shape: What the passages are: ``transcript``, ``points`` or ``metadata``.
        more: What the prompt for additions is filled with; ``None`` of a first question.
    """
    task: dict[str, Any] = {"task": "note", "template": template.id, "wanted": dict(wanted)}
    if more is not None and more["uncited"]:
        task["add"] = {depth: list(names) for depth, names in more["uncited"]}
    system = _filled(
        "note.jinja",
        template=template,
        shape=" ".join(_shapes()[shape].split()),
        language="the language of the recording",
    )
    messages = [fw.system(system), fw.user(_shown(task, passages, source))]
    if more is not None:
        order = [passage.id for passage in passages]
        uncited = [(depth, ranges(names, order=order)) for depth, names in more["uncited"]]
        messages.append(fw.user(_filled("more.jinja", **{**more, "uncited": uncited})))
    return messages


def part_messages(part: Part, wanted: Sequence[str], *, source: Source) -> list[fw.types.Message]:
    """The messages that ask for the points of some passages of a part."""
    passages = [passage for passage in part.passages if passage.id in wanted]
    task = {"task": "part", "passages": [passage.id for passage in passages]}
    return [fw.system(_text("part.txt")), fw.user(_shown(task, passages, source))]


def read_back(request: fw.Request) -> tuple[Mapping[str, Any], dict[str, str], list[Passage]]:
    """Task, headers and passages out of a request; empty where it is none of ours.

    The first opening line is ours: it stands before anything that somebody else wrote. Nobody can
    forge the mark, which is a hash of the data.
    """
    text = next(
        (
            text
            for text in (text_of(one.content) for one in request.messages if one.role == "user")
            if _OPEN.search(text)
        ),
        "",
    )
    opening = _OPEN.search(text)
    if opening is None:
        return {}, {}, []
    task: Mapping[str, Any] = json.loads(text[: opening.start()])
    mark = opening[1]
    body = text[opening.end() :].partition(f"===== recording {mark} ends =====")[0]
    pieces = re.split(
        rf"^----- {mark} (P\d+)(?: \| ([\d:]+)-([\d:]+))? -----$", body, flags=re.MULTILINE
    )
    headers = (line.partition(": ") for line in pieces[0].strip().splitlines())
    passages = [
        Passage(id=name, text=said.strip(), start_s=_seconds(start), end_s=_seconds(end))
        for name, start, end, said in zip(*(pieces[n::4] for n in range(1, 5)), strict=True)
    ]
    return task, {name.lower(): value for name, _, value in headers}, passages


def _shown(task: Mapping[str, Any], passages: Sequence[Passage], source: Source) -> str:
    about = {"Title": source.title, "Author": source.author}
    if source.duration_s is not None:
        about["Length"] = clock(source.duration_s)
    lines = [f"{name}: {' '.join(value.split())[:300]}" for name, value in about.items() if value]
    mark = mark_of([*lines, *(passage.text for passage in passages)])
    for passage in passages:
        time = span(passage)
        lines += [f"----- {mark} {passage.id}{f' | {time}' if time else ''} -----", passage.text]
    return "\n".join(
        [
            json.dumps(task, ensure_ascii=False),
            f"===== recording {mark} begins =====",
            *lines,
            f"===== recording {mark} ends =====",
        ]
    )


def _seconds(text: str | None) -> float | None:
    if not text:
        return None
    seconds = 0
    for part in text.split(":"):
        seconds = seconds * 60 + int(part)
    return float(seconds)


@cache
def _text(name: str) -> str:
    return files("fanwise.pipelines.notes.prompts").joinpath(name).read_text(encoding="utf-8")


@cache
def _shapes() -> Mapping[str, str]:
    return tomllib.loads(_text("shapes.toml"))


def _filled(name: str, **values: Any) -> str:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=False, keep_trailing_newline=False
    )
    return environment.from_string(_text(name)).render(**values)
