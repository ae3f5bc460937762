"""Answers submitted in a review session, as a job: each is carried out in a run of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from typing import Any, Self

import fanwise as fw
from fanwise.pipelines import OnEvent
from fanwise.pipelines import fields as check
from fanwise.pipelines.fields import RULES_MODEL
from fanwise.pipelines.grading.cards import open_store
from fanwise.pipelines.grading.job import wrong_modes
from fanwise.pipelines.grading.submission import Submission, submit

NAME = "review"
_HINT = "nothing was graded"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewJob:
    """Answers to questions of one card.

    Args:
        session_id: The session.
        card_id: A card of it.
        answers: ``{"question_index", "answer"}`` each, every question once.
        processing_mode: ``auto``, ``parallel``, ``batch`` or ``sequential``.
        max_concurrent_tasks: Most calls at once, 1 to 10.
        model: Whom to ask about answers that no rule can grade, as ``provider/model``.
        parameters: Sampling parameters by the provider's own names.

    Raises:
        InvalidFields: Fields are wrong: a reason for each one.
    """

    session_id: str
    card_id: str
    answers: Sequence[Mapping[str, Any]]
    processing_mode: str = "auto"
    max_concurrent_tasks: int = 5
    model: str = RULES_MODEL
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        given: Any = self.answers
        reasons = {
            "session_id": check.text(self.session_id, least=1),
            "card_id": check.text(self.card_id, least=1),
            "answers": ""
            if isinstance(given, list | tuple) and given
            else "is empty; give a list of one answer or more",
            **wrong_modes(self.processing_mode, self.max_concurrent_tasks),
            "model": check.model(self.model),
            "parameters": check.mapping(self.parameters),
        }
        check.refuse("review", reasons, hint=_HINT)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """The job that JSON describes.

        Raises:
            InvalidFields: One reason for each field that is wrong; unknown fields are wrong too.
        """
        known = [one.name for one in fields_of(cls)]
        given: dict[str, Any] = {"session_id": "", "card_id": "", "answers": ()}
        given |= {name: value for name, value in fields.items() if name in known}
        return check.made("review", lambda: cls(**given), check.unknown(fields, known), hint=_HINT)

    def as_json(self) -> dict[str, Any]:
        """What :meth:`from_json` makes this job of again."""
        found = {one.name: getattr(self, one.name) for one in fields_of(self)}
        answers = [dict(one) for one in self.answers]
        return found | {"answers": answers, "parameters": dict(self.parameters)}


async def execute(
    job: ReviewJob,
    *,
    home: Any = None,
    open_run: Callable[..., Any] | None = None,
    on_event: OnEvent | None = None,
    **options: Any,
) -> Submission:
    """Carries a submission out in a run of its own, also where no model is asked.

    Args:
        job: The answers.
        home: Where cards and sessions are; by default ``options["journal"]`` or ``./.fanwise``.
        open_run: Opens the run; ``fw.open_run`` by default.
        on_event: Is told of each grade.
        **options: Further options of ``fw.open_run``.

    Returns and raises what :func:`fanwise.pipelines.grading.submit` does.
    """
    where = home if home is not None else fw.open_home(options.pop("journal", None))
    settings: dict[str, Any] = dict(options)
    if open_run is None:
        settings["journal"] = where
    async with open_store(where) as store, (open_run or fw.open_run)(NAME, **settings) as run:
        return await submit(
            store,
            session_id=job.session_id,
            card_id=job.card_id,
            answers=list(job.answers),
            processing_mode=job.processing_mode,
            max_concurrent_tasks=job.max_concurrent_tasks,
            model=job.model,
            parameters=job.parameters,
            run=run,
            on_event=on_event,
        )
