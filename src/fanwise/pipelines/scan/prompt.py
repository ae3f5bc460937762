"""The prompt of the extraction, out of its template file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from fanwise.pipelines.scan.mailtext import fenced
from fanwise.records import Message, system, user

if TYPE_CHECKING:
    from fanwise.pipelines.scan.mailtext import Letter

PROMPT_VERSION = "scan-1"
"""Changes with every change to the template or to how mail is shown: it is part of each call's
identity, so that a resumed run never mixes answers to two prompts."""


@cache
def instructions() -> str:
    """The task, word for word. It has no place to fill: mail is never put into instructions, and
    a text that is the same for every call is cached by providers.
    """
    return files("fanwise.pipelines.scan").joinpath("prompt.txt").read_text(encoding="utf-8")


def messages_for(letters: Sequence[Letter]) -> list[Message]:
    """The messages that ask a model for the shipments of some letters."""
    return [system(instructions()), user(fenced(letters))]
