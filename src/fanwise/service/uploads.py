"""Files that clients have sent: kept beside the runs under ids of our own."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select

import fanwise as fw
from fanwise.clock import Clock
from fanwise.errors import InvalidFields
from fanwise.service.problems import NotFound
from fanwise.service.tables import uploads

_ID = re.compile(r"file-[A-Za-z0-9_-]{8,60}")
_NAME = re.compile(r"[^\w.() -]", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that was sent."""

    id: str
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    purpose: str
    caller: str
    created_at: float


class Uploads:
    """The uploads of a service.

    Args:
        store: The service's tables.
        directory: Where the files lie.
        clock: Time.
        limit: The largest file, in bytes.
        new_id: Makes ids.
    """

    def __init__(
        self,
        store: fw.Store,
        directory: Path,
        *,
        clock: Clock,
        limit: int,
        new_id: Callable[[], str] = lambda: f"file-{secrets.token_urlsafe(18)}",
    ) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._limit = limit
        self._new_id = new_id

    @property
    def limit(self) -> int:
        """The largest file, in bytes."""
        return self._limit

    async def add(
        self,
        pieces: AsyncIterator[bytes],
        *,
        name: str,
        media_type: str,
        purpose: str,
        caller: str,
        limit: float | None = 0,
    ) -> Upload:
        """Keeps a file; returns once it is durable.

        Args:
            pieces: Its content.
            name: What it was called; made harmless.
            media_type: What its sender says that it is.
            purpose: What it is for.
            caller: Whose token sent it.
            limit: Another bound of its bytes than that of all uploads; ``None`` for none.

        Raises:
            InvalidFields: It is too large; nothing is kept.
        """
        upload_id = self._new_id()
        path = self._path(upload_id, name)
        await asyncio.to_thread(path.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
        digest = hashlib.sha256()
        size = 0
        try:
            with await asyncio.to_thread(path.open, "xb") as file:
                async for piece in pieces:
                    size += len(piece)
                    _check(size, self._limit if limit == 0 else limit)
                    digest.update(piece)
                    await asyncio.to_thread(file.write, piece)
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            upload = Upload(
                id=upload_id,
                name=path.name,
                media_type=media_type[:128],
                size_bytes=size,
                sha256=digest.hexdigest(),
                purpose=purpose,
                caller=caller,
                created_at=self._clock.wall(),
            )
            row: dict[str, Any] = {field: getattr(upload, field) for field in Upload.__slots__}
            await self._store.write(lambda c: c.execute(insert(uploads), row))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return upload

    async def find(self, upload_id: str) -> Upload:
        """An upload by id.

        Raises:
            NotFound: There is none.
        """
        row = None
        if _ID.fullmatch(upload_id):
            asked = select(uploads).where(uploads.c.id == upload_id)
            row = await self._store.read(lambda c: c.execute(asked).mappings().first())
        if row is None:
            raise NotFound(f"there is no upload {upload_id}", hint="POST /api/v1/uploads makes one")
        return Upload(**row)

    async def listed(self, *, purpose: str | None = None) -> Sequence[Upload]:
        """All uploads, newest first."""
        asked = select(uploads).order_by(uploads.c.created_at.desc(), uploads.c.id)
        if purpose is not None:
            asked = asked.where(uploads.c.purpose == purpose)
        rows = await self._store.read(lambda c: c.execute(asked).mappings().all())
        return [Upload(**row) for row in rows]

    def path(self, upload: Upload) -> Path:
        """Where an upload lies."""
        return self._path(upload.id, upload.name)

    async def remove(self, upload_id: str) -> None:
        """Removes an upload.

        Raises:
            NotFound: There is none.
        """
        upload = await self.find(upload_id)
        await self._store.write(
            lambda c: c.execute(delete(uploads).where(uploads.c.id == upload_id))
        )
        self.path(upload).unlink(missing_ok=True)

    def _path(self, upload_id: str, name: str) -> Path:
        """Each in a directory of its own: its name, made harmless, tells readers its format."""
        if not _ID.fullmatch(upload_id):
            raise NotFound(f"there is no upload {upload_id}")
        safe = _NAME.sub("_", Path(name).name)[-100:].lstrip(". ") or "file"
        return self._directory / upload_id / safe


def _check(size: int, limit: float | None) -> None:
    if limit is not None and size > limit:
        reason = f"is larger than {limit / (1024 * 1024):.0f} MB"
        raise InvalidFields("upload", {"file": reason}, hint="send it in parts")
