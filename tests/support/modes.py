"""Work to be mapped in modes, alone and in packs, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import fanwise as fw
from fanwise.engine.modes.report import ModeReport
from fanwise.testing.virtual import run_virtual


class Work:
    """A function and its pack; fails where it is told to, and knows what was called."""

    def __init__(
        self,
        *,
        alone: Callable[[Any], bool] = lambda item: True,
        packed: bool = True,
        one_s: float = 1.0,
        pack_s: float = 2.0,
    ) -> None:
        self.alone = alone
        self.packed = packed
        self.one_s = one_s
        self.pack_s = pack_s
        self.singles: list[Any] = []
        self.packs: list[list[Any]] = []
        self.at_once = self.peak = 0

    async def one(self, item: Any) -> Any:
        self.singles.append(item)
        self.at_once += 1
        self.peak = max(self.peak, self.at_once)
        await asyncio.sleep(self.one_s)
        self.at_once -= 1
        if not self.alone(item):
            raise ValueError(f"{item} does not go alone")
        return item

    async def many(self, items: Mapping[str, Any]) -> Mapping[str, Any]:
        self.packs.append(list(items.values()))
        await asyncio.sleep(self.pack_s)
        if not self.packed:
            raise ValueError("no pack goes")
        return items


def mapped(work: Work, source: Any, **options: Any) -> tuple[ModeReport, list[Any]]:
    async def main() -> tuple[ModeReport, list[Any]]:
        the_map = fw.map(work.one, source, **options)
        outcomes = list(await the_map.collect())
        report = the_map.mode_report()
        assert report is not None
        assert the_map.processing_mode_used == report.processing_mode_used
        assert the_map.fallback_reason == report.fallback_reason
        return report, outcomes

    return run_virtual(main())
