"""The prompts of the hooks pipeline: template files, and what fills them.

Instructions hold nothing that a user has written. What they wrote stands in the user's message as
JSON between two lines with a mark made by hashing it, so that it cannot close them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Any, cast

import fanwise as fw

WRITE_VERSION = "hooks-write-1"
JUDGE_VERSION = "hooks-judge-1"
CHECK_VERSION = "hooks-check-1"
COMPARE_VERSION = "hooks-compare-1"
"""These change with their templates: they are part of each call's identity, so that a resumed run
never mixes answers to two prompts."""

HOOKS_EACH = 5
LEAST_WORDS = 6
MOST_WORDS = 12

_DATA = re.compile(
    r"^===== data ([0-9a-f]{16}) begins =====\n(.*?)\n===== data \1 ends =====$", re.MULTILINE
)


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


def fenced(data: Mapping[str, Any]) -> str:
    """Data as one line of JSON between two lines that hold its mark."""
    text = json.dumps(data, ensure_ascii=False)
    mark = blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
    return f"===== data {mark} begins =====\n{text}\n===== data {mark} ends ====="


def read_back(request: fw.Request) -> dict[str, Any]:
    """The data out of a request's last message; empty where it holds none."""
    for message in reversed(request.messages):
        found = _DATA.search(_text_of(message.content))
        if found is not None:
            read: Any = json.loads(found[2])
            return cast("dict[str, Any]", read) if isinstance(read, dict) else {}
    return {}


def _text_of(content: Any) -> str:
    """A message's text, where it may also be a list of parts."""
    if isinstance(content, str):
        return content
    parts = cast("Sequence[Any]", content) if isinstance(content, Sequence) else ()
    texts = (cast("Mapping[str, Any]", part).get("text") for part in parts
             if isinstance(part, Mapping))  # fmt: skip
    return "\n".join(text for text in texts if isinstance(text, str))


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
