"""What pipelines have brought: shipments, notes, drafts of resumes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, select, update

from fanwise.errors import Conflict, StateError
from fanwise.pipelines.notes.tables import template_jobs
from fanwise.pipelines.scan.tables import report, shipments, tracking_events
from fanwise.pipelines.tailoring import tables as tailored
from fanwise.service.learning import page_of
from fanwise.service.problems import NotFound
from fanwise.service.views import Page

if TYPE_CHECKING:
    from fanwise.clock import Clock
    from fanwise.pipelines.tailoring.drafts import Drafts
    from fanwise.service.shelves import Shelves

_NOTE = (
    template_jobs.c.key,
    template_jobs.c.user,
    template_jobs.c.video,
    template_jobs.c.template,
    template_jobs.c.verbosity,
    template_jobs.c.status,
    template_jobs.c.started_at,
    template_jobs.c.completed_at,
    template_jobs.c.error,
    template_jobs.c.run_id,
)


class Goods:
    """What is kept of earlier work.

    Args:
        shelves: The pipelines' tables.
        clock: Time.
    """

    def __init__(self, shelves: Shelves, *, clock: Clock) -> None:
        self._shelves = shelves
        self._clock = clock

    # shipments

    async def shipments(
        self, *, limit: int, after: str | None, status: str | None, carrier: str | None
    ) -> Page:
        """Shipments by tracking number."""
        asked = select(shipments).order_by(shipments.c.tracking_number)
        if status is not None:
            asked = asked.where(shipments.c.status == status)
        if carrier is not None:
            asked = asked.where(shipments.c.carrier == carrier)
        store = await self._shelves.store("scan")
        return await page_of(store, asked, shipments.c.tracking_number, limit=limit, after=after)

    async def shipment(self, number: str) -> dict[str, Any]:
        """One shipment with what its carrier has reported.

        Raises:
            NotFound: There is none of that number.
        """

        def read(connection: Connection) -> dict[str, Any] | None:
            asked = select(shipments).where(shipments.c.tracking_number == number)
            row = connection.execute(asked).mappings().first()
            if row is None:
                return None
            events = connection.execute(
                select(tracking_events)
                .where(tracking_events.c.tracking_number == number)
                .order_by(tracking_events.c.happened_at)
            ).mappings()
            return {**row, "events": [dict(event) for event in events]}

        found = await (await self._shelves.store("scan")).read(read)
        if found is None:
            raise NotFound(f"there is no shipment {number!r}")
        return found

    async def add_shipment(self, row: Mapping[str, Any], *, by: str) -> dict[str, Any]:
        """Keeps a shipment that no mail spoke of.

        Raises:
            Conflict: There is one of that number.
        """
        number: str = row["tracking_number"]
        now = self._clock.wall()
        new = {
            "supplier": None,
            "po_number": None,
            "shipped_date": None,
            **row,
            "status": "pending",
            "confidence": 1.0,
            "conversation": "",
            "created_at": now,
            "updated_at": now,
            "created_by": by or "hand",
        }

        def write(connection: Connection) -> bool:
            known = select(shipments.c.carrier).where(shipments.c.tracking_number == number)
            if connection.execute(known).first() is not None:
                return False
            connection.execute(insert(shipments).values(**new))
            return True

        if not await (await self._shelves.store("scan")).write(write):
            raise Conflict(f"shipment {number!r} is there already", hint="PATCH changes it")
        return await self.shipment(number)

    async def change_shipment(self, number: str, change: Mapping[str, Any]) -> dict[str, Any]:
        """Changes what is given. A status is a report like a carrier's: what is delivered stays so,
        unless something went wrong after all.

        Raises:
            NotFound: There is none of that number.
        """
        await self.shipment(number)
        values = dict(change)
        status = values.pop("status", None)
        now = self._clock.wall()

        def write(connection: Connection) -> None:
            if values:
                connection.execute(
                    update(shipments)
                    .where(shipments.c.tracking_number == number)
                    .values(**values, updated_at=now)
                )
            if status is not None:
                report(
                    connection,
                    event=f"hand-{uuid.uuid4().hex}",
                    tracking_number=number,
                    status=status,
                    happened_at=now,
                    received_at=now,
                )

        await (await self._shelves.store("scan")).write(write)
        return await self.shipment(number)

    async def remove_shipment(self, number: str) -> None:
        """Removes a shipment and its reports; its mail stays scanned.

        Raises:
            NotFound: There is none of that number.
        """

        def write(connection: Connection) -> int:
            connection.execute(
                delete(tracking_events).where(tracking_events.c.tracking_number == number)
            )
            return connection.execute(
                delete(shipments).where(shipments.c.tracking_number == number)
            ).rowcount

        if not await (await self._shelves.store("scan")).write(write):
            raise NotFound(f"there is no shipment {number!r}")

    # notes

    async def notes(self, *, limit: int, after: str | None, video: str | None) -> Page:
        """Notes by key, without their text."""
        asked = select(*_NOTE).order_by(template_jobs.c.key)
        if video is not None:
            asked = asked.where(template_jobs.c.video == video)
        store = await self._shelves.store("notes")
        return await page_of(store, asked, template_jobs.c.key, limit=limit, after=after)

    async def note(self, key: str) -> dict[str, Any]:
        """One note with its text.

        Raises:
            NotFound: There is none of that key.
        """
        asked = select(*_NOTE, template_jobs.c.result).where(template_jobs.c.key == key)
        store = await self._shelves.store("notes")
        row = await store.read(lambda c: c.execute(asked).mappings().first())
        if row is None:
            raise NotFound(f"there is no note {key!r}")
        found = dict(row)
        result = found.pop("result")
        return {**found, "note": None if result is None else json.loads(result)}

    async def remove_note(self, key: str) -> None:
        """Removes a note: the next request for it writes it anew.

        Raises:
            NotFound: There is none of that key.
            StateError: It is being written.
        """
        found = await self.note(key)
        if found["status"] in {"pending", "processing"}:
            raise StateError(f"note {key!r} is being written", hint="cancel its run first")
        gone = delete(template_jobs).where(template_jobs.c.key == key)
        await (await self._shelves.store("notes")).write(lambda c: c.execute(gone))

    # drafts

    async def drafts(self, *, limit: int) -> Sequence[Mapping[str, Any]]:
        """The newest drafts without their text."""
        return await (await self._drafts()).all(limit=limit)

    async def draft(self, draft_id: str) -> dict[str, Any]:
        """One draft by its whole id, with its changes and its score.

        Raises:
            NotFound: There is none of that id.
        """
        known = select(tailored.drafts.c.draft).where(tailored.drafts.c.draft == draft_id)
        store = await self._shelves.store("tailoring")
        if await store.read(lambda c: c.execute(known).first()) is None:
            raise NotFound(f"there is no draft {draft_id!r}")
        return (await (await self._drafts()).get(draft_id)).as_json()

    async def decide(
        self,
        draft_id: str,
        *,
        accept: Sequence[int | str] | None = None,
        reject: Sequence[int | str] | None = None,
        undo: bool = False,
        promote: bool = False,
    ) -> dict[str, Any]:
        """Takes the last decision back, accepts, rejects, promotes: what is asked, in this order.

        Raises:
            NotFound: There is none of that id.
            StateError: It is promoted; nothing was decided; a change was refused by the gate.
            UsageError: No such change.
        """
        await self.draft(draft_id)
        drafts = await self._drafts()
        if undo:
            await drafts.undo(draft_id)
        if accept:
            await drafts.accept(draft_id, accept)
        if reject:
            await drafts.reject(draft_id, reject)
        found = {} if not promote else {"base": await drafts.promote(draft_id)}
        return {**await self.draft(draft_id), **found}

    async def remove_draft(self, draft_id: str) -> None:
        """Removes a draft and its history; the resume it was made of stays.

        Raises:
            NotFound: There is none of that id.
        """
        drafts, history = tailored.drafts, tailored.history

        def write(connection: Connection) -> int:
            connection.execute(delete(history).where(history.c.draft == draft_id))
            return connection.execute(delete(drafts).where(drafts.c.draft == draft_id)).rowcount

        if not await (await self._shelves.store("tailoring")).write(write):
            raise NotFound(f"there is no draft {draft_id!r}")

    async def _drafts(self) -> Drafts:
        return await self._shelves.drafts()
