"""What the hooks pipeline is asked to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from typing import Any, Self, cast

import fanwise as fw
from fanwise.pipelines.hooks.criteria import CRITERIA, MOST_FOCUS

RULES_MODEL = "builtin/rules"
AUDIENCES = ("beginner", "intermediate", "expert")
CONTENT_TYPES = ("tip", "story", "announcement", "question")
MOST_MODELS = 6
MOST_REPEATS = 5
_IDEA_CHARS = (10, 1000)
_INDUSTRY_CHARS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class HooksJob:
    """An idea for a post, who writes hooks for it, and who judges them.

    Args:
        post_idea: What the post is about, 10 to 1000 characters.
        industry: Whose post it is, at most 100 characters; empty where it does not matter.
        target_audience: ``beginner``, ``intermediate`` or ``expert``.
        content_type: ``tip``, ``story``, ``announcement`` or ``question``.
        models: One to six writers as ``provider/model``, each once; the pipeline's own rules by
            default.
        focus_skills: At most three of the judge's criteria that share 60 % of the weight.
        judge: Who scores every hook; the rules by default.
        validator: Who checks every judgement; nobody by default.
        repeats: How often each hook is judged, 1 to 5. From 2 on the spread of the scores is
            known; rules always say the same and take no repeats.
        compare: Whether the best hooks of the models are compared with each other as well, each
            pair in both orders.
        parameters: Sampling parameters of the writers by the provider's own names.

    Raises:
        InvalidFields: Fields that are wrong, with one reason for each of them.
    """

    post_idea: str
    industry: str = ""
    target_audience: str = "intermediate"
    content_type: str = "tip"
    models: Sequence[str] = (RULES_MODEL,)
    focus_skills: Sequence[str] = ()
    judge: str = RULES_MODEL
    validator: str | None = None
    repeats: int = 1
    compare: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        wrong = dict(_faults(self))
        if wrong:
            raise fw.errors.InvalidFields(
                "hooks", wrong, hint="each field above says what it takes"
            )

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """The job that JSON describes; null leaves a field out.

        Raises:
            InvalidFields: One reason for each field that is wrong; unknown fields are wrong too.
        """
        known = [one.name for one in fields_of(cls)]
        given = {name: value for name, value in fields.items() if value is not None}
        wrong = {
            name: f"there is no such field; there are {', '.join(known)}"
            for name in given
            if name not in known
        }
        taken = {name: value for name, value in given.items() if name in known}
        taken.setdefault("post_idea", None)
        try:
            job = cls(**taken)
        except fw.errors.InvalidFields as error:
            wrong = {**error.fields, **wrong}
        else:
            if not wrong:
                return job
        raise fw.errors.InvalidFields("hooks", wrong, hint="each field above says what it takes")

    def as_json(self) -> dict[str, Any]:
        """What :meth:`from_json` makes this job of again."""
        found = {one.name: getattr(self, one.name) for one in fields_of(self)}
        found |= {"models": list(self.models), "focus_skills": list(self.focus_skills)}
        return found | {"parameters": dict(self.parameters)}

    @property
    def brief(self) -> dict[str, str]:
        """What writers and judges are told of the post."""
        return {
            "content_type": self.content_type,
            "target_audience": self.target_audience,
            "industry": " ".join(self.industry.split()),
            "post_idea": self.post_idea.strip(),
        }

    @property
    def calls(self) -> int:
        """How many calls it makes where all goes well: writing, judging, checking, comparing."""
        per_hook = self.repeats + (self.validator is not None)
        pairs = len(self.models) * (len(self.models) - 1) // 2 if self.compare else 0
        return len(self.models) * (1 + 5 * per_hook) + 2 * pairs


def canonical(model: str) -> str:
    """``provider/model`` of either spelling, for comparing names."""
    provider, separator, name = model.partition(":")
    return f"{provider}/{name}" if separator and "/" not in provider else model


def _faults(job: HooksJob) -> Iterator[tuple[str, str]]:
    """Each wrong field with its reason. Nothing is known of the fields' types yet."""
    yield from _text_faults(job)
    for name, allowed in (("target_audience", AUDIENCES), ("content_type", CONTENT_TYPES)):
        value: Any = getattr(job, name)
        if value not in allowed:
            yield name, f"is {_shown(value)}; it is one of {', '.join(allowed)}"
    for name, reason in (
        ("models", _models_fault(job.models)),
        ("focus_skills", _focus_fault(job.focus_skills)),
        ("judge", _model_fault(job.judge)),
        ("validator", None if job.validator is None else _model_fault(job.validator)),
        ("repeats", _repeats_fault(job.repeats, job.judge)),
    ):
        if reason is not None:
            yield name, reason
    yield from _switch_faults(job)


def _text_faults(job: HooksJob) -> Iterator[tuple[str, str]]:
    least, most = _IDEA_CHARS
    idea: Any = job.post_idea
    if idea is None:
        yield "post_idea", f"is missing; say what the post is about in {least} to {most} characters"
    elif not isinstance(idea, str):
        yield "post_idea", f"is {_shown(idea)}; it is a text"
    elif not _writable(idea):
        yield "post_idea", "holds half a character (a lone surrogate); send it as UTF-8"
    elif not least <= len(idea.strip()) <= most:
        have = len(idea.strip())
        yield "post_idea", f"has {have} characters; it takes {least} to {most}"
    industry: Any = job.industry
    if not isinstance(industry, str):
        yield "industry", f"is {_shown(industry)}; it is a text"
    elif not _writable(industry):
        yield "industry", "holds half a character (a lone surrogate); send it as UTF-8"
    elif len(industry.strip()) > _INDUSTRY_CHARS:
        yield "industry", f"has {len(industry.strip())} characters; the most is {_INDUSTRY_CHARS}"


def _switch_faults(job: HooksJob) -> Iterator[tuple[str, str]]:
    compare: Any = job.compare
    if not isinstance(compare, bool):
        yield "compare", f"is {_shown(compare)}; it is true or false"
    elif compare and isinstance(job.models, (list, tuple)) and len(job.models) < 2:
        yield "compare", "needs two models or more; there is one"
    parameters: Any = job.parameters
    if not isinstance(parameters, Mapping):
        yield "parameters", f"is {_shown(parameters)}; it is an object such as {{'temperature': 1}}"


def _models_fault(value: Any) -> str | None:
    names = _texts(value)
    if names is None:
        return f"is {_shown(value)}; it is a list of provider/model"
    if not 1 <= len(names) <= MOST_MODELS:
        return f"names {len(names)} models; it takes 1 to {MOST_MODELS}"
    for name in names:
        fault = _model_fault(name)
        if fault is not None:
            return fault
    seen = [canonical(name) for name in names]
    twice = next((name for name in seen if seen.count(name) > 1), None)
    return None if twice is None else f"names {twice} twice; each model writes once"


def _focus_fault(value: Any) -> str | None:
    names = _texts(value)
    if names is None:
        return f"is {_shown(value)}; it is a list of {', '.join(CRITERIA)}"
    if len(names) > MOST_FOCUS:
        return f"names {len(names)} skills; the most is {MOST_FOCUS}"
    unknown = next((name for name in names if name not in CRITERIA), None)
    if unknown is not None:
        return f"{_shown(unknown)} is no criterion; there are {', '.join(CRITERIA)}"
    twice = next((name for name in names if names.count(name) > 1), None)
    return None if twice is None else f"names {twice} twice"


def _model_fault(value: Any) -> str | None:
    if isinstance(value, str) and len(value) <= 200:
        provider, _, name = canonical(value).partition("/")
        if provider.strip() and name.strip():
            return None
    return f"is {_shown(value)}; write provider/model, such as openai/gpt-4o-mini or {RULES_MODEL}"


def _repeats_fault(value: Any, judge: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return f"is {_shown(value)}; it is a whole number"
    if not 1 <= value <= MOST_REPEATS:
        return f"is {value}; it takes 1 to {MOST_REPEATS}"
    if value > 1 and isinstance(judge, str) and canonical(judge) == RULES_MODEL:
        return f"is {value}; rules say the same each time: name a judge, or leave it at 1"
    return None


def _writable(text: str) -> bool:
    """Whether a text can be sent as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _texts(value: Any) -> list[str] | None:
    """A list of texts; ``None`` where it is none."""
    if not isinstance(value, (list, tuple)):
        return None
    parts = list(cast("Sequence[Any]", value))
    return parts if all(isinstance(part, str) for part in parts) else None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
