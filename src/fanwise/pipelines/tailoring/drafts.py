"""Drafts: looked at, decided on change by change, taken back, promoted."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Self, TypeVar

import fanwise as fw
from fanwise.pipelines.tailoring import tables
from fanwise.pipelines.tailoring.ats import AtsScore, score
from fanwise.pipelines.tailoring.changes import applied
from fanwise.pipelines.tailoring.posting import read_posting
from fanwise.pipelines.tailoring.records import Change, Decision, Resume

NAME = "tailoring"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A tailored resume that waits for decisions.

    Args:
        id: Its id.
        name: The resume's name.
        title: The job's title.
        base: The resume that it was made of.
        posting: The posting.
        changes: Its changes with their decisions.
        model: Whose changes they are.
        status: ``draft`` or ``promoted``.
        created_at: When, in epoch seconds.
    """

    id: str
    name: str
    title: str
    base: Resume
    posting: str
    changes: tuple[Change, ...]
    model: str
    status: str
    created_at: float

    @property
    def resume(self) -> Resume:
        """The resume with the accepted changes."""
        return applied(self.base, self.changes)

    def score(self, *, today: date | None = None) -> AtsScore:
        """The score of the resume as it is decided on now."""
        posting = read_posting(self.posting)
        day = today or datetime.now(UTC).date()
        return score(self.resume, posting, posting_text=self.posting, today=day)

    def as_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "id": self.id,
            "name": self.name,
            "title": self.title,
            "model": self.model,
            "status": self.status,
            "created_at": self.created_at,
            "diff": [change.as_json() for change in self.changes],
            "resume": self.resume.as_json(),
            "score": self.score().as_json(),
        }


class Drafts:
    """The drafts of a home.

    Args:
        home: The home, a directory or a URL; ``./.fanwise`` by default.
        now: Time in epoch seconds.

    ::

        async with Drafts() as drafts:
            draft = await drafts.reject("3f2a", [2])
    """

    def __init__(self, home: Any = None, *, now: Callable[[], float] = time.time) -> None:
        where = fw.open_home(home) if home is None or isinstance(home, str) else home
        self._store = fw.Store(where, NAME, tables.metadata)
        self._now = now

    async def __aenter__(self) -> Self:
        await self._store.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._store.close()

    async def all(self, *, limit: int = 100) -> list[dict[str, Any]]:
        """The newest drafts without their text: id, name, title, model, status, time."""
        rows = await self._store.read(lambda c: tables.list_drafts(c, limit=limit))
        names = ("draft", "name", "title", "model", "status", "scores", "created_at")
        return [{name: row[name] for name in names} for row in rows]

    async def get(self, draft: str) -> Draft:
        """A draft by its id, or by a beginning of it that only one has.

        Raises:
            StateError: There is none, or several begin so.
        """
        row = await self._store.read(lambda c: tables.find_draft(c, draft)) if draft else None
        if row is None:
            raise fw.errors.StateError(
                f"there is no draft {draft!r}, or several begin so",
                hint="`fanwise tailor --drafts` lists them",
            )
        return Draft(
            id=row["draft"],
            name=row["name"],
            title=row["title"],
            base=Resume.from_json(row["resume"]),
            posting=row["posting"],
            changes=tuple(Change.from_json(one) for one in row["changes"]),
            model=row["model"],
            status=row["status"],
            created_at=row["created_at"],
        )

    async def accept(self, draft: str, changes: Sequence[int | str] | None = None) -> Draft:
        """Accepts changes: by number from 1, by path, or all that are not refused.

        Raises:
            StateError: No such draft; it is promoted; or a named change was refused by the gate.
            UsageError: No such change.
        """
        return await self._decide(draft, changes, "accepted")

    async def reject(self, draft: str, changes: Sequence[int | str] | None = None) -> Draft:
        """Rejects changes: by number from 1, by path, or all. Raises as :meth:`accept`."""
        return await self._decide(draft, changes, "rejected")

    async def undo(self, draft: str) -> Draft:
        """Takes the last decision back.

        Raises:
            StateError: No such draft, it is promoted, or nothing was decided.
        """
        found = await self._open(draft)
        at = self._now()
        if not await self._write(lambda c: tables.undo(c, found.id, at=at)):
            raise fw.errors.StateError(
                f"nothing was decided on draft {found.id[:8]}", hint="there is nothing to take back"
            )
        return await self.get(found.id)

    async def promote(self, draft: str) -> str:
        """Makes a draft a base resume of its own and returns that base's id. The one it was made
        of stays as it is.

        Raises:
            StateError: No such draft, or it is promoted already.
        """
        found = await self._open(draft)
        row = base_row(found.resume, name=f"{found.name} ({found.title})", at=self._now())
        row["parent"] = base_row(found.base, name="", at=0.0)["base"]
        at = self._now()
        await self._write(lambda c: tables.promote(c, found.id, row, at=at))
        return str(row["base"])

    async def _open(self, draft: str) -> Draft:
        found = await self.get(draft)
        if found.status != "draft":
            raise fw.errors.StateError(
                f"draft {found.id[:8]} is promoted", hint="tailor the resume anew for another"
            )
        return found

    async def _decide(
        self, draft: str, wanted: Sequence[int | str] | None, decision: Decision
    ) -> Draft:
        found = await self._open(draft)
        chosen = _chosen(found, wanted)
        refused = [n for n in chosen if found.changes[n].verdict == "refused"]
        if decision == "accepted" and refused and wanted is not None:
            change = found.changes[refused[0]]
            raise fw.errors.StateError(
                f"change {refused[0] + 1} ({change.path}) is refused: {'; '.join(change.notes)}",
                hint="put the fact into the resume itself if it is true, and tailor it again",
            )
        changes = [
            replace(change, decision=decision)
            if number in chosen and change.verdict != "refused"
            else change
            for number, change in enumerate(found.changes)
        ]
        rows = [change.as_json() for change in changes]
        at = self._now()
        await self._write(lambda c: tables.decide(c, found.id, rows, at=at))
        return await self.get(found.id)

    def _write(self, work: Callable[[Any], T]) -> Awaitable[T]:
        return self._store.write(work)


def base_row(resume: Resume, *, name: str, at: float) -> dict[str, Any]:
    """A resume as a row of the bases; equal resumes have one."""
    value = resume.as_json()
    text = json.dumps(value, sort_keys=True)
    return {
        "base": hashlib.sha256(text.encode()).hexdigest()[:32],
        "name": name,
        "resume": value,
        "parent": None,
        "created_at": at,
    }


def _chosen(draft: Draft, wanted: Sequence[int | str] | None) -> set[int]:
    if wanted is None:
        return set(range(len(draft.changes)))
    found: set[int] = set()
    paths = {change.path: number for number, change in enumerate(draft.changes)}
    for one in wanted:
        number = one - 1 if isinstance(one, int) else paths.get(one, -1)
        if not 0 <= number < len(draft.changes):
            raise fw.errors.UsageError(
                f"draft {draft.id[:8]} has no change {one}",
                hint=f"they are numbered 1 to {len(draft.changes)}"
                if draft.changes
                else "it has none",
            )
        found.add(number)
    return found
