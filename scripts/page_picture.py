"""Takes the picture of README and docs/service.md: the page of a real run, in Chromium.

python scripts/page_picture.py docs/page.png
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import async_playwright

from fanwise.pipelines.scan import PIPELINE

SEEN_AFTER_S = 2.5
MODEL = "sim/limited"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


async def main() -> None:
    """Serves a directory of its own, scans the bundled mailbox, and takes the page half-way."""
    with tempfile.TemporaryDirectory() as place:
        command = ("-m", "fanwise", "serve", "--port", "0", "--journal", place)
        server = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdout=asyncio.subprocess.PIPE, cwd=place
        )
        try:
            assert server.stdout is not None
            link = (await server.stdout.readline()).decode().strip()
            url = link.partition("/login")[0]
            token = (Path(place) / "service-token").read_text().strip()
            run_id = await _start(url, token)
            await asyncio.sleep(SEEN_AFTER_S)
            await _take(link, f"{url}/runs/{run_id}", sys.argv[1])
        finally:
            server.terminate()
            await server.wait()


async def _start(url: str, token: str) -> str:
    """Asks for the run as any program would."""
    assert PIPELINE.sample_path is not None
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http:
        form = aiohttp.FormData()
        form.add_field("file", PIPELINE.sample_path.read_bytes(), filename="mail.mbox")
        async with http.post(f"{url}/api/v1/uploads", data=form) as answer:
            upload: Any = await answer.json()
        job = {
            "pipeline": PIPELINE.name,
            "input": {"source": {"upload": upload["id"]}, "model": MODEL},
        }
        async with http.post(f"{url}/api/v1/runs", json=job) as answer:
            answer.raise_for_status()
            return (await answer.json())["id"]


async def _take(link: str, page_url: str, path: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(FLAGS)
        )
        page = await browser.new_page(viewport={"width": 1100, "height": 760})
        await page.goto(link)
        await page.goto(page_url)
        await page.wait_for_timeout(1500)
        await page.screenshot(path=path)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
