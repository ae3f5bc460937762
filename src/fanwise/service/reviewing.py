"""Review sessions, and how answers are graded by default."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, select, update

from fanwise.errors import InvalidFields
from fanwise.pipelines.grading.job import wrong_modes
from fanwise.pipelines.grading.sessions import look_up, session_state, start_session
from fanwise.pipelines.grading.submission import checked
from fanwise.pipelines.grading.tables import reviews, session_cards, sessions
from fanwise.service import tables
from fanwise.service.learning import GRADING, page_of
from fanwise.service.problems import NotFound
from fanwise.service.views import Page

if TYPE_CHECKING:
    import fanwise as fw
    from fanwise.clock import Clock
    from fanwise.service.shelves import Shelves


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingConfig:
    """How answers are graded where a request does not say.

    Args:
        processing_mode: ``auto``, ``parallel``, ``batch`` or ``sequential``.
        max_concurrent_tasks: Most calls at once for one submission, 1 to 10.

    Raises:
        InvalidFields: A value is impossible.
    """

    processing_mode: str = "auto"
    max_concurrent_tasks: int = 5

    def __post_init__(self) -> None:
        wrong = wrong_modes(self.processing_mode, self.max_concurrent_tasks)
        if wrong:
            raise InvalidFields("config", wrong, hint="nothing was changed")


class Reviewing:
    """Sessions and their settings.

    Args:
        shelves: The pipelines' tables.
        store: The service's own.
        clock: Time.
        new_id: Makes ids of sessions that bring none.
    """

    def __init__(
        self,
        shelves: Shelves,
        store: fw.Store,
        *,
        clock: Clock,
        new_id: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._shelves = shelves
        self._own = store
        self._clock = clock
        self._new_id = new_id

    async def store(self) -> fw.Store:
        """The pipeline's tables."""
        return await self._shelves.store(GRADING)

    # how answers are graded

    async def config(self) -> GradingConfig:
        """What is set."""
        row = await self._own.read(
            lambda c: c.execute(
                select(tables.config.c.value).where(tables.config.c.name == GRADING)
            ).first()
        )
        return GradingConfig() if row is None else GradingConfig(**json.loads(row.value))

    async def configure(self, change: Mapping[str, Any]) -> GradingConfig:
        """Sets what is given; the rest stays.

        Raises:
            InvalidFields: A value is impossible; nothing was changed.
        """
        new = GradingConfig(**{**asdict(await self.config()), **change})
        value = json.dumps(asdict(new))

        def write(connection: Connection) -> None:
            connection.execute(delete(tables.config).where(tables.config.c.name == GRADING))
            connection.execute(insert(tables.config).values(name=GRADING, value=value))

        await self._own.write(write)
        return new

    async def check(self, session_id: str, card_id: str, answers: object) -> None:
        """Whether answers can be graded, before a run is begun for them.

        Raises:
            NotFound: No such session, or no such card in it.
            InvalidFields: No answers, a wrong index, no questions; a reason for each.
        """
        store = await self.store()
        desk = await store.read(lambda c: look_up(c, session_id, card_id))
        checked(answers, desk, processing_mode="auto", max_concurrent_tasks=1)

    # sessions

    async def sessions(self, *, limit: int, after: str | None) -> Page:
        """Sessions by id."""
        asked = select(sessions).order_by(sessions.c.id)
        return await page_of(await self.store(), asked, sessions.c.id, limit=limit, after=after)

    async def begin(
        self,
        session_id: str | None,
        *,
        topic: str | None,
        card_ids: Sequence[str] | None,
        limit: int,
    ) -> dict[str, Any]:
        """Begins a session, or finds the one of this id. Raises as ``start_session``."""
        name = session_id or self._new_id()
        store = await self.store()
        now = self._clock.wall()
        await start_session(store, name, now=now, topic=topic, card_ids=card_ids, limit=limit)
        return await session_state(store, name)

    async def session(self, session_id: str) -> dict[str, Any]:
        """A session with its cards, their questions, and the grades so far.

        Raises:
            NotFound: There is none of that id.
        """
        row = await self._row(
            select(sessions).where(sessions.c.id == session_id), f"session {session_id!r}"
        )
        return {
            **await session_state(await self.store(), session_id),
            "topic": row["topic"],
            "ended_at": row["ended_at"],
        }

    async def end_session(self, session_id: str, *, ended: bool) -> dict[str, Any]:
        """Notes that a session has ended, or that it has not.

        Raises:
            NotFound: There is none of that id.
        """
        at = self._clock.wall() if ended else None
        change = update(sessions).where(sessions.c.id == session_id).values(ended_at=at)
        await (await self.store()).write(lambda c: c.execute(change))
        return await self.session(session_id)

    async def remove_session(self, session_id: str) -> None:
        """Removes a session and its reviews. The schedule of its cards stays as it is.

        Raises:
            NotFound: There is none of that id.
        """

        def write(connection: Connection) -> int:
            connection.execute(delete(session_cards).where(session_cards.c.session == session_id))
            connection.execute(delete(reviews).where(reviews.c.session == session_id))
            return connection.execute(delete(sessions).where(sessions.c.id == session_id)).rowcount

        if not await (await self.store()).write(write):
            raise NotFound(f"there is no session {session_id!r}")

    # within

    async def _row(self, asked: Any, what: str) -> dict[str, Any]:
        row = await (await self.store()).read(lambda c: c.execute(asked).mappings().first())
        if row is None:
            raise NotFound(f"there is no {what}")
        return dict(row)
