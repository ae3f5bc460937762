"""An item's last call: one commit for its answer and for the item's end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import fanwise as fw
from fanwise.errors import JournalUnavailable


async def _model(request: fw.Request) -> fw.Response:
    return fw.Response(text=f"answer to {request.messages[-1].content}")


def _one(*, last: bool) -> Any:
    async def one(ctx: fw.Context, question: str) -> str:
        return (await ctx.respond("my/model", question, last=last)).text

    return one


async def _groups(folder: Path, *, last: bool) -> int:
    """Commits of one item in a journal of its own."""
    async with fw.open_run("q", journal=folder, models={"my/model": _model}) as run:
        before = run._core.journal.writer.groups  # type: ignore[attr-defined]
        done = await run.map(_one(last=last), ["a"]).collect()
        assert done[0].value == "answer to a"
        return run._core.journal.writer.groups - before  # type: ignore[attr-defined]


async def test_the_last_call_and_the_items_end_share_a_commit(tmp_path: Path) -> None:
    assert await _groups(tmp_path / "apart", last=False) == 3
    assert await _groups(tmp_path / "together", last=True) == 2


async def test_the_answer_of_a_last_call_is_in_the_journal_and_not_sent_again(
    tmp_path: Path,
) -> None:
    async with fw.open_run("q", journal=tmp_path, models={"my/model": _model}) as run:
        await run.map(_one(last=True), ["a", "b"]).collect()
        run_id = run.run_id

    async def nobody(request: fw.Request) -> fw.Response:
        raise AssertionError("sent again")

    async with fw.open_run(
        "q", journal=tmp_path, models={"my/model": nobody}, resume=run_id
    ) as run:
        done = await run.map(_one(last=True), ["a", "b"]).collect()
        assert sorted(outcome.value for outcome in done) == ["answer to a", "answer to b"]


async def test_a_last_call_that_cannot_be_committed_is_shown_to_nobody(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    shown = []
    with pytest.raises(JournalUnavailable, match="disk full"):
        async with fw.open_run("q", journal=tmp_path, models={"my/model": _model}) as run:
            writer = run._core.journal.writer  # type: ignore[attr-defined]
            commit = writer._commit
            taken = 0

            def refuses(group: Any) -> None:
                nonlocal taken
                taken += 1
                if taken > 1:
                    raise JournalUnavailable("disk full", hint="free some space")
                commit(group)

            writer._commit = refuses
            try:
                async with run.map(_one(last=True), ["a"]) as outcomes:
                    shown = [outcome async for outcome in outcomes]
            finally:
                writer._commit = commit
    assert taken == 2
    assert not shown
    assert not told
