"""What pipelines made, in Chromium: a tab for each note as it lands, and nothing hostile in it."""

from __future__ import annotations

import pytest

from fanwise.pipelines import Event

pytestmark = [pytest.mark.chromium, pytest.mark.asyncio(loop_scope="module")]

HOSTILE = """# A heading
![seen](https://beacon.example/seen.gif) <img src=x onerror="window.taken=1">
<script>window.taken = 1</script> [press](javascript:window.taken=1)
"""
TRANSCRIPT = "WEBVTT\n\n00:00.000 --> 00:09.000\nFeed the starter every day.\n"


def note(template: str, text: str) -> Event:
    section = {"section": "s", "title": f"Of {template}", "markdown": text, "sources": []}
    depth = {"depth": "standard", "words": 3, "sections": [section]}
    made = {"models": ["sim/slow"], "warnings": [], "depths": [depth]}
    data = {"template": template, "status": "complete", "error": None, "note": made}
    return Event(kind="result", subject=template, data=data)


async def test_notes_come_tab_by_tab_and_what_is_hostile_in_them_is_text(page_of):
    async with page_of() as seen:
        service, page = seen.service, seen.page
        asked = {
            "source": {"upload": await service.upload(TRANSCRIPT, name="t.vtt")},
            "templates": ["basic-summary", "study-notes"],
            "models": ["sim/slow"],
        }
        started = await service.post("/api/v1/runs", {"pipeline": "notes", "input": asked})
        await service.until(started["id"], "running")
        await seen.go(f"/runs/{started['id']}")
        await page.get_by_text("Being written …").first.wait_for()
        active = service.hub.supervisor.active(started["id"])
        active.events.append(note("study-notes", HOSTILE))
        active.events_seen += 1
        await page.get_by_role("tab", name="study notes", exact=True).click()
        await page.get_by_role("heading", name="Of study-notes").wait_for()
        assert await page.evaluate("window.taken") is None
        assert await page.locator("#result img, #result script").count() == 0
        link = page.locator("#result a")
        assert await link.get_attribute("href") == "https://beacon.example/seen.gif"
        assert await seen.faults() == []
        active.events.append(note("basic-summary", "*fine*"))
        active.events_seen += 1
        await seen.until("document.querySelectorAll('#result article').length === 2")
        assert await page.get_by_role("heading", name="Of study-notes").is_visible()


@pytest.mark.parametrize("how", [{"color_scheme": "dark"}, {"width": 390}], ids=["dark", "phone"])
async def test_a_ranking_can_be_read_by_everybody(page_of, how):
    async with page_of(**how) as seen:
        asked = {"post_idea": "Why small teams ship faster", "models": ["builtin/rules"]}
        started = await seen.service.post("/api/v1/runs", {"pipeline": "hooks", "input": asked})
        await seen.service.until(started["id"], "finished")
        await seen.go(f"/runs/{started['id']}")
        await seen.page.locator(".ranking tbody tr").first.wait_for()
        assert await seen.faults() == []
        wider = "document.documentElement.scrollWidth > innerWidth"
        assert not await seen.page.evaluate(wider)
