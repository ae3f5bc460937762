"""The word lists of the heuristics and rules: English, written for them, and small.

They stand in ``lexicon.txt``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files


def _lists() -> Mapping[str, frozenset[str]]:
    text = files("fanwise.pipelines.hooks").joinpath("lexicon.txt").read_text(encoding="utf-8")
    parts = re.split(r"^\[(\w+)\]$", text, flags=re.MULTILINE)[1:]
    return {
        name: frozenset(words.split()) for name, words in zip(parts[::2], parts[1::2], strict=True)
    }


_LISTS = _lists()
STOP_WORDS = _LISTS["stop_words"]
"""Words that carry no topic."""
HIGH_AROUSAL = _LISTS["high_arousal"]
"""Words of strong feeling."""
CURIOSITY = _LISTS["curiosity"]
"""Words that open a gap between what is known and what is not."""
CONTRAST = _LISTS["contrast"]
"""Words that deny, forbid or turn."""
PROOF = _LISTS["proof"]
"""Words that lean on experience, people or evidence."""
DOING = _LISTS["doing"]
"""Words that ask for something to be done."""
VERBS = _LISTS["verbs"]
"""Verbs and adverbs that are hardly ever nouns in an idea for a post."""
MODIFIERS = _LISTS["modifiers"]
"""Adjectives that may stand before a noun and are no topic by themselves."""
TIMES = _LISTS["times"]
"""Words for times, which are no topic by themselves."""
NOUNS_IN_LY = _LISTS["nouns_in_ly"]
"""Nouns that end like adverbs."""

WEAK_OPENINGS = (
    "i think", "i want to", "i would like", "in my opinion", "in today", "in this post", "just a",
    "here are some", "here is my take", "some thoughts", "today i", "we are pleased",
    "we are excited", "it is important", "as we all know",
)  # fmt: skip
"""Openings that any post could have."""
