"""Where conversations come from.

One adapter a kind of mailbox: files are here, Front and IMAP in modules of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fanwise.errors import ConfigError, InputError

if TYPE_CHECKING:
    from fanwise.documents import Conversation, MailIndex

PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A conversation as a listing shows it, before its messages are fetched.

    Args:
        id: The same whenever the mailbox is listed.
        latest_id: The id of its newest message.
        latest_at: When that was sent, epoch seconds; ``None`` where unknown.
        messages: How many messages it has.
        handle: What the source needs to fetch it; of no meaning elsewhere.
    """

    id: str
    latest_id: str
    latest_at: float | None = None
    messages: int = 1
    handle: Any = field(default=None, compare=False, repr=False)


class ConversationSource(Protocol):
    """A mailbox that can be listed page by page, and whose conversations can be fetched.

    Pages are asked for one after another while conversations of earlier pages are being fetched,
    several at a time.

    It may have three members more: ``total`` (how many conversations there are, for progress;
    ``None`` while that is unknown), ``statistics()`` (its requests, for the summary) and
    ``aclose()``, awaited when the scan ends.
    """

    @property
    def name(self) -> str:
        """What history and messages call it; holds no password."""
        ...

    def pages(self) -> AsyncIterator[Sequence[Listed]]:
        """All conversations, in pages.

        Raises:
            InputError: The source cannot be read.
        """
        ...

    async def fetch(self, listed: Listed) -> Conversation:
        """The messages of one conversation.

        Raises:
            InputError: They cannot be read.
        """
        ...


class Mailbox:
    """Mail in files: an mbox, a maildir, an ``.eml`` file, or a directory of such.

    Args:
        path: The file or directory.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._index: MailIndex | None = None
        self._total: int | None = None

    def __repr__(self) -> str:
        return f"<Mailbox {self._path}>"

    @property
    def name(self) -> str:
        return str(self._path)

    @property
    def total(self) -> int | None:
        """How many conversations there are; ``None`` before the first page."""
        return self._total

    async def pages(self) -> AsyncIterator[Sequence[Listed]]:
        index = self._index = await asyncio.to_thread(self._indexed)
        self._total = await asyncio.to_thread(lambda: sum(1 for _ in index.threads()))
        threads = index.threads()
        while page := await asyncio.to_thread(lambda: list(islice(threads, PAGE))):
            yield [
                Listed(
                    id=thread.id,
                    latest_id=thread.latest_id,
                    latest_at=thread.latest_at,
                    messages=thread.count,
                    handle=thread,
                )
                for thread in page
            ]

    async def fetch(self, listed: Listed) -> Conversation:
        if self._index is None:
            raise InputError("the mailbox has not been listed", source=self.name)
        return await asyncio.to_thread(self._index.read, listed.handle)

    def _indexed(self) -> MailIndex:
        from fanwise.documents import MailIndex

        return MailIndex(self._path)


def is_source(source: object) -> bool:
    """Whether something has the members of a source."""
    return all(hasattr(source, name) for name in ("name", "pages", "fetch"))


def as_source(source: object) -> ConversationSource:
    """A source as it is, or the mailbox at a path.

    Raises:
        ConfigError: It is neither.
    """
    if isinstance(source, (str, Path)):
        return Mailbox(source)
    if is_source(source):
        return source  # type: ignore[return-value]
    raise ConfigError(
        f"a {type(source).__name__} is no source of mail",
        hint="give the path of an mbox, maildir or .eml file, or an object with name, pages, fetch",
    )
