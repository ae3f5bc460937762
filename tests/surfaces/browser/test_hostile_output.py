"""What a model writes is text on the page, whatever it looks like."""

from __future__ import annotations

import pytest

from fanwise.pipelines import Event

pytestmark = [pytest.mark.chromium, pytest.mark.asyncio(loop_scope="module")]

TRICKS = (
    "<script>window.taken = 1</script>",
    "<img src=x onerror='window.taken = 1'>",
    "<img src='https://beacon.example/seen.gif'>",
    "![seen](https://beacon.example/seen.gif)",
    "[press](javascript:window.taken=1)",
    "</div></dialog><iframe srcdoc='<script>parent.taken=1</script>'></iframe>",
    "<style>body{display:none}</style><link rel=stylesheet href=https://beacon.example/a.css>",
    "\u202etxt.exe\u2066 {{ 7 * 7 }} ${7*7}",
)


async def test_hostile_answers_are_shown_and_do_nothing(page_of, make_run):
    run_id = await make_run([*TRICKS, "bad <img src=x onerror='window.taken=1'>"])
    async with page_of() as seen:
        page = seen.page
        await seen.go(f"/runs/{run_id}#results")
        await seen.until("document.querySelectorAll('#results .row').length === 9")
        text = await page.locator("#results").text_content() or ""
        for trick in TRICKS:
            assert f"you said {trick}" in text
        for place in range(3):
            await page.locator("#results .row", has_text=f"w{place}").first.click()
            await page.locator("#drawer-body pre").first.wait_for()
            shown = await page.locator("#drawer-body pre").first.text_content()
            assert shown == f"you said {TRICKS[place]}"
            await page.keyboard.press("Escape")
        await page.get_by_role("tab", name="Errors").click()
        await page.locator("#errors .group").wait_for()
        await assert_untouched(page)


async def test_hostile_parts_and_names_are_shown_and_do_nothing(page_of):
    async with page_of() as seen:
        service, page = seen.service, seen.page
        run_id = await service.start(200, model="sim/slow", options={"max_concurrency": 1})
        await service.until(run_id, "running")
        active = service.hub.supervisor.active(run_id)
        await seen.go(f"/runs/{run_id}#results")
        for place, trick in enumerate(TRICKS):
            subject = f"{place} {trick}"
            active.events.append(Event(kind="result", subject=subject, data={"note": trick}))
            active.events_seen += 1
        await seen.until("document.querySelectorAll('#parts > *').length === 8")
        assert TRICKS[0] in (await page.locator("#parts").text_content() or "")
        await assert_untouched(page)


async def assert_untouched(page):
    """Nothing of what a model wrote has become a part of the page."""
    assert await page.evaluate("window.taken") is None
    found = "main img, main iframe, main script, main style, main link, main a[href^='javascript']"
    assert await page.locator(found).count() == 0
