"""How the rules write each kind of section: quoting, counting and saying where, never claiming."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from fanwise.pipelines.notes.passages import clock
from fanwise.pipelines.notes.records import Depth, Passage
from fanwise.pipelines.notes.rules.chapters import Chapter
from fanwise.pipelines.notes.rules.text import Sentence, addressed, best

WORDS: Mapping[Depth, int] = MappingProxyType({"brief": 75, "standard": 150, "comprehensive": 300})
_ENTRIES: Mapping[Depth, int] = MappingProxyType({"brief": 3, "standard": 5, "comprehensive": 8})

_NEEDS = re.compile(
    r"\b(?:you(?:'ll| will)?(?: also)? need|you(?:'ll| will) want|requires?|required|have "
    r"ready|make sure (?:you|to)|before you (?:start|begin|go)|"
    r"beforehand|ingredients?|equipment|tools?)\b",
    re.IGNORECASE,
)
_TROUBLE = re.compile(
    r"\b(?:problems?|trouble|wrong|fails?|failed|failure|errors?|warnings?|broken|leak\w*|too "
    r"(?:hot|cold|wet|dry|low|high|much|little|long|short)|if (?:it|you|the)\b.{0,60}\b(?:not|n't|"
    r"instead)|fix|mistakes?|careful|avoid|don't worry|alarms?|lost|dropp\w+)\b",
    re.IGNORECASE,
)
_METHOD = re.compile(
    r"\b(?:we|i|they)\s+(?:measured|tested|tried|used|compared|checked|counted|recorded|did|took|"
    r"ran|asked|looked)\b|\b(?:measure\w*|experiment\w*|procedure|method|data|readings?|samples?)\b",
    re.IGNORECASE,
)
_DOUBT = re.compile(
    r"\b(?:not sure|don't know|didn't|maybe|perhaps|might|probably|possibly|unclear|i think|"
    r"i guess|i believe|seems?|appears?|open question|it depends|limit\w*|except)\b",
    re.IGNORECASE,
)
_DO = re.compile(
    r"^(?:(?:now|then|next|first|second|third|finally|after that|and|so|just|okay),? )*(?:add|"
    r"allow|apply|ask|attach|bake|begin|bring|build|call|check|choose|clean|click|close|combine|connect|"
    r"copy|count|cover|cut|delete|discard|disable|divide|do|drag|draw|dry|enable|enter|feed|fill|"
    r"find|fold|follow|go|heat|hold|install|keep|knead|leave|let|lift|look|mark|measure|mix|move|"
    r"open|paste|place|plug|pour|press|pull|push|put|read|remove|repeat|rest|restart|rinse|rub|run|save|score|"
    r"select|set|shape|smell|start|stir|stop|store|switch|take|throw|tighten|touch|try|turn|type|"
    r"use|verify|wait|warm|wash|watch|weigh|write|power|configure|stand by)\b",
    re.IGNORECASE,
)
_FIGURE = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|half|hundred|"
    r"thousand|percent|degrees)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording as the rules see it."""

    title: str
    passages: Sequence[Passage]
    sentences: Sequence[Sentence]
    weights: dict[str, float]
    chapters: Sequence[Chapter]


@dataclass(frozen=True, slots=True)
class Body:
    """A section's body and the ids of the passages it was written from."""

    markdown: str
    sources: Sequence[str]


Kind = Callable[[Recording, Depth], Body]


def time_of(passage: Passage) -> str:
    """`` [mm:ss]`` of a passage; empty without times."""
    return "" if passage.start_s is None else f" [{clock(passage.start_s)}]"


def _list(found: Recording, chosen: Sequence[Sentence], otherwise: str) -> Body:
    if not chosen:
        return Body(otherwise, ())
    lines = [f"- {one.text}{time_of(found.passages[one.passage])}" for one in chosen]
    return Body("\n".join(lines), _sources(found, chosen))


def _prose(found: Recording, chosen: Sequence[Sentence], otherwise: str = "") -> Body:
    if not chosen:
        return Body(otherwise or "The recording holds no sentence that can be quoted here.", ())
    text = " ".join(one.text for one in chosen)
    return Body(f"{text}{time_of(found.passages[chosen[0].passage])}", _sources(found, chosen))


def _sources(found: Recording, chosen: Sequence[Sentence]) -> list[str]:
    places = sorted({one.passage for one in chosen})
    return [found.passages[place].id for place in places]


def _like(found: Recording, pattern: re.Pattern[str], depth: Depth) -> list[Sentence]:
    fitting = [one for one in found.sentences if pattern.search(one.text)]
    return best(fitting, found.weights, words=WORDS[depth], most=_ENTRIES[depth])


def overview(found: Recording, depth: Depth) -> Body:
    """What it is about: its length, its chapters and its weightiest sentences."""
    about = f"“{found.title}”" if found.title else "The recording"
    last = found.passages[-1].end_s
    length = "" if last is None else f" lasts {clock(last)} and"
    subjects = "; ".join(chapter.title for chapter in found.chapters)
    chosen = best(found.sentences, found.weights, words=WORDS[depth], most=_ENTRIES[depth])
    said = _prose(found, chosen)
    return Body(f"{about}{length} speaks in turn of: {subjects}.\n\n{said.markdown}", said.sources)


def chapters(found: Recording, depth: Depth) -> Body:
    """All of the recording, chapter by chapter."""
    parts: list[str] = []
    for chapter in found.chapters:
        said = best(chapter.sentences, found.weights, words=WORDS[depth])
        text = " ".join(one.text for one in said) or "Nothing was said that can be quoted."
        parts.append(f"###{time_of(chapter.passages[0])} {chapter.title}\n\n{text}")
    return Body("\n\n".join(parts), [passage.id for passage in found.passages])


def steps(found: Recording, depth: Depth) -> Body:
    """All of the recording, with what is told to do first."""
    parts: list[str] = []
    for number, chapter in enumerate(found.chapters, 1):
        orders = [one for one in chapter.sentences if _DO.match(one.text)]
        do = best(orders, found.weights, words=WORDS[depth] * 2 // 3, most=_ENTRIES[depth])
        rest = [one for one in chapter.sentences if one not in do]
        left = max(20, WORDS[depth] - sum(one.length for one in do))
        why = best(rest, found.weights, words=left)
        told = [f"- {one.text}{time_of(found.passages[one.passage])}" for one in do]
        blocks = [f"### Step {number}: {chapter.title}{time_of(chapter.passages[0])}"]
        blocks += ["\n".join(told)] if told else []
        blocks += [" ".join(one.text for one in why)] if why else []
        parts.append("\n\n".join(blocks))
    return Body("\n\n".join(parts), [passage.id for passage in found.passages])


def slides(found: Recording, depth: Depth) -> Body:
    """All of the recording, a slide a chapter."""
    parts: list[str] = []
    for number, chapter in enumerate(found.chapters, 1):
        points = best(chapter.sentences, found.weights, words=45, most=3)
        spoken = best(chapter.sentences, found.weights, words=WORDS[depth])
        lines = [f"### Slide {number}: {chapter.title}{time_of(chapter.passages[0])}", ""]
        lines += [f"- {shortened(one.text, 10)}" for one in points]
        words = " ".join(one.text for one in spoken) or "Nothing was said that can be quoted."
        parts.append("\n".join([*lines, "", f"**Speaker notes:** {words}"]))
    return Body("\n\n".join(parts), [passage.id for passage in found.passages])


def timeline(found: Recording, depth: Depth) -> Body:
    """All of the recording, a line a chapter."""
    lines: list[str] = []
    for chapter in found.chapters:
        said = best(chapter.sentences, found.weights, words=WORDS[depth] // 2)
        words = " ".join(one.text for one in said)
        lines.append(f"-{time_of(chapter.passages[0])} **{chapter.title}**: {words}".rstrip(": "))
    return Body("\n".join(lines), [passage.id for passage in found.passages])


def references(found: Recording, _: Depth) -> Body:
    """Where each chapter stands."""
    lines: list[str] = []
    for chapter in found.chapters:
        first, last = chapter.passages[0], chapter.passages[-1]
        names = first.id if first is last else f"{first.id} to {last.id}"
        lines.append(f"-{time_of(first)} {chapter.title} ({names})")
    return Body("\n".join(lines), [passage.id for passage in found.passages])


def key_sentences(found: Recording, depth: Depth) -> Body:
    """The weightiest sentences, at most one a passage."""
    first: dict[int, Sentence] = {}
    for one in best(found.sentences, found.weights, words=4 * WORDS[depth]):
        first.setdefault(one.passage, one)
    most = _ENTRIES[depth] - (depth == "comprehensive")
    chosen = best(list(first.values()), found.weights, words=10_000, most=most)
    if len(chosen) < 2:
        chosen = list(found.sentences[:2]) or chosen
    return _list(found, chosen, "The recording holds no sentence that can be quoted here.")


def objectives(found: Recording, _: Depth) -> Body:
    """What can be learnt, named by the chapters."""
    lines: list[str] = []
    sources: list[str] = []
    verbs = ("Explain", "Describe", "Summarise", "Give an example of", "Compare", "Recall")
    subjects = [(chapter.title, chapter.passages[0]) for chapter in found.chapters]
    subjects += [(term, found.passages[one.passage]) for term, one in _terms(found, 6)]
    for verb, (subject, passage) in zip(verbs, subjects, strict=False):
        lines.append(f"- {verb} what is said about **{subject}**{time_of(passage)}")
        sources.append(passage.id)
    return Body("\n".join(lines), list(dict.fromkeys(sources)))


def terms(found: Recording, depth: Depth) -> Body:
    """The words that carry most, each with the sentence that says most about it."""
    pairs = _terms(found, 2 * _ENTRIES[depth])
    limit = 15 if depth == "brief" else 30 if depth == "standard" else 60
    lines = [
        f"- **{term}**: “{shortened(one.text, limit)}”{time_of(found.passages[one.passage])}"
        for term, one in pairs
    ]
    return Body("\n".join(lines), _sources(found, [one for _, one in pairs]))


def questions(found: Recording, depth: Depth) -> Body:
    """Five to eight questions that a sentence of the recording answers."""
    pairs = _terms(found, _ENTRIES[depth] if depth == "comprehensive" else 5 + (depth != "brief"))
    limit = 20 if depth == "brief" else 45
    lines = [
        f"{number}. What is said about {term}? Answer: “{shortened(one.text, limit)}”"
        f"{time_of(found.passages[one.passage])}"
        for number, (term, one) in enumerate(pairs, 1)
    ]
    return Body("\n".join(lines), _sources(found, [one for _, one in pairs]))


def application(found: Recording, depth: Depth) -> Body:
    """What the recording tells somebody to do, as an exercise."""
    orders = [one for one in found.sentences if _DO.match(one.text) or _NEEDS.search(one.text)]
    chosen = best(
        orders or found.sentences, found.weights, words=WORDS[depth], most=_ENTRIES[depth]
    )
    said = _list(found, chosen, "")
    return Body(
        f"Hold each of these against a case of your own, and say whether it applies:\n\n"
        f"{said.markdown}",
        said.sources,
    )


def title_slide(found: Recording, depth: Depth) -> Body:
    """The title, the subjects, and the opening words."""
    title = shortened(found.title or found.chapters[0].title, 10)
    subjects = "; ".join(chapter.title for chapter in found.chapters[:4])
    said = _prose(found, best(found.chapters[0].sentences, found.weights, words=WORDS[depth] // 2))
    return Body(f"**{title}**\n\n{subjects}\n\n**Speaker notes:** {said.markdown}", said.sources)


def closing_slide(found: Recording, depth: Depth) -> Body:
    """Three sentences to remember, and the last words."""
    chosen = best(found.sentences, found.weights, words=60, most=3)
    lines = "\n".join(f"- {shortened(one.text, 10)}" for one in chosen)
    last = best(found.chapters[-1].sentences, found.weights, words=WORDS[depth] // 2)
    said = _prose(found, last)
    return Body(
        f"{lines}\n\n**Speaker notes:** {said.markdown}",
        list(dict.fromkeys([*_sources(found, chosen), *said.sources])),
    )


def opening(found: Recording, depth: Depth) -> Body:
    """How it begins."""
    return _prose(found, best(found.chapters[0].sentences, found.weights, words=WORDS[depth]))


def closing(found: Recording, depth: Depth) -> Body:
    """How it ends."""
    return _prose(found, best(found.chapters[-1].sentences, found.weights, words=WORDS[depth]))


def _matching(pattern: re.Pattern[str], otherwise: str) -> Kind:
    def write(found: Recording, depth: Depth) -> Body:
        return _list(found, _like(found, pattern, depth), otherwise)

    return write


def _terms(found: Recording, most: int) -> list[tuple[str, Sentence]]:
    """Words that carry most, each with a sentence of its own as far as there are enough."""
    names = addressed(found.sentences)
    counts: Counter[str] = Counter()
    for one in found.sentences:
        words = [word for word in one.words if word not in names]
        counts.update(set(words))
        joined = {f"{a} {b}" for a, b in pairwise(one.words) if f"{a} {b}" in one.text.lower()}
        counts.update(pair for pair in joined if not names.intersection(pair.split()))
    # Two words that keep together say more than either.
    counts = Counter({w: 3 * n if " " in w else n for w, n in counts.items() if n > (" " in w)})
    ranked = sorted(counts, key=lambda word: (-counts[word] * min(len(word), 8), word))
    used: set[int] = set()
    pairs: list[tuple[str, Sentence]] = []
    for word in ranked:
        if len(pairs) == most:
            break
        if any(word in known or known in word for known, _ in pairs):
            continue
        holding = [one for one in found.sentences if word in one.text.lower()]
        fitting = [one for one in holding if one.place not in used] or holding
        chosen = best(fitting, found.weights, words=40, most=1)
        if chosen:
            used.add(chosen[0].place)
            pairs.append((word, chosen[0]))
    return pairs


def shortened(text: str, words: int) -> str:
    """A text's first words."""
    found = text.split()
    return text if len(found) <= words else " ".join(found[:words]).rstrip(",;:") + " …"


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "overview": overview,
        "chapters": chapters,
        "steps": steps,
        "slides": slides,
        "timeline": timeline,
        "references": references,
        "key-sentences": key_sentences,
        "objectives": objectives,
        "terms": terms,
        "questions": questions,
        "application": application,
        "title-slide": title_slide,
        "closing-slide": closing_slide,
        "opening": opening,
        "closing": closing,
        "prerequisites": _matching(_NEEDS, "By its wording the recording names none."),
        "troubleshooting": _matching(_TROUBLE, "By its wording the recording names nothing."),
        "methods": _matching(_METHOD, "By its wording the recording does not say."),
        "limitations": _matching(
            _DOUBT, "By its wording the recording leaves nothing open; a single one shows little."
        ),
        "facts": _matching(_FIGURE, "By its wording the recording names none."),
    }
)
"""By the kind that a template's section names: what writes it."""
