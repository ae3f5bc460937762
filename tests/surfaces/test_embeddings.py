"""Embeddings over a socket: limited, counted, journalled."""

from __future__ import annotations

import asyncio
from typing import Any

import fanwise as fw


def test_embeddings_of_the_simulated_provider_are_counted_and_known_on_resume(tmp_path):
    async def embed(ctx: fw.Context, texts: list[str]) -> Any:
        return await ctx.embed("sim/default", texts)

    async def main() -> None:
        for session in range(2):
            async with fw.open_run(
                "e",
                journal=tmp_path,
                run_id="r" if not session else None,
                resume="unfinished" if not session else "r",
            ) as run:
                (outcome,) = await run.map(embed, [["one", "two"]]).collect()
                report = await run.report()
            assert outcome.ok, outcome.error
            assert report.counters.attempts == 1
        assert [len(vector) for vector in outcome.value] == [64, 64]
        assert outcome.value[0] != outcome.value[1]
        assert report.counters.input_tokens > 0
        assert report.counters.calls == 1

    asyncio.run(main())
