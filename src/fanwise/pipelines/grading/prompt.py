"""The messages that ask a model for grades, out of the template files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, cast

import fanwise as fw
from fanwise.pipelines.grading.records import Question, Task

PROMPT_VERSION = "grading-1"
"""Changes with every change to the templates or to how answers are shown: it is part of each call's
identity and of what is remembered."""

MOST_ANSWER_CHARS = 20_000
_FENCED = re.compile(r"^=====([0-9a-f]{16})=====\n(.*)\n=====\1=====$", re.DOTALL | re.MULTILINE)


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


def fenced(shown: Mapping[str, Any]) -> str:
    """Data between two lines with its own mark.

    As JSON, a text within it can end neither its own string nor the fence; the mark is a hash of
    the data, so that no answer can hold it.
    """
    text = json.dumps(shown, ensure_ascii=False, indent=1)
    mark = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"====={mark}=====\n{text}\n====={mark}====="


def read_back(prompt: str) -> Mapping[str, Any]:
    """The data of a prompt made here; nothing for any other."""
    match = _FENCED.search(prompt)
    if match is None:
        return {}
    found: object = json.loads(match[2])
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


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
