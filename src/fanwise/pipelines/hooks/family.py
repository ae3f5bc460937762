"""Which models are of one family: a judge may favour what its own kind writes."""

from __future__ import annotations

import re

from fanwise.pipelines.fields import canonical

_FAMILIES = (
    ("openai", r"gpt|chatgpt|davinci|o[1345](?!\w)"),
    ("anthropic", r"claude"),
    ("google", r"gemini|gemma|palm"),
    ("meta", r"llama(?!\.cpp)"),
    ("mistral", r"mi[sx]tral|ministral|codestral|magistral|devstral"),
    ("alibaba", r"qwen|qwq"),
    ("deepseek", r"deepseek"),
    ("xai", r"grok"),
    ("microsoft", r"phi(?!\w)"),
    ("cohere", r"command|aya(?!\w)"),
    ("amazon", r"nova(?!\w)|titan"),
    ("moonshot", r"kimi|moonshot"),
    ("zhipu", r"glm"),
)


def family_of(model: str) -> str:
    """A model's family by its name, wherever it is served; else its provider.

    Args:
        model: ``provider/model``; routers' names such as ``openrouter/anthropic/claude-3`` too.
    """
    provider, _, name = canonical(model).lower().partition("/")
    words = re.sub(r"[^a-z0-9.]+", " ", name)
    found: list[tuple[int, str]] = []
    for family, names in _FAMILIES:
        match = re.search(rf"(?<![a-z])(?:{names})", words)
        if match is not None:
            found.append((match.start(), family))
    # A distilled model names its teacher first and its own architecture last: both shaped it, and
    # the first name is what it is known by.
    return min(found)[1] if found else provider


def same_family(one: str, other: str) -> bool:
    """Whether two models are of one family. Rules are of none: they do not favour their own."""
    family = family_of(one)
    return family == family_of(other) and family not in ("builtin", "sim")
