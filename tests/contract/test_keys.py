"""Several keys over a real socket: a dead one costs no item, none goes where it should not."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

import fanwise as fw

KEYS = {"OPENAI_API_KEY_1": "sk-first-12345678", "OPENAI_API_KEY_2": "sk-second-1234567"}
ANSWER = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
NO_CREDIT = {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}
BAD_KEY = {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}


class Server:
    """Counts what each key sent; some keys are refused."""

    def __init__(self, refused: Mapping[str, int], *, moved_to: str) -> None:
        self.url = ""
        self._moved_to = moved_to
        self.sent: Counter[str] = Counter()
        self._refused = refused

    async def answer(self, request: web.Request) -> web.Response:
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.sent[key] += 1
        if self._moved_to:
            raise web.HTTPTemporaryRedirect(self._moved_to)
        status = self._refused.get(key)
        if status is None:
            return web.json_response(ANSWER, headers={"openai-organization": f"org-{key[:8]}"})
        return web.json_response(BAD_KEY if status == 401 else NO_CREDIT, status=status)


@asynccontextmanager
async def serving(refused: Mapping[str, int], *, moved_to: str = "") -> AsyncGenerator[Server]:
    server = Server(refused, moved_to=moved_to)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()


async def ask(ctx: fw.Context, word: str) -> str:
    return await ctx.call("openai/m", f"Say {word}")


async def outcomes(server: Server, *, items: int = 12) -> list[fw.Outcome]:
    async with fw.open_run("keys", journal=":memory:", env=KEYS, base_url=server.url) as run:
        return list(await run.map(ask, [str(n) for n in range(items)]).collect())


@pytest.mark.parametrize("status", [401, 429], ids=["refused", "no credit"])
async def test_a_dead_key_leaves_the_rotation_and_no_item_fails(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = KEYS.values()
    async with serving({first: status}) as server:
        caplog.set_level(logging.WARNING, logger="fanwise.keys")
        found = await outcomes(server)
    assert [outcome.value for outcome in found] == ["hi"] * 12
    assert server.sent[second] == 12
    assert 1 <= server.sent[first] <= 12
    [said] = [record.getMessage() for record in caplog.records if record.name == "fanwise.keys"]
    assert "OPENAI_API_KEY_1 is out of use" in said
    assert not any(key in caplog.text for key in KEYS.values())


async def test_keys_that_all_are_dead_end_the_run_with_the_providers_word() -> None:
    async with serving(dict.fromkeys(KEYS.values(), 401)) as server:
        with pytest.raises(fw.errors.Rejected, match="check OPENAI_API_KEY_") as caught:
            await outcomes(server, items=200)
    assert server.sent.total() < 200
    assert not any(key in f"{caught.value!r}{caught.value}" for key in KEYS.values())


async def test_both_keys_are_used_while_both_live() -> None:
    async with serving({}) as server:
        await outcomes(server, items=40)
    assert sum(server.sent.values()) == 40
    assert min(server.sent[key] for key in KEYS.values()) >= 10


async def test_a_redirect_is_not_followed_with_a_key() -> None:
    async with (
        serving({}) as elsewhere,
        serving({}, moved_to=f"{elsewhere.url}/chat/completions") as server,
    ):
        found = await outcomes(server, items=2)
    assert not any(outcome.ok for outcome in found)
    assert server.sent
    assert not elsewhere.sent
