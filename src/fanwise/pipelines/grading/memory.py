"""Equal answers to the same question have one grade, asked for once."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import fanwise as fw
from fanwise.pipelines.grading.normal import answer_key
from fanwise.pipelines.grading.records import Grade, Task
from fanwise.pipelines.grading.tables import recall, remember


def question_key(task: Task) -> str:
    """What makes two questions the same question to whoever grades."""
    question = task.question
    parts = [
        question.text,
        question.kind,
        question.expected,
        list(question.options),
        question.rubric,
        question.tolerance,
    ]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


class Memory:
    """The grades given so far.

    Args:
        store: The tables; ``None`` to remember only while it lasts.
        version: What a grade depends on besides question and answer: model, its parameters, the
            prompt or the rules.
        now: The time, in epoch seconds.
    """

    def __init__(self, store: fw.Store | None, *, version: str, now: Callable[[], float]) -> None:
        self._store = store
        self._version = version
        self._now = now
        self._under_way: dict[str, asyncio.Future[None]] = {}
        self._known: dict[str, Grade] = {}

    def key(self, task: Task) -> str:
        """What equal answers to the same question have in common under this model."""
        parts = (self._version, question_key(task), answer_key(task.answer))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    async def grade(self, task: Task, ask: Callable[[], Awaitable[Grade]]) -> Grade:
        """The grade of an equal answer, or what ``ask`` gives.

        Answers that come while an equal one is being graded wait for that one's grade; where that
        fails, the next one asks itself.
        """
        key = self.key(task)
        while key in self._under_way:
            await asyncio.wait((self._under_way[key],))
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._under_way[key] = mine
        try:
            known = await self.recalled({key: task})
            if known:
                return known[key]
            grade = await ask()
            await self.keep({key: grade})
        finally:
            del self._under_way[key]
            mine.set_result(None)
        return grade

    async def recalled(self, tasks: Mapping[str, Task]) -> dict[str, Grade]:
        """What is known under these keys."""
        found = {key: self._known[key] for key in tasks if key in self._known}
        wanted = [key for key in tasks if key not in found]
        if self._store is not None and wanted:
            rows = await self._store.read(lambda connection: recall(connection, wanted))
            found |= {key: Grade.from_json(json.loads(row)) for key, row in rows.items()}
        return {key: replace(grade, remembered=True) for key, grade in found.items()}

    async def keep(self, grades: Mapping[str, Grade]) -> None:
        """Remembers grades; what is ungraded is not remembered."""
        kept = {key: grade for key, grade in grades.items() if grade.graded}
        if self._store is None:
            self._known |= kept
            return
        rows: dict[str, Any] = {key: json.dumps(grade.as_json()) for key, grade in kept.items()}
        at = self._now()
        if rows:
            await self._store.write(lambda connection: remember(connection, rows, at=at))
