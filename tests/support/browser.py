"""A page of the service in a real browser, watched for what it must not do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page, Request

from support.service import Served

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS = 15_000
_GRAVE = {"serious", "critical"}
_LOOK = """
async () => (await axe.run(document, {resultTypes: ["violations"]})).violations.map((one) => ({
  id: one.id, impact: one.impact, help: one.help, nodes: one.nodes.map((node) => node.html)}))
"""


@dataclass(slots=True)
class Opened:
    """A page, its service, and what the page did that it must not."""

    page: Page
    service: Served
    said: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    async def go(self, path: str) -> None:
        """Opens a page of the service."""
        await self.page.goto(self.service.url + path, wait_until="domcontentloaded")

    async def until(self, condition: str, argument: Any = None) -> None:
        """Waits until an expression of the page is true; its policy forbids to wait within it."""
        async with asyncio.timeout(WAIT_MS / 1000):
            while True:
                if await self.page.evaluate(condition, argument):
                    return
                await asyncio.sleep(0.05)

    async def until_text(self, selector: str, text: str) -> None:
        """Waits until an element says just this."""
        await self.until(
            "([where, text]) => document.querySelector(where)?.textContent.trim() === text",
            [selector, text],
        )

    async def faults(self) -> list[str]:
        """What axe-core finds serious or critical on the page as it stands."""
        script = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()
        await self.page.evaluate(script)
        found: list[dict[str, Any]] = await self.page.evaluate(_LOOK)
        return [
            f"{one['id']}: {one['help']}: {node}"
            for one in found
            if one["impact"] in _GRAVE
            for node in one["nodes"]
        ]


@asynccontextmanager
async def opened(
    browser: Browser, service: Served, *, width: int = 1280, **how: Any
) -> AsyncIterator[Opened]:
    """A page that came in by the link which the service printed."""
    context = await browser.new_context(
        viewport={"width": width, "height": 900}, reduced_motion="reduce", **how
    )
    context.set_default_timeout(WAIT_MS)
    page = await context.new_page()
    seen = Opened(page, service)

    def console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            seen.said.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith((service.url, "data:", "blob:")):
            seen.foreign.append(request.url)

    page.on("console", console)
    page.on("pageerror", lambda error: seen.said.append(str(error)))
    page.on("request", asked)
    try:
        await page.goto(service.link, wait_until="domcontentloaded")
        yield seen
        assert seen.said == []
        assert seen.foreign == []
    finally:
        await context.close()
