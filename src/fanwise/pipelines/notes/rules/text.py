"""Sentences, and how much each of them says: by the frequency of its words.

After H. P. Luhn, "The automatic creation of literature abstracts" (1958), with the correction for
repetition of SumBasic (Nenkova and Vanderwende, 2005): a word that has been used counts less.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fanwise.pipelines.notes.records import Passage

_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_END = re.compile(
    r"(?<=[.!?…。！？])[\"'”’)]*\s+(?=[\"'“‘(\[]?[A-ZÀ-ÞА-Я0-9\u3000-\uffff])|(?<=[。！？])|\n+"
)
_SPACELESS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0eff]")
_ABBREVIATION = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St|vs|e\.g|i\.e|etc|approx|bzw|ca|Nr|\d{1,2})\.$")
_SPEAKER = re.compile(r"^(?:-\s+)?(?:[A-Z][\w.'’-]*(?: [A-Z][\w.'’-]*){0,3}: +)?")
_WEAK_START = re.compile(
    r"^(?:and|but|so|or|then|well|okay|ok|roger|yes|no|oh|it|they|he|she|this|that|these|those)\b",
    re.IGNORECASE,
)
_ADDRESSED = re.compile(r"(?:^|, |[.!?] )([A-Z][\w'’-]*)(?=[.,?!]|$)")
_SHORTEST, _LONGEST = 5, 45
_SCRAP = 4  # words; less says nothing by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A sentence and where it stands.

    Args:
        text: As it was said.
        words: Its words that carry meaning, in lower case.
        passage: Place of its passage.
        place: Its own place in the whole.
        length: Its words in all.
    """

    text: str
    words: Sequence[str]
    passage: int
    place: int
    length: int


def content_words(text: str, *, stop: frozenset[str]) -> list[str]:
    """The words of a text that carry meaning, in lower case; of scripts that put no space between
    words, pairs of letters.
    """
    found: list[str] = []
    for word in _words(text):
        if _SPACELESS.search(word):
            found += [word[n : n + 2] for n in range(0, len(word) - 1, 2)]
        elif len(word) > 2 and word not in stop:
            found.append(word)
    return found


def stop_words_for(text: str) -> frozenset[str]:
    """Words that carry no subject, of the language that most of a text's words belong to."""
    counts = Counter(_words(text))
    return max(_stop_words(), key=lambda words: sum(counts[word] for word in words))


@cache
def _stop_words() -> tuple[frozenset[str], ...]:
    place = files("fanwise.pipelines.notes.rules").joinpath("stopwords.txt")
    lines = place.read_text(encoding="utf-8").splitlines()
    return tuple(
        frozenset(line.partition(": ")[2].split()) for line in lines if not line.startswith("#")
    )


def _words(text: str) -> list[str]:
    return [word.lower().replace("’", "'").removesuffix("'s") for word in _WORD.findall(text)]


def length_of(text: str) -> int:
    """The words of a text; of scripts without spaces, pairs of letters."""
    return len(text.split()) + len(_SPACELESS.findall(text)) // 2


def sentences_of(passages: Sequence[Passage]) -> list[Sentence]:
    """All sentences of some passages, in order."""
    stop = stop_words_for(" ".join(passage.text for passage in passages))
    found: list[Sentence] = []
    for number, passage in enumerate(passages):
        for text in _split(passage.text):
            found.append(
                Sentence(
                    text=text,
                    words=tuple(content_words(text, stop=stop)),
                    passage=number,
                    place=len(found),
                    length=length_of(text),
                )
            )
    return found


def _split(text: str) -> list[str]:
    pieces: list[str] = []
    for piece in _END.split(text):
        plain = _SPEAKER.sub("", " ".join(piece.split()))
        if pieces and plain and _ABBREVIATION.search(pieces[-1]):
            pieces[-1] += f" {plain}"
        elif plain:
            pieces.append(plain)
    return [cut for piece in pieces for cut in _cut(piece)]


def _cut(piece: str) -> list[str]:
    """Speech without full stops in pieces that can be quoted."""
    words = piece.split()
    if len(words) <= 2 * _LONGEST:
        return [piece]
    return [" ".join(words[n : n + _LONGEST]) + " …" for n in range(0, len(words), _LONGEST)]


def addressed(sentences: Sequence[Sentence]) -> frozenset[str]:
    """Words that are mostly called out (", Jack."): names of those who talk, and no subject."""
    called = Counter(found.lower() for one in sentences for found in _ADDRESSED.findall(one.text))
    counts = Counter(word for one in sentences for word in one.words)
    return frozenset(word for word, n in called.items() if n >= 2 and n > 0.25 * counts[word])


def weights_of(sentences: Sequence[Sentence]) -> dict[str, float]:
    """How much each word says: its share of all, if not every second sentence has it."""
    counts = Counter(word for sentence in sentences for word in sentence.words)
    holding = Counter(word for sentence in sentences for word in set(sentence.words))
    total = sum(counts.values()) or 1
    many = max(10, len(sentences) // 2)
    names = addressed(sentences)
    return {
        word: 0.0 if holding[word] > many or word in names else n / total
        for word, n in counts.items()
    }


def best(
    sentences: Sequence[Sentence], weights: dict[str, float], *, words: int, most: int = 1000
) -> list[Sentence]:
    """Sentences that say most, in the order they were said, with at most so many words together;
    always at least one where there is one.
    """
    left = dict(weights)
    waiting: Sequence[Sentence] = sentences
    chosen: list[Sentence] = []
    spent = 0
    while waiting and len(chosen) < most:
        top = max(waiting, key=lambda sentence: (_score(sentence, left), -sentence.place))
        if chosen and _score(top, left) <= 0:
            break
        chosen.append(top)
        spent += top.length
        for word in set(top.words):
            left[word] = left.get(word, 0.0) / 3
        room = words - spent
        waiting = _fitting(waiting, room=room, without=top)
    return sorted(chosen, key=lambda sentence: sentence.place)


def _fitting(sentences: Sequence[Sentence], *, room: int, without: Sentence) -> list[Sentence]:
    return [one for one in sentences if one.length <= room and one.text != without.text]


def _score(sentence: Sentence, weights: dict[str, float]) -> float:
    if not sentence.words or sentence.length < _SCRAP:
        return 0.0
    mean = sum(weights.get(word, 0.0) for word in sentence.words) / (len(sentence.words) + 3)
    if sentence.length < _SHORTEST or sentence.length > _LONGEST:
        mean *= 0.3
    if _WEAK_START.match(sentence.text):
        mean *= 0.6
    return mean * (0.5 if sentence.text.endswith(("?", "- -", "-")) else 1.0)
