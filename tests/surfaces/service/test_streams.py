"""Streams of events: whole, in order, gone on with, harmless to the run."""

from __future__ import annotations

import asyncio

import aiohttp
import orjson

from support.service import served


async def sse(service, run_id, *, after=0, most=10**9):
    """Events of a stream as (id, kind, data), until it ends or so many durable ones came."""
    found = []
    headers = {"Last-Event-ID": str(after)} if after else {}
    url = f"{service.url}/api/v1/runs/{run_id}/events"
    async with service.http.get(url, headers=headers) as answer:
        assert answer.status == 200
        message = {}
        async for raw in answer.content:
            line = raw.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(": ")
                message[name] = value
                continue
            if "event" in message:
                number = int(message["id"]) if "id" in message else None
                found.append((number, message["event"], orjson.loads(message["data"])))
                if message["event"] == "end" or sum(n is not None for n, _, _ in found) >= most:
                    return found
            message = {}
    return found


async def test_durable_events_come_once_each_in_order(tmp_path):
    async with served(tmp_path) as service:
        run_id = await service.start(300)
        found = await sse(service, run_id)
        numbers = [number for number, _, _ in found if number is not None]
        assert numbers == list(range(1, len(numbers) + 1))
        assert sum(kind == "item.succeeded" for _, kind, _ in found) == 300
        assert found[-1][1] == "end"


async def test_a_reader_that_comes_back_misses_nothing(tmp_path):
    async with served(tmp_path) as service:
        run_id = await service.start(300)
        numbers = []
        while len(numbers) < 300:
            after = numbers[-1] if numbers else 0
            part = await sse(service, run_id, after=after, most=90)
            numbers += [number for number, _, _ in part if number is not None]
            if part[-1][1] == "end":
                break
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= 300


async def test_a_socket_tells_the_same(tmp_path):
    async with served(tmp_path) as service:
        run_id = await service.start(50)
        url = f"{service.url}/api/v1/runs/{run_id}/ws"
        numbers, kinds = [], set()
        async with service.http.ws_connect(url) as socket:
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                told = orjson.loads(message.data)
                kinds.add(told["type"])
                if told["type"] == "events":
                    numbers += [event["number"] for event in told["events"]]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= 50
        assert {"events", "snapshot", "end"} <= kinds


async def test_a_reader_that_stops_reading_harms_nobody(tmp_path):
    async with served(tmp_path) as service:
        run_id = await service.start(2000)
        url = f"{service.url}/api/v1/runs/{run_id}/events"
        stuck = [await service.http.get(url) for _ in range(3)]
        try:
            run = await service.until(run_id, "finished")
            assert run["items"]["succeeded"] == 2000
            assert len([1 for number, _, _ in await sse(service, run_id) if number]) >= 2000
        finally:
            for answer in stuck:
                answer.close()


async def test_watchers_of_one_run_share_its_feed(tmp_path):
    async with served(tmp_path) as service:
        run_id = await service.start(100, model="sim/default", options={"max_concurrency": 50})
        both = await asyncio.gather(*(sse(service, run_id) for _ in range(8)))
        assert all(one[-1][1] == "end" for one in both)
        assert len({len([1 for number, _, _ in one if number]) for one in both}) == 1
