"""New runs from forms in Chromium: each pipeline, its estimate, what is wrong beside its field."""

from __future__ import annotations

from importlib import resources

import pytest

pytestmark = [pytest.mark.chromium, pytest.mark.asyncio(loop_scope="module")]

POSTING = (
    "Senior Python engineer wanted. You will build services that talk to many model providers at "
    "once, keep them fast under rate limits, write tests, and explain your work to others. We ask "
    "for five years of Python, asyncio, PostgreSQL and some Kubernetes."
)
RESUME = b"""# Ada Example
ada@example.org

## Experience
### Engineer, Example Ltd (2019 - 2024)
- Wrote Python services with asyncio and PostgreSQL
- Taught three colleagues how to test

## Skills
Python, PostgreSQL, testing
"""


def sample(pipeline: str, name: str) -> str:
    return str(resources.files(f"fanwise.pipelines.{pipeline}").joinpath("sample", name))


async def fill_prompts(page):
    await page.get_by_text("or paste it").click()
    await page.get_by_label("Table, pasted").fill("id,text\none,first\ntwo,second")
    await page.get_by_label("Prompt").fill("Say {{ text }}")
    await page.get_by_label("Model").fill("sim/fast")


async def fill_hooks(page):
    await page.get_by_label("Idea of the post").fill("Why small teams ship faster than large ones")
    await page.get_by_label("attention").check()
    await page.get_by_role("button", name="Another writer").click()
    await page.get_by_label("Writer").nth(1).fill("sim/fast")


async def fill_notes(page):
    await page.get_by_label("Recording", exact=False).first.set_input_files(
        sample("notes", "sourdough.vtt")
    )
    await page.get_by_label("quick reference").check()


async def fill_grade(page):
    await page.get_by_label("Table of answers", exact=False).first.set_input_files(
        sample("grading", "answers.jsonl")
    )


async def fill_tailor(page):
    await page.get_by_label("Resumes").set_input_files(
        [{"name": "ada.md", "mimeType": "text/markdown", "buffer": RESUME}]
    )
    await page.get_by_label("Posting").fill(POSTING)


async def fill_scan(page):
    await page.get_by_label("Mail", exact=False).first.set_input_files(sample("scan", "mail.mbox"))
    await page.get_by_label("Most conversations").fill("20")


FILLED = {
    "scan": fill_scan,
    "prompts": fill_prompts,
    "hooks": fill_hooks,
    "notes": fill_notes,
    "grade": fill_grade,
    "tailor": fill_tailor,
}


@pytest.mark.parametrize("pipeline", FILLED)
async def test_a_form_tells_what_its_run_will_take_and_starts_it(page_of, pipeline):
    async with page_of() as seen:
        page = seen.page
        await seen.go("/new")
        await page.get_by_role("link", name=pipeline).click()
        await FILLED[pipeline](page)
        await page.get_by_role("button", name="Estimate").click()
        await page.locator("#estimate dt", has_text="calls").wait_for()
        assert await page.locator(".wrong:visible").count() == 0
        assert await seen.faults() == []
        await page.get_by_role("button", name="Start").click()
        await page.wait_for_url("**/runs/*")
        await seen.until_text("#status", "finished")
        runs = (await seen.service.get("/api/v1/runs"))["data"]
        assert [run["pipeline"] for run in runs] == [pipeline]
        assert runs[0]["items"]["failed"] == 0
        if pipeline == "tailor":
            await page.get_by_role("tab", name="Graph").click()
            await page.get_by_role("cell", name="job_analysis").wait_for()
            assert await page.locator("#graph img").evaluate("(image) => image.naturalWidth > 0")
            assert await seen.faults() == []


async def test_what_is_wrong_stands_beside_its_field_and_nothing_is_started(page_of):
    async with page_of(color_scheme="dark") as seen:
        page = seen.page
        await seen.go("/new?pipeline=hooks")
        await page.get_by_label("Idea of the post").fill("short")
        await page.get_by_label("Writer").fill("nobody")
        await page.get_by_label("Requests a minute").fill("often")
        await page.get_by_role("button", name="Start").click()
        await page.get_by_text("is no number").wait_for()
        await page.get_by_label("Requests a minute").fill("-3")
        await page.get_by_role("button", name="Start").click()
        await page.get_by_text("should be greater than 0").wait_for()
        seen.said.clear()  # the browser tells of the answer 422
        await page.get_by_label("Requests a minute").fill("")
        await page.get_by_role("button", name="Start").click()
        idea = page.locator("[data-field=post_idea]")
        await idea.get_by_text("has 5 characters").wait_for()
        await page.locator("[data-field=models]").get_by_text("write provider/model").wait_for()
        assert await page.evaluate("document.activeElement.id") == "field-post_idea"
        assert await page.get_by_label("Idea of the post").get_attribute("aria-invalid") == ""
        assert await seen.faults() == []
        assert (await seen.service.get("/api/v1/runs"))["data"] == []
        seen.said.clear()


async def test_a_run_is_started_with_the_keyboard_alone(page_of):
    async with page_of() as seen:
        page = seen.page
        await seen.go("/new?pipeline=hooks")
        await page.get_by_label("Idea of the post").focus()
        await page.keyboard.type("Why small teams ship faster than large ones")
        for _ in range(60):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.id") == "start":
                break
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/runs/*")
