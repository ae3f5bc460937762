"""The prompts of the hooks pipeline: template files, and what fills them.

Instructions hold nothing that a user has written: that stands fenced in the user's message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import fanwise as fw
from fanwise.pipelines.fences import fenced

WRITE_VERSION = "hooks-write-1"
JUDGE_VERSION = "hooks-judge-1"
CHECK_VERSION = "hooks-check-1"
COMPARE_VERSION = "hooks-compare-1"
"""These change with their templates: they are part of each call's identity, so that a resumed run
never mixes answers to two prompts."""

HOOKS_EACH = 5
LEAST_WORDS = 6
MOST_WORDS = 12


def write_messages(brief: Mapping[str, str]) -> list[fw.types.Message]:
    """Asks a model for the hooks of a brief."""
    return [
        fw.system(_write_instructions(brief["target_audience"], brief["content_type"])),
        fw.user(fenced(brief)),
    ]


def judge_messages(brief: Mapping[str, str], hook: str) -> list[fw.types.Message]:
    """Asks the judge about one hook."""
    return [fw.system(_text("judge.txt")), fw.user(fenced({"hook": hook, **brief}))]


def check_messages(
    brief: Mapping[str, str], hook: str, judgement: Mapping[str, Any]
) -> list[fw.types.Message]:
    """Asks whether a judgement holds together."""
    data = {"hook": hook, **brief, "judgement": judgement}
    return [fw.system(_text("check.txt")), fw.user(fenced(data))]


def compare_messages(brief: Mapping[str, str], hooks: Sequence[str]) -> list[fw.types.Message]:
    """Asks which of two hooks is the better one, in the order given."""
    data = {"first": hooks[0], "second": hooks[1], **brief}
    return [fw.system(_text("compare.txt")), fw.user(fenced(data))]


@cache
def _text(name: str) -> str:
    """A template's text; the same for every call, so that providers can cache it."""
    return files("fanwise.pipelines.hooks.prompts").joinpath(name).read_text(encoding="utf-8")


@cache
def _write_instructions(audience: str, content_type: str) -> str:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True
    )
    return environment.from_string(_text("write.txt")).render(
        count=HOOKS_EACH,
        least=LEAST_WORDS,
        most=MOST_WORDS,
        audience=audience,
        content_type=content_type,
    )
