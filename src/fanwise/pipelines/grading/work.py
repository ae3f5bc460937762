"""Grading carried out: by rule where a rule can tell, else by a model, one answer or several."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import fanwise as fw
from fanwise.pipelines.grading.marking import mark
from fanwise.pipelines.grading.memory import Memory
from fanwise.pipelines.grading.prompt import (
    MOST_ANSWER_CHARS,
    PROMPT_VERSION,
    messages_for,
    messages_for_pack,
)
from fanwise.pipelines.grading.records import Grade, Task, rating_for
from fanwise.pipelines.grading.rules import RULES_VERSION, rules

if TYPE_CHECKING:
    from fanwise.pipelines.grading.schema import Judgement

_BY_RULES = ("builtin", "sim")


def version_for(model: str) -> str:
    """What a call's answer depends on besides its content: the prompt, or the rules as well."""
    provider = model.replace(":", "/", 1).partition("/")[0]
    return f"{PROMPT_VERSION} {RULES_VERSION}" if provider in _BY_RULES else PROMPT_VERSION


class Grader:
    """Grades answers within a run.

    Args:
        model: Whom to ask, as ``provider/model``.
        parameters: Sampling parameters by the provider's own names.
        store: Where grades are remembered; ``None`` to remember them only while it lasts.
        at_once: Most calls at once, for grading within a run that others use too; ``None`` leaves
            it to the run's limits.
        reuse: Whether grades of earlier equal answers count.
        now: The time, in epoch seconds.

    Attributes:
        model: Whom it asks.
        peak: Most calls that were under way at one time.
        call_s: Seconds that each call took, with what it waited for once ``at_once`` had let it
            through; a pack is one call.
    """

    def __init__(
        self,
        *,
        model: str,
        parameters: Mapping[str, Any],
        store: fw.Store | None = None,
        at_once: int | None = None,
        reuse: bool = True,
        now: Callable[[], float],
    ) -> None:
        self.model = model
        self.peak = 0
        self.call_s: list[float] = []
        self._at_once = 0
        self._parameters = dict(parameters)
        self._gate = None if at_once is None else asyncio.Semaphore(at_once)
        self._version = version_for(model)
        known = f"{model} {self._version} {sorted(self._parameters.items())!r}"
        self.memory = Memory(store if reuse else None, version=known, now=now)

    async def one(self, ctx: fw.Context, task: Task) -> Grade:
        """The grade of one answer.

        Raises:
            CallError: It could not be graded; that says nothing of the answer.
        """
        grade = mark(task.question, task.answer)
        if grade is not None:
            return grade
        _check_length(task)
        return await self.memory.grade(task, lambda: self._asked(ctx, task))

    async def several(
        self, ctx: fw.Context, tasks: Mapping[str, Task]
    ) -> Mapping[str, Grade | Exception]:
        """The grades of several answers out of one request; an id may be missing.

        Only what no rule can tell and no memory knows is asked for; of equal answers one.
        """
        grades: dict[str, Grade | Exception] = {}
        keys: dict[str, Task] = {}
        for name, task in tasks.items():
            marked = mark(task.question, task.answer)
            if marked is not None:
                grades[name] = marked
            elif len(task.answer) > MOST_ANSWER_CHARS:
                grades[name] = _too_long(task)
            else:
                keys.setdefault(self.memory.key(task), task)
        known = await self.memory.recalled(keys)
        wanted = {key: task for key, task in keys.items() if key not in known}
        if wanted:
            names = {f"a{number}": key for number, key in enumerate(wanted, 1)}
            asked = {name: wanted[key] for name, key in names.items()}
            found = await self._asked_together(ctx, asked)
            failures = {
                names[name]: grade
                for name, grade in found.items()
                if name in names and not isinstance(grade, Grade)
            }
            fresh = {
                names[name]: grade
                for name, grade in found.items()
                if name in names and isinstance(grade, Grade)
            }
            await self.memory.keep(fresh)
            known |= fresh
            # Nobody asked for these: the engine counts them and drops them.
            grades |= {f"surplus {name}": one for name, one in found.items() if name not in names}
            for name, task in tasks.items():
                failure = failures.get(self.memory.key(task))
                if failure is not None and name not in grades:
                    grades[name] = failure
        for name, task in tasks.items():
            grade = known.get(self.memory.key(task)) if name not in grades else None
            if grade is not None:
                grades[name] = grade
        return grades

    async def _asked(self, ctx: fw.Context, task: Task) -> Grade:
        from fanwise.pipelines.grading.schema import Judgement

        judgement = await self._call(ctx, messages_for(task), Judgement, label="grade")
        return grade_from(judgement, model=self.model)

    async def _asked_together(
        self, ctx: fw.Context, tasks: Mapping[str, Task]
    ) -> dict[str, Grade | Exception]:
        from fanwise.pipelines.grading.schema import Judgements

        answered = await self._call(ctx, messages_for_pack(tasks), Judgements, label="grade pack")
        counted = Counter(one.id for one in answered.grades)
        found: dict[str, Grade | Exception] = {}
        for one in answered.grades:
            if counted[one.id] > 1:
                continue  # which of them is meant? It counts as missing
            try:
                found[one.id] = grade_from(one, model=self.model)
            except fw.errors.InvalidOutput as error:
                found[one.id] = error
        return found

    async def _call(
        self, ctx: fw.Context, messages: Sequence[fw.types.Message], schema: Any, *, label: str
    ) -> Any:
        async with self._gate or contextlib.nullcontext():
            self._at_once += 1
            self.peak = max(self.peak, self._at_once)
            begun = asyncio.get_running_loop().time()
            try:
                return await ctx.call(
                    self.model,
                    messages,
                    schema=schema,
                    parameters=self._parameters,
                    rules=rules,
                    version=self._version,
                    label=label,
                )
            finally:
                self._at_once -= 1
                self.call_s.append(asyncio.get_running_loop().time() - begun)


def grade_from(judgement: Judgement, *, model: str) -> Grade:
    """The grade that a model's judgement makes.

    Raises:
        InvalidOutput: The model could not judge: the answer stays ungraded.
    """
    if judgement.verdict == "cannot_judge":
        raise fw.errors.InvalidOutput(
            f"{model} could not judge the answer: {judgement.feedback[:200]}",
            hint="give the question a reference (expected) or a rubric",
        )
    correct = judgement.verdict == "correct"
    return Grade(
        is_correct=correct,
        score=judgement.score,
        feedback=judgement.feedback,
        suggested_rating=rating_for(
            judgement.score, is_correct=correct, suggested=judgement.suggested_rating
        ),
        graded_by=model,
        missing=tuple(judgement.missing),
        instructs_grader=judgement.instructs_grader,
    )


def _check_length(task: Task) -> None:
    if len(task.answer) > MOST_ANSWER_CHARS:
        raise _too_long(task)


def _too_long(task: Task) -> fw.errors.InputError:
    return fw.errors.InputError(
        f"the answer has {len(task.answer):,} characters, more than {MOST_ANSWER_CHARS:,}",
        source=task.id,
        hint="shorten it: it would not be read with care",
    )
