"""The pipelines' own tables, opened when they are first asked for and closed with the service."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

import fanwise as fw

if TYPE_CHECKING:
    from types import TracebackType

    from sqlalchemy import MetaData

    from fanwise.journal.home import Home
    from fanwise.pipelines.notes.sources import Fetch, Videos
    from fanwise.pipelines.tailoring.drafts import Drafts


class Shelves:
    """The stores of pipelines.

    Args:
        home: Where they are.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._stack = AsyncExitStack()
        self._stores: dict[str, fw.Store] = {}
        self._opening = asyncio.Lock()
        self._videos: Videos | None = None
        self._kept_drafts: Drafts | None = None
        self.fetch: Fetch | None = None
        """What fetches videos; from YouTube by default."""

    def __repr__(self) -> str:
        return f"<Shelves: {', '.join(self._stores) or 'none'} open>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def store(self, name: str) -> fw.Store:
        """One pipeline's tables: ``grading``, ``scan``, ``notes`` or ``tailoring``.

        Raises:
            JournalUnavailable: They cannot be opened.
        """
        async with self._opening:
            found = self._stores.get(name)
            if found is None:
                opened = fw.Store(self._home, name, _metadata(name))
                found = self._stores[name] = await self._stack.enter_async_context(opened)
            return found

    async def drafts(self) -> Drafts:
        """The drafts of resumes."""
        from fanwise.pipelines.tailoring.drafts import Drafts

        async with self._opening:
            if self._kept_drafts is None:
                drafts = Drafts(self._home)
                self._kept_drafts = await self._stack.enter_async_context(drafts)
            return self._kept_drafts

    async def extras(self, pipeline: str) -> Mapping[str, Any]:
        """What a pipeline's jobs of one service share: each video is fetched once for all that ask
        for it at the same time.
        """
        if pipeline != "notes":
            return {}
        from fanwise.pipelines.notes.sources import Videos

        store = await self.store("notes")
        async with self._opening:
            if self._videos is None:
                videos = Videos(store, fetch=self.fetch)
                self._videos = await self._stack.enter_async_context(videos)
            return {"videos": self._videos}


def _metadata(name: str) -> MetaData:
    from importlib import import_module

    found: MetaData = import_module(f"fanwise.pipelines.{name}.tables").metadata
    return found
