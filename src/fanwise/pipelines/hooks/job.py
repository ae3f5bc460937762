"""What the hooks pipeline is asked to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from typing import Any, Self

from fanwise.pipelines import fields as check
from fanwise.pipelines.fields import RULES_MODEL, canonical
from fanwise.pipelines.hooks.criteria import CRITERIA, MOST_FOCUS

AUDIENCES = ("beginner", "intermediate", "expert")
CONTENT_TYPES = ("tip", "story", "announcement", "question")
MOST_MODELS = 6
MOST_REPEATS = 5
_IDEA_CHARS = (10, 1000)
_INDUSTRY_CHARS = 100
_HINT = "each field above says what it takes"


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
        check.refuse("hooks", _faults(self), hint=_HINT)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """The job that JSON describes; null leaves a field out.

        Raises:
            InvalidFields: One reason for each field that is wrong; unknown fields are wrong too.
        """
        known = [one.name for one in fields_of(cls)]
        given = {name: value for name, value in fields.items() if value is not None}
        taken: dict[str, Any] = {"post_idea": None}
        taken |= {name: given[name] for name in given if name in known}
        return check.made("hooks", lambda: cls(**taken), check.unknown(given, known), hint=_HINT)

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


def _faults(job: HooksJob) -> dict[str, str]:
    """Each field with what is wrong with it. Nothing is known of the fields' types yet."""
    least, most = _IDEA_CHARS
    idea: Any = job.post_idea
    if idea is None:
        idea_fault = f"is missing; say what the post is about in {least} to {most} characters"
    else:
        idea_fault = check.text(idea, least=least, most=most)
    return {
        "post_idea": idea_fault,
        "industry": check.text(job.industry, most=_INDUSTRY_CHARS),
        "target_audience": check.choice(job.target_audience, AUDIENCES),
        "content_type": check.choice(job.content_type, CONTENT_TYPES),
        "models": check.models(job.models, most=MOST_MODELS),
        "focus_skills": check.some(job.focus_skills, list(CRITERIA), most=MOST_FOCUS),
        "judge": check.model(job.judge),
        "validator": check.optional(job.validator, check.model),
        "repeats": _repeats_fault(job.repeats, job.judge),
        "compare": _compare_fault(job.compare, job.models),
        "parameters": check.mapping(job.parameters, such_as="{'temperature': 1}"),
    }


def _compare_fault(value: object, models: Sequence[str]) -> str:
    wrong = check.switch(value)
    if not wrong and value and not check.texts(models) and len(models) < 2:
        return "needs two models or more; there is one"
    return wrong


def _repeats_fault(value: object, judge: object) -> str:
    wrong = check.count(value, most=MOST_REPEATS)
    if not wrong and value != 1 and isinstance(judge, str) and canonical(judge) == RULES_MODEL:
        return f"is {value}; rules say the same each time: name a judge, or leave it at 1"
    return wrong
