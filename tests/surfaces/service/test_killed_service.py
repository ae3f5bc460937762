"""A service that is killed with -9 under load: started again, it goes on with every accepted run by
itself, nothing is lost or paid for twice but what was in flight, and watchers miss nothing.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter

import aiohttp
import pytest

from support.program import start
from support.server import serving

RUNS = 3
ROWS = 250
IN_FLIGHT = 8
KILLS = 2


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


async def until(reached):
    async with asyncio.timeout(40):
        while not await reached():  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.05)


class Client:
    """A client of a service that may be away for a while."""

    def __init__(self, url, directory):
        self.url = url
        self.directory = directory
        self.http = aiohttp.ClientSession()

    @property
    def headers(self):
        token = (self.directory / ".fanwise" / "service-token").read_text().strip()
        return {"Authorization": f"Bearer {token}"}

    async def ready(self):
        try:
            async with self.http.get(f"{self.url}/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def call(self, method, path, **how):
        url = self.url + path
        async with self.http.request(method, url, headers=self.headers, **how) as answer:
            body = await answer.json()
            assert answer.status < 300, body
            return body

    async def start(self, name):
        table = "".join(
            json.dumps({"id": f"i{n}", "text": f"{name} {n}"}) + "\n" for n in range(ROWS)
        )
        form = aiohttp.FormData()
        form.add_field("file", table.encode(), filename="table.jsonl")
        upload = await self.call("POST", "/api/v1/uploads", data=form)
        asked = {
            "pipeline": "prompts",
            "input": {
                "file": {"upload": upload["id"]},
                "prompts": ["{{ text }}"],
                "models": ["openai/one"],
            },
            "options": {"max_concurrency": IN_FLIGHT},
        }
        return (await self.call("POST", "/api/v1/runs", json=asked))["id"]

    async def watch(self, run_id, seen):
        """Notes the numbers of durable events; comes back with the last one whenever cut off."""
        while True:
            headers = {**self.headers, "Last-Event-ID": str(seen[-1] if seen else 0)}
            url = f"{self.url}/api/v1/runs/{run_id}/events"
            try:
                async with self.http.get(url, headers=headers) as answer:
                    async for raw in answer.content:
                        if raw.startswith(b"id: "):
                            seen.append(int(raw[4:]))
                        elif raw.startswith(b"event: end"):
                            return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


@pytest.mark.timeout(90)
async def test_a_killed_service_loses_nothing(tmp_path):
    port = free_port()
    with serving(latency_ms=(20.0, 40.0)) as server:
        env = {"OPENAI_BASE_URL": server.base_url}

        def begin():
            return start("serve", "--port", port, cwd=tmp_path, env=env)

        process = begin()
        client = Client(f"http://127.0.0.1:{port}", tmp_path)
        watchers = []
        try:
            await until(client.ready)
            runs = [await client.start(f"run{n}") for n in range(RUNS)]
            seen = {run_id: [] for run_id in runs}
            watchers = [asyncio.create_task(client.watch(run_id, seen[run_id])) for run_id in runs]
            for kill in range(1, KILLS + 1):
                wanted = kill * RUNS * ROWS // (KILLS + 2)
                await asyncio.to_thread(
                    server.wait_for, lambda counts, wanted=wanted: counts["requests"] >= wanted
                )
                process.kill()
                process.wait()
                process = begin()
                await until(client.ready)
            async with asyncio.timeout(60):
                await asyncio.gather(*watchers)
            for run_id in runs:
                run = await client.call("GET", f"/api/v1/runs/{run_id}")
                assert run["status"] == "finished"
                assert run["items"]["succeeded"] == ROWS
                assert seen[run_id] == list(range(1, len(seen[run_id]) + 1))
                assert len(seen[run_id]) >= ROWS
        finally:
            for watcher in watchers:
                watcher.cancel()
            await client.http.close()
            process.terminate()
            process.wait()
        sent = Counter(line["prompt"] for line in server.ledger())
        assert len(sent) == RUNS * ROWS
        assert sum(sent.values()) <= RUNS * ROWS + KILLS * RUNS * IN_FLIGHT
        assert sum(sent.values()) > RUNS * ROWS  # else nothing was in flight at the kills
