"""Free text computed from a prompt: its most telling sentences, and nothing that is not in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？]*")
_WORD = re.compile(r"[^\W\d_]{3,}")
_LONGEST = 20_000
# Words that say little of what a text is about, in the languages the samples are written in.
_COMMON_TEXT = """
the and for that this with you your are was were has have had not but from they will can would
there their what which when who how all any our its been more than into out about please
und der die das den dem ein eine ist nicht mit auf von für sich auch
les des une est pas pour que qui dans sur los las una por con para del
"""
_COMMON = frozenset(_COMMON_TEXT.split())


def sentences(text: str) -> Sequence[str]:
    """The sentences and lines of a text, in order, without what is empty."""
    return [s for s in (m.group().strip() for m in _SENTENCE.finditer(text[:_LONGEST])) if s]


def key_terms(text: str, *, most: int) -> Sequence[str]:
    """The words that occur most often, common ones left out; ties go to the earlier."""
    words = [word.lower() for word in _WORD.findall(text[:_LONGEST])]
    counts = Counter(word for word in words if word not in _COMMON)
    return [word for word, _ in counts.most_common(most)]


def extract(text: str, *, max_sentences: int = 3) -> str:
    """The sentences that hold most of a text's key terms, in their own order.

    Sentences are ranked by the mean frequency of their terms, after Luhn's abstracts (1958).
    """
    found = sentences(text)
    if not found:
        return text.strip()[:200]
    terms = Counter(
        w for w in (w.lower() for w in _WORD.findall(text[:_LONGEST])) if w not in _COMMON
    )
    ranked = sorted(range(len(found)), key=lambda place: (-_weight(found[place], terms), place))
    return " ".join(found[place] for place in sorted(ranked[:max_sentences]))


def _weight(sentence: str, terms: Counter[str]) -> float:
    words = [word for word in (w.lower() for w in _WORD.findall(sentence)) if word in terms]
    if not words:
        return 0.0
    # A square root in the divisor favours a full sentence over one word that occurs often.
    return sum(terms[word] for word in words) / float(len(words)) ** 0.5
