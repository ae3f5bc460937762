"""Where the subject changes: chapters out of passages.

After M. Hearst, "TextTiling" (1997): the words on both sides of a gap are compared, and chapters
begin where they have least in common.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fanwise.pipelines.notes.records import Passage
from fanwise.pipelines.notes.rules.text import Sentence, addressed

_MOST = 12
_SIDE = 3  # passages that are compared on either side of a gap
_TITLE_WORDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A run of passages about one subject.

    Args:
        title: The words that mark it off from the others.
        passages: Its passages.
        sentences: Theirs.
    """

    title: str
    passages: Sequence[Passage]
    sentences: Sequence[Sentence]

    @property
    def start_s(self) -> float | None:
        """When it begins; ``None`` without times."""
        return self.passages[0].start_s

    @property
    def end_s(self) -> float | None:
        """When it ends; ``None`` without times."""
        return self.passages[-1].end_s

    @property
    def sources(self) -> list[str]:
        """The ids of its passages."""
        return [passage.id for passage in self.passages]


def chapters_of(passages: Sequence[Passage], sentences: Sequence[Sentence]) -> list[Chapter]:
    """The chapters of a recording: about the square root of its passages, hardly more than 12, none
    longer than about twice their mean.
    """
    bags = [Counter[str]() for _ in passages]
    for sentence in sentences:
        bags[sentence.passage].update(sentence.words)
    wanted = min(_MOST, max(1, round(1.2 * math.sqrt(len(passages)))), len(passages))
    starts = _starts(bags, wanted)
    found: list[tuple[int, int]] = list(zip(starts, [*starts[1:], len(passages)], strict=True))
    within = [sum((bags[n] for n in range(a, b)), Counter[str]()) for a, b in found]
    spread = Counter(word for bag in within for word in bag)
    taken: set[str] = set()
    chapters: list[Chapter] = []
    names = addressed(sentences)
    for bag in within:
        for word in names:
            bag.pop(word, None)
    for (first, after), bag in zip(found, within, strict=True):
        chapters.append(
            Chapter(
                title=_title(bag, spread, len(found), taken),
                passages=passages[first:after],
                sentences=[s for s in sentences if first <= s.passage < after],
            )
        )
    return chapters


def _starts(bags: Sequence[Counter[str]], wanted: int) -> list[int]:
    least = max(1, len(bags) // (2 * wanted))
    gaps = sorted(range(1, len(bags)), key=lambda gap: (_alike(bags, gap), gap))
    starts = [0]
    for gap in gaps:
        if len(starts) == wanted:
            break
        far = all(abs(gap - start) >= least for start in starts) and len(bags) - gap >= least
        if far:
            starts.append(gap)
    most = max(2, 2 * len(bags) // wanted)
    while True:
        ordered = sorted(starts)
        runs = zip(ordered, [*ordered[1:], len(bags)], strict=True)
        long = next((run for run in runs if run[1] - run[0] > most), None)
        if long is None:
            return ordered
        # One subject for most of the recording says little: it is cut where it changes most.
        inner = range(long[0] + least, long[1] - least + 1)
        starts.append(min(inner, key=lambda gap: (_alike(bags, gap), gap)))


def _alike(bags: Sequence[Counter[str]], gap: int) -> float:
    """Cosine of the words before a gap and behind it."""
    before = sum(bags[max(0, gap - _SIDE) : gap], Counter[str]())
    behind = sum(bags[gap : gap + _SIDE], Counter[str]())
    product = sum(n * behind[word] for word, n in before.items())
    sizes = math.sqrt(sum(n * n for n in before.values()) * sum(n * n for n in behind.values()))
    return product / sizes if sizes else 0.0


def _title(bag: Counter[str], spread: Counter[str], chapters: int, taken: set[str]) -> str:
    def weight(word: str) -> tuple[float, str]:
        rarity = math.log(1 + chapters / spread[word])
        return -bag[word] * rarity * (0.3 if word in taken else 1.0), word

    words = sorted(bag, key=weight)[:_TITLE_WORDS]
    taken.update(words)
    text = ", ".join(words)
    return text[:1].upper() + text[1:] if text else "Without words"
