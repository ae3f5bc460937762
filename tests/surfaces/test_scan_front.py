"""Scans of a Front inbox, over real HTTP, from a server of ours that speaks as Front does."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import fanwise as fw
from fanwise.errors import CallError, ConfigError
from fanwise.pipelines import Event
from fanwise.pipelines.scan import ScanSummary, scan, tables
from support.front import TOKEN, Front, serving

NUMBERS = ["1Z999AA10123456784", "1Z12345E1512345676", "TBA123456789012", "RR473124829GB"]


def front(**more: Any) -> Front:
    texts = [f"It was shipped with tracking number {number}." for number in NUMBERS]
    return Front([*texts, "Lunch on Friday?"], **more)


async def scanning(server: Front, home: Path, **more: Any) -> ScanSummary:
    env = {"FRONT_API_TOKEN": TOKEN, "FRONT_API_BASE_URL": server.url, **more.pop("env", {})}
    fields = {"front": "inb_7", "front_rpm": 60_000, "page_size": 2, **more}
    return await scan(journal=home, env=env, **fields)


async def numbers_in(home: Path) -> set[str]:
    async with fw.Store(fw.open_home(home), "scan", tables.metadata) as store:
        return set(
            await store.read(lambda c: c.scalars(select(tables.shipments.c.tracking_number)).all())
        )


async def test_every_page_is_read_and_each_conversation_once(tmp_path: Path) -> None:
    async with serving(front()) as server:
        summary = await scanning(server, tmp_path)
    assert (summary.status, summary.total, summary.added, summary.no_tracking) == (
        "success",
        5,
        4,
        1,
    )
    assert await numbers_in(tmp_path) == set(NUMBERS)
    searches = [path for path in server.asked if "/search/" in path]
    assert len(searches) == 3
    assert len(server.asked) == 3 + 5
    assert summary.mail_api["requests"] == 8


async def test_a_conversation_is_read_while_further_pages_are_still_to_come(tmp_path: Path) -> None:
    async with serving(front()) as server:
        await scanning(
            server, tmp_path, limit=None, strategy="fixed", batch_size=1, batch_delay_ms=0
        )
    first_read = next(place for place, path in enumerate(server.asked) if "/messages" in path)
    last_search = max(place for place, path in enumerate(server.asked) if "/search/" in path)
    assert first_read < last_search


async def test_a_second_scan_reads_only_what_a_message_has_come_to(tmp_path: Path) -> None:
    async with serving(front()) as server:
        await scanning(server, tmp_path)
        server.newest[2] = 3
        server.asked.clear()
        again = await scanning(server, tmp_path)
    assert (again.already_scanned, again.processed) == (4, 1)
    assert [path for path in server.asked if "/messages" in path] == [
        "/conversations/cnv_2/messages?limit=100"
    ]


async def test_messages_come_in_pages_too(tmp_path: Path) -> None:
    texts = ["Nothing yet."]
    async with serving(Front(texts, messages_a_page=2, newest={0: 5})) as server:
        await scanning(server, tmp_path)
    assert len([path for path in server.asked if "/messages" in path]) == 3


async def test_max_pages_and_after_bound_what_is_listed(tmp_path: Path) -> None:
    async with serving(front()) as server:
        bounded = await scanning(server, tmp_path / "a", max_pages=1)
        late = await scanning(server, tmp_path / "b", after=1_772_500_000 + 3 * 3600)
    assert (bounded.total, late.total) == (2, 2)
    assert any("after%3A1772510800" in path for path in server.asked)


async def test_a_refusal_pauses_every_request_for_as_long_as_front_asks(tmp_path: Path) -> None:
    begun = asyncio.get_running_loop().time()
    async with serving(front(refusals=2)) as server:
        summary = await scanning(server, tmp_path)
    assert (summary.status, summary.added) == ("success", 4)
    assert summary.mail_api["refused"] == 2
    assert asyncio.get_running_loop().time() - begun >= 1.0


async def test_its_requests_keep_to_their_own_pace_beside_the_models(tmp_path: Path) -> None:
    begun = asyncio.get_running_loop().time()
    async with serving(front()) as server:
        summary = await scanning(server, tmp_path, front_rpm=600)
    assert len(server.asked) == 8
    assert asyncio.get_running_loop().time() - begun >= 0.6  # eight requests, 0.1 s apart
    assert summary.mail_api["queued_s"] > 0


async def test_searches_keep_to_the_smaller_share_that_front_grants_them(tmp_path: Path) -> None:
    async with serving(front()) as server:
        await scanning(server, tmp_path, front_rpm=1500)
    asked = zip(server.asked, server.asked_at, strict=True)
    at = [moment for path, moment in asked if "/search/" in path]
    assert len(at) == 3
    assert all(later - earlier > 0.09 for earlier, later in pairwise(at))  # 0.1 s apart


async def test_one_conversation_that_front_refuses_is_tried_again_by_the_next_scan(
    tmp_path: Path,
) -> None:
    async with serving(front(fails={1: 404})) as server:
        summary = await scanning(server, tmp_path)
        assert (summary.status, summary.failed, summary.added) == ("partial", 1, 3)
        assert summary.errors[0].conversation == "front:cnv_1"
        server.fails = {}
        again = await scanning(server, tmp_path)
    assert (again.status, again.added) == ("success", 1)


async def test_the_token_is_sent_to_the_server_that_was_named_and_to_no_other(
    tmp_path: Path,
) -> None:
    async with serving(Front(["x"])) as stranger:
        async with serving(front(foreign=stranger.url)) as server:
            summary = await scanning(server, tmp_path)
        assert summary.total == 5
        assert stranger.asked == []


async def test_a_wrong_or_missing_token_is_told_before_a_model_is_asked(tmp_path: Path) -> None:
    async with serving(front()) as server:
        with pytest.raises(CallError, match="refused the key") as told:
            await scanning(server, tmp_path, env={"FRONT_API_TOKEN": "other"})
        assert "FRONT_API_TOKEN" in told.value.hint
        with pytest.raises(ConfigError, match="no token"):
            await scanning(server, tmp_path, env={"FRONT_API_TOKEN": ""})


async def test_events_tell_of_every_conversation_and_never_go_back(tmp_path: Path) -> None:
    events: list[Event] = []
    tell: Callable[[Event], None] = events.append
    async with serving(front(fails={0: 404})) as server:
        summary = await scanning(server, tmp_path, on_event=tell)
    assert [event.kind for event in events].count("result") == 4
    assert [event.subject for event in events if event.kind == "error"] == ["front:cnv_0"]
    assert events[-1].kind == "complete"
    assert events[-1].data == summary.as_json()
    percents = [event.percent for event in events if event.percent is not None]
    assert percents == sorted(percents)
    assert percents[-1] == 100.0


async def test_the_command_line_reads_an_inbox_and_says_what_it_asked_of_front(
    fanwise: Callable[..., Any],
) -> None:
    async with serving(front(refusals=1)) as server:
        env = {"FRONT_API_TOKEN": TOKEN, "FRONT_API_BASE_URL": server.url}
        words = ("scan", "--front", "inb_7", "--front-rpm", "6000", "--page-size", "2")
        done = await asyncio.to_thread(fanwise, *words, env=env)
        wrong = await asyncio.to_thread(
            fanwise, *words, "--strategy", "quick", "--max-pages", "0", env=env
        )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4
    assert "Mail server: 9 requests, 1 refused" in done.stderr
    assert wrong.returncode == 2
    assert "strategy" in wrong.stderr
    assert "max_pages" in wrong.stderr
