"""A service over real sockets, in the test's own loop, and a client of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

import fanwise as fw
from fanwise.ending import end_all
from fanwise.service.hub import Hub, upload_directory
from fanwise.service.serving import serve
from fanwise.service.settings import ServiceSettings


@dataclass(slots=True)
class Served:
    """A running service and a client that bears its token."""

    url: str
    link: str
    token: str
    hub: Hub
    http: aiohttp.ClientSession

    async def call(self, method: str, path: str, **how: Any) -> tuple[int, Any]:
        """Status and JSON of one request."""
        async with self.http.request(method, self.url + path, **how) as answer:
            body = await answer.read()
            return answer.status, orjson.loads(body) if body else None

    async def get(self, path: str, **how: Any) -> Any:
        status, body = await self.call("GET", path, **how)
        assert status == 200, body
        return body

    async def post(self, path: str, body: Any = None, **how: Any) -> Any:
        status, found = await self.call("POST", path, json=body if body is not None else {}, **how)
        assert status in {200, 201, 202, 204}, found
        return found

    async def upload(self, text: str, *, name: str = "table.jsonl") -> str:
        """Sends a file and gives its id."""
        form = aiohttp.FormData()
        form.add_field("file", text.encode(), filename=name)
        status, body = await self.call("POST", "/api/v1/uploads", data=form)
        assert status == 201, body
        return body["id"]

    async def start(self, rows: int = 3, *, model: str = "sim/fast", **more: Any) -> str:
        """Starts a prompts run and gives its id."""
        table = "".join(f'{{"id":"r{number}","text":"word{number}"}}\n' for number in range(rows))
        asked = {
            "pipeline": "prompts",
            "input": {
                "file": {"upload": await self.upload(table)},
                "prompts": ["Say {{ text }}"],
                "models": [model],
            },
            **more,
        }
        return (await self.post("/api/v1/runs", asked))["id"]

    async def until(self, run_id: str, *states: str) -> Mapping[str, Any]:
        """The run once its status is one of these."""
        async with asyncio.timeout(30):
            while True:
                run = await self.get(f"/api/v1/runs/{run_id}")
                if run["status"] in states:
                    return run
                await asyncio.sleep(0.05)

    async def until_done(self, run_id: str, items: int) -> None:
        """Waits until so many items have ended."""
        async with asyncio.timeout(30):
            while True:
                run = await self.get(f"/api/v1/runs/{run_id}")
                if run["items"]["done"] >= items:
                    return
                await asyncio.sleep(0.05)

    async def until_taken(self, path: str) -> Any:
        """Posts until the run has begun far enough to be steered."""
        async with asyncio.timeout(30):
            while True:
                status, body = await self.call("POST", path, json={})
                if status == 200:
                    return body
                await asyncio.sleep(0.05)


@asynccontextmanager
async def served(directory: Path, **settings: Any) -> AsyncIterator[Served]:
    """A service over ``directory``; it is drained at the end."""
    home = fw.open_home(settings.pop("journal", directory / ".fanwise"))
    answers: asyncio.Future[tuple[str, str, Hub]] = asyncio.get_running_loop().create_future()

    async def ready(url: str, link: str, hub: Hub) -> None:
        answers.set_result((url, link, hub))

    fetch = settings.pop("fetch", None)
    wanted = ServiceSettings(port=0, **{"drain_s": 5.0, **settings})
    serving = asyncio.create_task(serve(wanted, home=home, ready=ready))
    try:
        await asyncio.wait({serving, answers}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        url, link, hub = answers.result()
        hub.shelves.fetch = fetch
        token = (upload_directory(home).parent / "service-token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            yield Served(url, link, token, hub, http)
        hub.stopping.set()
        await serving
    finally:
        await end_all([serving])
        home.close()
