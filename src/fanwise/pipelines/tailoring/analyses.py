"""The analyses of jobs: each job once for a day, however many resumes wait for it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import fanwise as fw
from fanwise.pipelines.tailoring import tables
from fanwise.pipelines.tailoring.analysis import JobAnalysis, checked_analysis
from fanwise.pipelines.tailoring.prompt import PROMPT_VERSION

Ask = Callable[[], Awaitable[tuple[Mapping[str, Any], str]]]
"""Asks for an analysis; returns the answer and the model that gave it."""


class Analyses:
    """Analyses by posting and models: one asks, the others wait for its answer.

    Args:
        store: Where they are kept; ``None`` for this process's memory alone.
        max_age_s: For how many seconds one is used again.
        now: Time in epoch seconds.
    """

    def __init__(
        self, store: fw.Store | None, *, max_age_s: float, now: Callable[[], float]
    ) -> None:
        self._store = store
        self._max_age_s = max_age_s
        self._now = now
        self._known: dict[str, tuple[JobAnalysis, list[str]]] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def get(
        self,
        text: str,
        *,
        models: Sequence[str],
        parameters: Mapping[str, Any],
        version: str,
        ask: Ask,
    ) -> tuple[JobAnalysis, list[str]]:
        """The analysis of a posting, and warnings about it.

        Raises what ``ask`` does; whoever waited for it then asks itself.
        """
        key = _key(text, models, parameters, version)
        async with self._asking.setdefault(key, asyncio.Lock()):
            if key in self._known:
                return self._known[key]
            kept = await self._kept(key)
            if kept is None:
                answer, model = await ask()
                analysis, warnings = checked_analysis(answer, text, model=model)
                await self._keep(key, analysis)
            else:
                analysis, warnings = kept, []
            self._known[key] = (analysis, warnings)
            return analysis, warnings

    async def _kept(self, key: str) -> JobAnalysis | None:
        if self._store is None or not self._max_age_s:
            return None
        table = tables.analyses
        query = table.select().where(table.c.key == key)
        row = await self._store.read(lambda c: c.execute(query).mappings().first())
        if row is None or row["created_at"] + self._max_age_s < self._now():
            return None
        return JobAnalysis.from_json(row["analysis"])

    async def _keep(self, key: str, analysis: JobAnalysis) -> None:
        if self._store is None:
            return
        row = {"key": key, "analysis": analysis.as_json(), "created_at": self._now()}
        await self._store.write(lambda c: tables.replace_row(c, tables.analyses, row))


def _key(text: str, models: Sequence[str], parameters: Mapping[str, Any], version: str) -> str:
    whole = json.dumps(
        [PROMPT_VERSION, version, list(models), dict(parameters), text],
        sort_keys=True,
        default=str,
    )
    return hashlib.sha256(whole.encode()).hexdigest()[:32]
