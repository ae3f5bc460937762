"""What the tests of the simulated provider ask it with: a client that is not ours."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from fanwise.simulator.profile import profile_from_options

INSTANT = {"latency": "0", "sigma": "0"}


COLOUR = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green"]}},
    "required": ["colour"],
}


def profile(**options):
    return profile_from_options({**INSTANT, **{k: str(v) for k, v in options.items()}})


def chat(text="What is a harbour? A harbour shelters ships.", **more):
    return {"model": "sim", "messages": [{"role": "user", "content": text}], **more}


def schema_format(name="colour", schema=COLOUR):
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}


async def ask(session, provider, body, *, path="/chat/completions", headers=None):
    data = body if isinstance(body, bytes) else json.dumps(body)
    async with session.post(provider.base_url + path, data=data, headers=headers) as response:
        return response.status, response.headers, await response.text()


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - a server on a socket has no event to wait for
            await asyncio.sleep(0)


@pytest.fixture
async def session():
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def raw(provider, data, *, half_close=False):
    """Sends bytes over a socket of its own and reads until the server closes it."""
    port = int(provider.base_url.rsplit(":", 1)[1].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        if half_close:
            writer.write_eof()
        async with asyncio.timeout(20):
            return await reader.read()
    finally:
        writer.close()
