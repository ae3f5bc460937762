"""Two runs, and two models of one, beside each other in Chromium."""

from __future__ import annotations

import pytest

from support.browser import WAIT_MS

pytestmark = [pytest.mark.chromium, pytest.mark.asyncio(loop_scope="module")]


async def test_two_runs_are_compared_item_by_item(page_of, make_run):
    left = await make_run(["one", "two", "three"], run_id="left")
    right = await make_run(["one", "zwei", "bad", "four"], run_id="right")
    async with page_of(color_scheme="dark") as seen:
        page = seen.page
        await seen.go("/")
        await page.get_by_role("link", name="Compare").click()
        await page.get_by_label("Left").select_option(left)
        await page.get_by_label("Right").select_option(right)
        await page.get_by_role("button", name="Compare").click(timeout=WAIT_MS)
        rows = page.locator(".items-beside tbody tr")
        await rows.first.wait_for()
        assert await rows.count() == 4
        assert await page.locator(".items-beside del").all_inner_texts() == ["two"]
        assert await page.locator(".items-beside ins").all_inner_texts() == ["zwei"]
        assert await page.locator(".items-beside .pill").all_inner_texts() == [
            "failed",
            "not there",
        ]
        assert await seen.faults() == []
        await page.get_by_role("link", name="Different").click()
        await page.wait_for_url("**show=different**")
        assert await rows.locator("th").all_inner_texts() == ["w1", "w2", "w3"]
        await page.get_by_role("link", name="Failed").click()
        await page.wait_for_url("**show=failed**")
        assert await rows.locator("th").all_inner_texts() == ["w2"]


async def test_two_models_of_one_run_are_compared_row_by_row(page_of):
    async with page_of() as seen:
        service, page = seen.service, seen.page
        upload = await service.upload('{"id":"a","text":"x"}\n{"id":"b","text":"y"}\n')
        models = ["sim/fast", "sim/instant"]
        asked = {"file": {"upload": upload}, "prompts": ["{{ text }}"], "models": models}
        started = await service.post("/api/v1/runs", {"pipeline": "prompts", "input": asked})
        await service.until(started["id"], "finished")
        run = started["id"]
        await seen.go(
            f"/compare?left={run}&right={run}&left_model=sim/fast&right_model=sim/instant"
        )
        rows = page.locator(".items-beside tbody tr")
        assert await rows.locator("th").all_inner_texts() == ["a", "b"]
        assert await page.get_by_text("not there").count() == 0
