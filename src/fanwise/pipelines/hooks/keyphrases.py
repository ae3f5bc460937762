"""The key phrases of an idea, for rules that have no model: what a template can be about.

Candidates are the runs of words between stop words and punctuation, scored by how often their words
occur and how long the runs are that hold them (RAKE: S. Rose and others, in "Text Mining:
Applications and Theory", 2010). Verbs and adverbs that stand beside nouns are cut off by lists and
endings, which is a guess and not a parse.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from fanwise.pipelines.hooks.lexicon import (
    DOING,
    MODIFIERS,
    NOUNS_IN_LY,
    STOP_WORDS,
    TIMES,
    VERBS,
)

MOST_WORDS = 4
_DETERMINERS = frozenset(
    {"a", "an", "the", "this", "these", "my", "our", "your", "their", "one", "every"}
)
_BEFORE_VERBS = frozenset(
    {"to", "and", "or", "i", "we", "you", "they", "people", "not", "don't", "never", ",", ";", ":"}
)
_PIECE = re.compile(r"[^\W_]+(?:['’.&/+-][^\W_]+)*|[^\w\s]")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def key_phrases(text: str, *, most: int = 3) -> list[str]:
    """The phrases a text is most about, best first.

    Args:
        text: An idea in a few sentences.
        most: How many at most.

    Returns:
        Phrases of one to four words as the text writes them, with their article or possessive; a
        sentence's first word in lower case. Empty where nothing stands out.
    """
    candidates = [words for sentence in _SENTENCE.split(text) for words in _runs(sentence)]
    counts: Counter[str] = Counter()
    degree: dict[str, int] = defaultdict(int)
    bare = [[w.casefold() for w in words if w not in _DETERMINERS] for words in candidates]
    for words in bare:
        for word in words:
            counts[word] += 1
            degree[word] += len(words)
    scored: dict[str, tuple[float, int, str]] = {}
    for place, words in enumerate(bare):
        score = sum(degree[w] / counts[w] for w in words)
        score += sum(counts[w] - 1 for w in words) - 0.15 * place
        score -= 1.5 * (len(words) == 1 and len(words[0]) < 5)
        scored.setdefault(" ".join(words), (-score, place, " ".join(candidates[place])))
    found: list[str] = []
    for _, _, phrase in sorted(scored.values()):
        own = {word.casefold() for word in phrase.split()} - _DETERMINERS
        if not own & {word.casefold() for other in found for word in other.split()}:
            found.append(phrase)
        if len(found) == most:
            break
    return found


def _runs(sentence: str) -> Iterator[list[str]]:
    words = [match[0] for match in _PIECE.finditer(sentence)]
    if words and words[0][1:].islower():
        words[0] = words[0][0].lower() + words[0][1:]
    start = 0
    for end in range(len(words) + 1):
        if end == len(words) or _breaks(words[end]):
            for run in _trimmed(words[start:end], words[:start]):
                yield [*_determiner(words[:start]), *run]
            start = end + 1


def _determiner(before: Sequence[str]) -> list[str]:
    """The article or possessive that stands before a run, over adjectives that were cut off: a
    singular noun in running text has one and cannot do without.
    """
    for word in reversed(before[-3:]):
        low = word.casefold()
        if low in _DETERMINERS:
            return [low]
        if low not in VERBS or low in STOP_WORDS:
            break
    return []


def _breaks(word: str) -> bool:
    low = word.casefold().replace("’", "'")
    return (
        not word[0].isalnum()
        or low in STOP_WORDS
        or low in VERBS
        or word.isdigit()
        or (low.endswith("ly") and len(low) > 5 and low not in NOUNS_IN_LY | MODIFIERS)
    )


def _trimmed(run: list[str], before: Sequence[str]) -> Iterator[list[str]]:
    """A run without a verb at its start or an adjective or participle at its end, where a topic is
    left. A word that may be a verb is taken for one where a sentence or a clause begins with it.
    """
    opens = not before or before[-1].casefold() in _BEFORE_VERBS
    while opens and run and run[0].casefold() in DOING:
        run = run[1:]
    while run and _trails(run[-1]):
        run = run[:-1]
    run = run[-MOST_WORDS:]
    if run and not all(_says_nothing(word) for word in run):
        yield run


def _trails(word: str) -> bool:
    low = word.casefold()
    return low in MODIFIERS or (low.endswith("ed") and word.islower() and len(word) > 5)


def _says_nothing(word: str) -> bool:
    return word.casefold() in TIMES | MODIFIERS or len(word) < 3
