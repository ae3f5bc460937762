"""The messages that ask a model for grades, out of the template files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import fanwise as fw
from fanwise.pipelines.fences import fenced
from fanwise.pipelines.grading.records import Question, Task

PROMPT_VERSION = "grading-2"
"""Changes with every change to the templates or to how answers are shown: it is part of each call's
identity and of what is remembered."""

MOST_ANSWER_CHARS = 20_000


@cache
def instructions(*, packed: bool = False) -> str:
    """The task, word for word. It has no place to fill: answers never stand in instructions, and a
    text that is the same for every call is cached by providers.
    """
    folder = files("fanwise.pipelines.grading").joinpath("prompts")
    text = folder.joinpath("grade.txt").read_text(encoding="utf-8")
    return text + folder.joinpath("pack.txt").read_text(encoding="utf-8") if packed else text


def messages_for(task: Task) -> list[fw.types.Message]:
    """The messages that ask for one grade."""
    shown = _shown(task.question, task.answer)
    return [fw.system(instructions()), fw.user(fenced(shown))]


def messages_for_pack(tasks: Mapping[str, Task]) -> list[fw.types.Message]:
    """The messages that ask for several grades at once, each under its id."""
    shown = [{"id": name, **_shown(task.question, task.answer)} for name, task in tasks.items()]
    return [fw.system(instructions(packed=True)), fw.user(fenced({"answers": shown}))]


def _shown(question: Question, answer: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"question": question.text, "kind": question.kind}
    options: Sequence[str] = question.options
    if options:
        shown["options"] = list(options)
    if question.expected:
        shown["expected"] = question.expected
    if question.rubric:
        shown["rubric"] = question.rubric
    return {**shown, "answer": answer}
