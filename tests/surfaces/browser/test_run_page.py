"""A run's page in Chromium: seen live, steered, looked into, taken away."""

from __future__ import annotations

import csv
import io
import re

import orjson
import pytest

from support.browser import WAIT_MS

HASTY = {"max_attempts": 1, "max_concurrency": 40, "attempt_timeout_s": 1.0}

pytestmark = [pytest.mark.chromium, pytest.mark.asyncio(loop_scope="module")]


async def test_a_run_is_seen_live_paused_given_other_limits_and_cancelled(page_of):
    async with page_of() as seen:
        service, page = seen.service, seen.page
        run_id = await service.start(400, model="sim/slow", options={"max_concurrency": 2})
        await seen.go("/")
        await page.get_by_role("link", name="prompts").click()
        await seen.until_text("#status", "running")
        await seen.until("document.querySelector('#in-flight').textContent.startsWith('2 / 2')")
        await page.get_by_role("button", name="Pause").click()
        await seen.until_text("#status", "paused")
        await page.get_by_role("button", name="Resume").click()
        await seen.until_text("#status", "running")
        await page.locator("summary", has_text="Limits").click()
        await page.get_by_label("Calls at once").fill("9")
        await page.get_by_role("button", name="Change").click()
        await seen.until("document.querySelector('#in-flight').textContent.endsWith('/ 9')")
        page.on("dialog", lambda dialog: dialog.accept())
        await page.get_by_role("button", name="Cancel").click()
        await seen.until_text("#status", "cancelled")
        run = await service.get(f"/api/v1/runs/{run_id}")
        assert run["options"]["max_concurrency"] == 9


async def test_results_come_in_while_one_looks_and_a_call_is_opened(page_of):
    async with page_of() as seen:
        service, page = seen.service, seen.page
        run_id = await service.start(60, model="sim/default", options={"max_concurrency": 4})
        await seen.go(f"/runs/{run_id}#results")
        await page.locator("#results .row .left").first.wait_for()
        await seen.until("Number(document.querySelector('#done').textContent) < 60")
        await page.locator("#results").focus()
        await page.keyboard.press("Home")
        await page.keyboard.press("Enter")
        drawer = page.get_by_role("dialog")
        await drawer.get_by_role("cell", name="served").first.wait_for()
        assert re.fullmatch(r"r\d+", await page.locator("#drawer-title").inner_text())
        await page.keyboard.press("Escape")
        await seen.until_text("#done", "60")
        await seen.until_text("#status", "finished")


async def test_what_failed_is_shown_in_groups_and_sent_again(page_of):
    async with page_of() as seen:
        service, page = seen.service, seen.page
        run_id = await service.start(60, model="sim/flaky", options=HASTY)
        before = await service.until(run_id, "finished")
        assert before["items"]["failed"] > 0
        await seen.go(f"/runs/{run_id}#errors")
        group = page.locator("#errors .group").first
        await group.wait_for()
        assert re.match(r"\d+ × ", await group.inner_text())
        await page.get_by_role("tab", name="Results").click()
        await page.get_by_role("button", name="Failed", exact=True).click()
        await page.locator("#results .why").first.wait_for()
        await page.get_by_role("button", name="Retry failed").click()
        await seen.until_text("#said", "What failed is sent again.")
        await service.until_done(run_id, 60)
        await service.until(run_id, "finished")
        again = await service.get(f"/api/v1/runs/{run_id}/items?limit=100&cursor=60")
        assert len(again["data"]) == before["items"]["failed"]


async def test_results_and_report_are_taken_away(page_of):
    async with page_of() as seen:
        service, page = seen.service, seen.page
        run_id = await service.start(5)
        await service.until(run_id, "finished")
        await seen.go(f"/runs/{run_id}")
        texts = {}
        for name in ("Report (HTML)", "Results (JSONL)", "Results (CSV)"):
            await page.locator("summary", has_text="Export").click()
            async with page.expect_download(timeout=WAIT_MS) as download:
                await page.get_by_role("link", name=name).click()
            texts[name] = (await (await download.value).path()).read_text()
            await page.keyboard.press("Escape")
        assert "<html" in texts["Report (HTML)"]
        lines = texts["Results (JSONL)"].splitlines()
        assert sorted(orjson.loads(line)["id"] for line in lines) == [f"r{n}" for n in range(5)]
        rows = list(csv.DictReader(io.StringIO(texts["Results (CSV)"])))
        assert sorted(row["id"] for row in rows) == [f"r{n}" for n in range(5)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nobody_is_shut_out_of_any_part_of_a_run(page_of, scheme):
    async with page_of(color_scheme=scheme) as seen:
        service, page = seen.service, seen.page
        run_id = await service.start(40, model="sim/flaky", options=HASTY)
        await service.until(run_id, "finished")
        await seen.go("/")
        await page.locator("#runs tr").first.wait_for()
        assert await seen.faults() == []
        await seen.go(f"/runs/{run_id}")
        for name in ("Charts", "Results", "Errors", "Waterfall", "Report", "Input"):
            await page.get_by_role("tab", name=name).click()
            await page.wait_for_load_state("networkidle") if name == "Report" else None
            assert await seen.faults() == [], name
        await page.get_by_role("tab", name="Results").click()
        await page.locator("#results .row").first.click()
        await page.locator("#drawer-body table").first.wait_for()
        assert await seen.faults() == []


async def test_a_fault_for_those_who_cannot_see_well_would_be_found(page_of):
    async with page_of() as seen:
        await seen.page.evaluate("document.querySelector('h1').style.color = '#ddd'")
        assert any("color-contrast" in fault for fault in await seen.faults())
