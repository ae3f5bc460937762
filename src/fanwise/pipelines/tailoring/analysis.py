"""What a job asks for, as the analysis has it: a model's, checked, or that of the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fanwise.pipelines.tailoring.posting import Posting, read_posting
from fanwise.pipelines.tailoring.text import lexicon, stems_of

_MOST_TERMS = 40
_MOST_CHARS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAnalysis:
    """The analysis of a job: what a tailored resume should speak of.

    Args:
        title: The job's title.
        required: What it requires, the most important first.
        preferred: What it would like to see.
        core: What the work itself is about.
        regulatory: Laws, standards and licences that it names.
        model: Who analysed: the model, or ``rules`` where every model failed.
    """

    title: str
    required: tuple[str, ...] = ()
    preferred: tuple[str, ...] = ()
    core: tuple[str, ...] = ()
    regulatory: tuple[str, ...] = ()
    model: str = ""

    def as_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "title": self.title,
            "required": list(self.required),
            "preferred": list(self.preferred),
            "core": list(self.core),
            "regulatory": list(self.regulatory),
            "model": self.model,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> JobAnalysis:
        """What :meth:`as_json` was made of."""
        return cls(
            title=value["title"],
            required=tuple(value["required"]),
            preferred=tuple(value["preferred"]),
            core=tuple(value["core"]),
            regulatory=tuple(value["regulatory"]),
            model=value["model"],
        )


def analysis_by_rules(text: str) -> dict[str, Any]:
    """The analysis in the shape of its schema, by rules."""
    posting = read_posting(text)
    known = lexicon()
    terms = {need: _terms(posting, need) for need in ("required", "preferred", "core")}
    law = [term for found in terms.values() for term in found if term in known.regulatory]
    return {"title": posting.title, **terms, "regulatory": list(dict.fromkeys(law))}


def checked_analysis(
    answer: Mapping[str, Any], text: str, *, model: str
) -> tuple[JobAnalysis, list[str]]:
    """An answer held against the posting: terms that it does not speak of are left out.

    Returns:
        The analysis, and a warning for each kind of term that was left out.
    """
    posting = read_posting(text)
    named = {term for one in posting.requirements for term in one.terms}
    stems = stems_of(text)
    dropped: list[str] = []
    taken: set[str] = set()

    def kept(key: str) -> tuple[str, ...]:
        found: list[str] = []
        for raw in list(answer.get(key) or ())[:_MOST_TERMS]:
            term = " ".join(str(raw).split())[:_MOST_CHARS]
            if not term or (term.lower() in taken and key != "regulatory"):
                continue
            wanted = stems_of(term)
            if term in named or (wanted and len(wanted & stems) >= 0.6 * len(wanted)):
                found.append(term)
                taken.add(term.lower())
            else:
                dropped.append(term)
        return tuple(found)

    required, preferred, core = kept("required"), kept("preferred"), kept("core")
    analysis = JobAnalysis(
        title=posting.title or str(answer.get("title") or "")[:120],
        required=required,
        preferred=preferred,
        core=core,
        regulatory=kept("regulatory"),
        model=model,
    )
    words = ", ".join(dropped[:5])
    return analysis, [f"the analysis named what the posting does not: {words}"] if dropped else []


def _terms(posting: Posting, need: Any) -> list[str]:
    chosen: Sequence[Any] = posting.of_need(need)
    return [term for one in chosen for term in one.terms]
