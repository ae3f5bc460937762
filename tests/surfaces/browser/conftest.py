"""One Chromium for a file of tests, one service for each test."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from conftest import missing
from support.browser import FLAGS, Opened, opened
from support.service import served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, without anything of its own that asks the network."""
    if CHROMIUM is None:
        missing("Debian's chromium")
    async with async_playwright() as playwright:
        program = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield program
        await program.close()


@pytest.fixture
def page_of(tmp_path: Path, browser: Browser) -> Any:
    """``async with page_of() as seen``: a service over ``tmp_path`` and a page logged in to it.

    At the end nothing may have been said on the console, and no other host have been asked.
    """

    @asynccontextmanager
    async def look(**how: Any) -> AsyncIterator[Opened]:
        async with (
            served(tmp_path, drain_s=0.2) as service,
            opened(browser, service, **how) as seen,
        ):
            yield seen

    return look
