"""Callbacks: signed, tried again, kept over a restart, and never inside the own network."""

from __future__ import annotations

import asyncio
import hashlib
import hmac

import orjson
import pytest
from aiohttp import web

from fanwise.service.callbacks import PublicResolver
from support.service import served


class Receiver:
    """Takes callbacks; answers with these statuses in turn, then with 204."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.got = []
        self.arrived = asyncio.Event()

    async def take(self, request):
        self.got.append((dict(request.headers), await request.read()))
        self.arrived.set()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)

    async def __aenter__(self):
        app = web.Application()
        app.router.add_post("/told", self.take)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/told"
        return self

    async def __aexit__(self, *_):
        await self.runner.cleanup()

    async def until(self, count):
        async with asyncio.timeout(30):
            while len(self.got) < count:
                self.arrived.clear()
                await self.arrived.wait()


async def test_a_run_s_end_is_told_signed_and_tried_again(tmp_path):
    async with Receiver(503) as receiver, served(tmp_path, callback_hosts=["127.0.0.1"]) as service:
        run_id = await service.start(2, callback_url=receiver.url)
        await receiver.until(2)
        headers, body = receiver.got[1]
        assert body == receiver.got[0][1]
        told = orjson.loads(body)
        assert (told["run_id"], told["type"]) == (run_id, "run.finished")
        assert headers["Idempotency-Key"] == run_id
        secret = (tmp_path / ".fanwise" / "callback-secret").read_text().strip()
        at, _, digest = headers["Fanwise-Signature"].removeprefix("t=").partition(",v1=")
        wanted = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(digest, wanted)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://localhost:80/x",
        "http://[::1]/x",
        "http://169.254.169.254/latest",
        "http://10.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::ffff:127.0.0.1]/",
        "ftp://example.org/x",
        "file:///etc/passwd",
        "https://user:secret@example.org/",
        "http://[",
        "",
    ],
)
async def test_what_is_not_on_the_internet_is_not_told(tmp_path, url):
    async with served(tmp_path) as service:
        asked = {"pipeline": "prompts", "input": {}, "callback_url": url}
        status, body = await service.call("POST", "/api/v1/runs", json=asked)
        assert status == 422
        assert "callback_url" in body["error"]["fields"]


async def test_a_name_that_leads_inside_is_not_followed():
    with pytest.raises(OSError, match="no public address"):
        await PublicResolver(()).resolve("localhost", 80)
    assert await PublicResolver({"localhost"}).resolve("localhost", 80)
