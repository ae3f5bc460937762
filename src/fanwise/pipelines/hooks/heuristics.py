"""The score that needs no model: length, readability, emotion, attention and relevance.

Each part is from 0 to 10 and the whole is their mean. They measure form and word choice, not truth
or taste: they rank drafts and catch slips. Word lists are English; the parts that rest on them say
little of hooks in other languages.
"""

from __future__ import annotations

import re
from typing import Any

from fanwise.pipelines.hooks.lexicon import (
    CONTRAST,
    CURIOSITY,
    HIGH_AROUSAL,
    STOP_WORDS,
    WEAK_OPENINGS,
)
from fanwise.pipelines.hooks.prompts import LEAST_WORDS, MOST_WORDS
from fanwise.pipelines.hooks.records import HeuristicScore

_WORD = re.compile(r"[^\W_]+(?:['’.,-][^\W_]+)*")
_VOWELS = re.compile(r"[aeiouy]+")
_SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$)")
_ENDINGS = ("ings", "ing", "edly", "ies", "ied", "ed", "es", "s", "ly")


def heuristic_score(hook: str, *, idea: str, industry: str = "") -> HeuristicScore:
    """All parts of a hook's heuristic score and their mean.

    Args:
        hook: The hook.
        idea: The idea of its post.
        industry: Its industry; empty where it has none.

    Returns:
        The parts from 0 to 10. A part that cannot be told (readability of a text without Latin
        letters) is ``None`` and leaves the mean alone.
    """
    parts = {
        "length": length_score(word_count(hook)),
        "readability": readability_score(hook),
        "emotion": emotion_score(hook),
        "attention": attention_score(hook),
        "relevance": relevance_score(hook, f"{idea} {industry}"),
    }
    known = [score for score in parts.values() if score is not None]
    rounded: dict[str, Any] = {
        name: None if score is None else round(score, 1) for name, score in parts.items()
    }
    return HeuristicScore(**rounded, overall=round(sum(known) / len(known), 1))


def words_of(text: str) -> list[str]:
    """The words of a text in lower case; contractions and hyphenated words count as one."""
    return [match[0].casefold().replace("’", "'") for match in _WORD.finditer(text)]


def word_count(text: str) -> int:
    """How many words a text has, as a reader counts them: by the spaces between them."""
    return sum(any(c.isalnum() for c in word) for word in text.split())


def length_score(words: int) -> float:
    """10 from 6 to 12 words, which is what writers are asked for; less in proportion on both sides.

    It is 0 for no words, and from 24 words on. The bounds are the pipeline's own.
    """
    if words < LEAST_WORDS:
        return 10 * words / LEAST_WORDS
    return max(0.0, 10 - 10 * max(0, words - MOST_WORDS) / MOST_WORDS)


def readability_score(text: str) -> float | None:
    """Flesch reading ease divided by 10, between 0 and 10.

    ``206.835 − 1.015 × words a sentence − 84.6 × syllables a word`` (R. Flesch, "A new readability
    yardstick", Journal of Applied Psychology 32, 1948). Syllables are counted by groups of vowels.
    Over so few words one long word weighs much.
    """
    words = [word for word in words_of(text) if re.search("[a-z]", word)]
    if not words:
        return None
    sentences = max(1, len(_SENTENCE_END.findall(text)))
    syllables = sum(_syllables(word) for word in words)
    ease = 206.835 - 1.015 * len(words) / sentences - 84.6 * syllables / len(words)
    return min(10.0, max(0.0, ease / 10))


def _syllables(word: str) -> int:
    groups = len(_VOWELS.findall(word))
    silent = word.endswith("e") and not word.endswith(("le", "ee")) and groups > 1
    return max(1, groups - silent)


def emotion_score(text: str) -> float:
    """Words of strong feeling, each closing half of the distance to 10: 0, 5, 7.5 and so on.

    Content that arouses is passed on more (J. Berger and K. Milkman, "What makes online content
    viral?", Journal of Marketing Research 49, 2012). Which words arouse is a list of our own.
    """
    words = words_of(text)
    hits = sum(word in HIGH_AROUSAL or stem(word) in _AROUSING_STEMS for word in words)
    hits += "!" in text and hits > 0
    return 10 - 10 * 0.5**hits


def attention_score(text: str) -> float:
    """Devices that stop a reader, 2.5 points each.

    They are a gap, a turn or denial, an address or a question, and a figure or an opening in the
    first person; an opening that any post could have costs 2.5. Gaps: G. Loewenstein, "The
    psychology of curiosity", Psychological Bulletin 116, 1994. Denial and negative words:
    C. Robertson and others, "Negativity drives online news consumption", Nature Human Behaviour 7,
    2023. Questions that address the reader: L. Lai and A. Farbrot, "What makes you click?", Social
    Influence 9, 2014. How much each weighs is our choice.
    """
    words = words_of(text)
    if not words:
        return 0.0
    seen = set(words)
    devices = (
        bool(seen & CURIOSITY) or "…" in text or ":" in text,
        bool(seen & CONTRAST),
        bool(seen & {"you", "your", "you're", "yours"}) or text.rstrip().endswith("?"),
        any(c.isdigit() for c in text) or words[0] in {"i", "we", "my", "our"},
    )
    weak = " ".join(words).startswith(WEAK_OPENINGS)
    return max(0.0, 2.5 * sum(devices) - 2.5 * weak)


def relevance_score(hook: str, topic: str) -> float:
    """How much of the hook's topic words the brief has too.

    10 from three shared ones on, or where all of them are shared. An overlap coefficient over word
    stems (D. Szymkiewicz, 1934; G. Simpson, 1960), bounded at three because a hook of twelve words
    can hardly share more.
    """
    own = topic_stems(hook)
    if not own:
        return 0.0
    shared = len(own & topic_stems(topic))
    return 10 * min(1.0, shared / min(3, len(own)))


def topic_stems(text: str) -> frozenset[str]:
    """The stems of a text's words that carry its topic."""
    return frozenset(stem(word) for word in words_of(text) if word not in STOP_WORDS)


def stem(word: str) -> str:
    """A word without its commonest English ending."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)] + ("y" if ending in ("ies", "ied") else "")
            break
    return word[:-1] if len(word) > 3 and word[-1] in ("e", word[-2]) else word


_AROUSING_STEMS = frozenset(stem(word) for word in HIGH_AROUSAL if len(word) > 4)
