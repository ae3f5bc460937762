"""Batches as OpenAI's clients know them: a file of requests in, files of answers out.

A batch is a run of the ``prompts`` pipeline over the uploaded file, so it is limited, retried,
resumed and watched like any other, and its requests may go to any provider.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import insert, select, update

import fanwise as fw
from fanwise.clock import Clock
from fanwise.errors import InvalidFields, JournalError, StateError
from fanwise.models.providers import BY_NAME
from fanwise.service.batchlines import answer_lines, faulty_lines, unfinished
from fanwise.service.options import RunOptions
from fanwise.service.problems import NotFound
from fanwise.service.tables import batches

if TYPE_CHECKING:
    from fanwise.service.accepted import Accepted, Ledger
    from fanwise.service.supervisor import Supervisor
    from fanwise.service.uploads import Uploads
    from fanwise.service.views import Views

WINDOW_S = 24 * 3600.0
ENDPOINTS = ("/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/completions")
PROVIDER_KEY = "fanwise_provider"
"""The metadata that names another provider than OpenAI; each line's own model is asked there."""

_MOST_METADATA = 16
_PIECE = 200
_SWEEP_S = 30.0
_OPEN = ("validating", "in_progress", "finalizing", "cancelling")
_ENDED: Mapping[str, str] = {"finished": "completed", "cancelled": "cancelled", "failed": "failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch; instants are epoch seconds, ``None`` where they have not come."""

    id: str
    run_id: str
    input_file_id: str
    endpoint: str
    status: str
    total: int
    metadata: Mapping[str, str]
    errors: Sequence[Mapping[str, Any]]
    created_at: float
    expires_at: float
    in_progress_at: float | None = None
    finalizing_at: float | None = None
    completed_at: float | None = None
    failed_at: float | None = None
    expired_at: float | None = None
    cancelling_at: float | None = None
    cancelled_at: float | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None


class Batches:
    """The batches of a service.

    Args:
        store: The service's tables.
        supervisor: Carries their runs out.
        ledger: How these stand.
        views: Reads what they brought.
        uploads: Files in and out.
        clock: Time.
    """

    def __init__(
        self,
        store: fw.Store,
        *,
        supervisor: Supervisor,
        ledger: Ledger,
        views: Views,
        uploads: Uploads,
        clock: Clock,
        new_id: Callable[[], str] = lambda: f"batch_{secrets.token_hex(16)}",
    ) -> None:
        self._store = store
        self._supervisor = supervisor
        self._ledger = ledger
        self._views = views
        self._uploads = uploads
        self._clock = clock
        self._new_id = new_id
        self._finishing = asyncio.Lock()

    async def create(
        self,
        *,
        input_file_id: str,
        endpoint: str,
        metadata: Mapping[str, str],
        caller: str,
        window_s: float = WINDOW_S,
    ) -> Batch:
        """Accepts a batch; it is durable once this returns.

        A file with faulty lines makes a batch that has failed, with an error for each of the first
        faulty lines; nothing of it is sent.

        Raises:
            NotFound: There is no such file.
            InvalidFields: Endpoint or metadata are wrong.
        """
        _check(endpoint, metadata)
        upload = await self._uploads.find(input_file_id)
        path = self._uploads.path(upload)
        total, errors = await self._views.in_thread(lambda: faulty_lines(path, endpoint))
        now = self._clock.wall()
        batch = Batch(
            id=self._new_id(),
            run_id="",
            input_file_id=input_file_id,
            endpoint=endpoint,
            status="failed" if errors else "validating",
            total=total,
            metadata=metadata,
            errors=errors,
            created_at=now,
            expires_at=now + window_s,
            failed_at=now if errors else None,
        )
        if not errors:
            provider = metadata.get(PROVIDER_KEY)
            models = [] if provider is None else [f"{provider}/default"]
            accepted = await self._supervisor.submit(
                pipeline="prompts",
                fields={"file": {"upload": input_file_id}, "models": models},
                options=RunOptions.model_validate({}),
                caller=caller,
                # Asked for once more after a crash between the two writes, it is the same run.
                idempotency_key=batch.id,
            )
            batch = replace(batch, run_id=accepted.run_id)
        await self._store.write(lambda c: c.execute(insert(batches), _row(batch)))
        return batch

    async def find(self, batch_id: str) -> Batch:
        """A batch as it stands.

        Raises:
            NotFound: There is none.
        """
        row = await self._store.read(
            lambda c: c.execute(select(batches).where(batches.c.id == batch_id)).mappings().first()
        )
        if row is None:
            raise NotFound(f"there is no batch {batch_id}", hint="GET /v1/batches lists all")
        return await self._as_it_stands(_batch(dict(row)))

    async def listed(self, *, limit: int, after: str | None) -> tuple[list[Batch], bool]:
        """The newest batches, and whether more follow.

        Raises:
            NotFound: There is no batch ``after``.
        """
        asked = select(batches).order_by(batches.c.created_at.desc(), batches.c.id)
        rows = await self._store.read(lambda c: c.execute(asked).mappings().all())
        found = [_batch(dict(row)) for row in rows]
        if after is not None:
            places = [place for place, one in enumerate(found) if one.id == after]
            if not places:
                raise NotFound(f"there is no batch {after}")
            found = found[places[0] + 1 :]
        shown = [await self._as_it_stands(one) for one in found[:limit]]
        return shown, len(found) > limit

    async def counts(self, batch: Batch) -> tuple[int, int]:
        """Requests answered and failed."""
        if not batch.run_id:
            return 0, 0
        try:
            counters = await self._views.reading(batch.run_id, lambda reader: reader.counters())
        except (NotFound, JournalError):
            return 0, 0
        return counters.succeeded, counters.failed

    async def cancel(self, batch_id: str) -> Batch:
        """Cancels a batch; what was answered by then is in its output file.

        Raises:
            NotFound: There is none.
            StateError: It has ended.
        """
        batch = await self.find(batch_id)
        if batch.status not in _OPEN:
            raise StateError(f"batch {batch_id} is {batch.status}", hint="its files can be read")
        now = self._clock.wall()
        await self._change(batch.id, status="cancelling", cancelling_at=now)
        await self._supervisor.cancel(batch.run_id)
        return await self.find(batch_id)

    async def run_ended(self, accepted: Accepted) -> None:
        """A run has ended: if it is a batch's, its files are made."""
        row = await self._store.read(
            lambda c: (
                c.execute(select(batches).where(batches.c.run_id == accepted.run_id))
                .mappings()
                .first()
            )
        )
        if row is not None and accepted.state != "stopped":
            await self._finish(_batch(dict(row)), accepted)

    async def catch_up(self) -> None:
        """Makes the files of batches whose runs ended while nobody was there to make them."""
        rows = await self._store.read(
            lambda c: c.execute(select(batches).where(batches.c.status.in_(_OPEN))).mappings().all()
        )
        for row in rows:
            accepted = await self._ledger.find(row["run_id"])
            if accepted is not None and accepted.state in _ENDED:
                await self._finish(_batch(dict(row)), accepted)

    async def watch_expiry(self) -> None:
        """Ends batches whose time is up; runs as long as the service does."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            await self.expire()

    async def expire(self) -> None:
        """Ends the batches whose time is up."""
        now = self._clock.wall()
        late = await self._store.read(
            lambda c: c.execute(
                select(batches.c.id, batches.c.run_id).where(
                    batches.c.status.in_(_OPEN),
                    batches.c.expires_at <= now,
                    batches.c.expired_at.is_(None),
                )
            ).all()
        )
        for batch_id, run_id in late:
            await self._change(batch_id, expired_at=now)
            await self._supervisor.cancel(run_id)

    async def _as_it_stands(self, batch: Batch) -> Batch:
        if batch.status != "validating":
            return batch
        accepted = await self._ledger.find(batch.run_id)
        if accepted is None or accepted.state == "accepted":
            return batch
        return replace(batch, status="in_progress", in_progress_at=accepted.updated_at)

    async def _finish(self, batch: Batch, accepted: Accepted) -> None:
        async with self._finishing:
            now = self._clock.wall()
            status = _ENDED[accepted.state]
            if status == "cancelled" and batch.expired_at is not None:
                status = "expired"
            changed: dict[str, Any] = {"status": status, "finalizing_at": now}
            changed["in_progress_at"] = accepted.created_at
            if status == "failed":
                error = accepted.error or {}
                told = {"code": error.get("kind"), "message": error.get("message")}
                changed["errors"] = orjson.dumps([told | {"line": None, "param": None}]).decode()
            else:
                changed |= await self._files(batch, accepted, status=status)
            changed[f"{status}_at"] = self._clock.wall()
            await self._change(batch.id, **changed)

    async def _files(self, batch: Batch, accepted: Accepted, *, status: str) -> dict[str, Any]:
        """The output file and the error file; none of either where it would be empty."""
        made: dict[str, Any] = {}
        upload = await self._uploads.find(batch.input_file_id)
        path = self._uploads.path(upload)
        for field, failed in (("output_file_id", False), ("error_file_id", True)):
            reason = status if failed else ""
            try:
                pieces = await self._views.in_pieces(
                    accepted.run_id,
                    lambda reader, failed=failed, reason=reason: answer_lines(
                        reader, path, failed=failed, reason=reason
                    ),
                    piece=_PIECE,
                )
            except NotFound:
                if not failed:
                    continue
                pieces = _async(unfinished(path, set(), reason))
            stem = batch.id if not failed else f"{batch.id}_errors"
            kept = await self._uploads.add(
                pieces,
                name=f"{stem}.jsonl",
                media_type="application/jsonl",
                purpose="batch_output",
                caller=accepted.caller,
                limit=None,
            )
            if kept.size_bytes:
                made[field] = kept.id
            else:
                await self._uploads.remove(kept.id)
        return made

    async def _change(self, batch_id: str, **values: Any) -> None:
        await self._store.write(
            lambda c: c.execute(update(batches).where(batches.c.id == batch_id).values(**values))
        )


def _check(endpoint: str, metadata: Mapping[str, str]) -> None:
    wrong: dict[str, str] = {}
    if endpoint not in ENDPOINTS:
        wrong["endpoint"] = f"is none of {', '.join(ENDPOINTS)}"
    if len(metadata) > _MOST_METADATA:
        wrong["metadata"] = f"has more than {_MOST_METADATA} keys"
    if wrong:
        raise InvalidFields("batch", wrong)
    named = metadata.get(PROVIDER_KEY)
    if named is not None and named not in {"sim", *BY_NAME}:
        known = ", ".join(sorted({"sim", *BY_NAME}))
        raise InvalidFields("batch", {f"metadata.{PROVIDER_KEY}": f"is none of {known}"})


async def _async(lines: Iterator[bytes]) -> AsyncIterator[bytes]:
    for line in lines:
        yield line


def _row(batch: Batch) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(batch, name) for name in Batch.__slots__}
    row["metadata"] = orjson.dumps(dict(batch.metadata)).decode()
    row["errors"] = orjson.dumps(list(batch.errors)).decode()
    return row


def _batch(row: Mapping[Any, Any]) -> Batch:
    fields = {name: row[name] for name in Batch.__slots__}
    fields["metadata"] = orjson.loads(row["metadata"])
    fields["errors"] = orjson.loads(row["errors"])
    return Batch(**fields)
