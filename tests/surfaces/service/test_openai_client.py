"""OpenAI's own client runs batches here, unchanged."""

from __future__ import annotations

import asyncio

import openai
import orjson
import pytest

from support.service import served

PROVIDER = {"fanwise_provider": "sim"}


def lines(count, *, model="fast"):
    body = {"model": model, "messages": [{"role": "user", "content": "Say it"}]}
    return b"".join(
        orjson.dumps(
            {
                "custom_id": f"request-{number}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": body | {"messages": [{"role": "user", "content": f"Say word{number}"}]},
            }
        )
        + b"\n"
        for number in range(count)
    )


def client_of(service):
    return openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key=service.token, max_retries=0)


async def ended(client, batch_id):
    async with asyncio.timeout(60):
        while True:
            batch = await client.batches.retrieve(batch_id)
            if batch.status in {"completed", "failed", "cancelled", "expired"}:
                return batch
            await asyncio.sleep(0.05)


async def test_a_thousand_lines_come_back_each_once(tmp_path):
    async with served(tmp_path) as service, client_of(service) as client:
        file = await client.files.create(file=("in.jsonl", lines(1000)), purpose="batch")
        assert file.status == "processed"
        batch = await client.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata=PROVIDER,
        )
        assert batch.status in {"validating", "in_progress"}
        batch = await ended(client, batch.id)
        assert batch.status == "completed"
        assert batch.request_counts.completed == 1000
        assert batch.error_file_id is None
        text = (await client.files.content(batch.output_file_id)).text
        found = [orjson.loads(line) for line in text.splitlines()]
        assert {line["custom_id"] for line in found} == {f"request-{n}" for n in range(1000)}
        assert len(found) == 1000
        for line in found[:50]:
            number = line["custom_id"].partition("-")[2]
            answer = line["response"]["body"]["choices"][0]["message"]["content"]
            assert f"word{number}" in answer
        listed = [one.id async for one in client.batches.list(limit=10)]
        assert batch.id in listed
        assert (await client.files.delete(file.id)).deleted


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"{not json}\n", "invalid_json_line"),
        (lines(1) + lines(1), "duplicate_custom_id"),
        (lines(1).replace(b"/v1/chat/completions", b"/v1/embeddings"), "invalid_url"),
        (lines(1).replace(b'"custom_id":"request-0",', b""), "missing_required_parameter"),
    ],
)
async def test_a_faulty_file_fails_with_the_line_and_sends_nothing(tmp_path, content, code):
    async with served(tmp_path) as service, client_of(service) as client:
        file = await client.files.create(file=("in.jsonl", content), purpose="batch")
        batch = await client.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata=PROVIDER,
        )
        assert batch.status == "failed"
        assert batch.errors.data[0].code == code
        assert (await service.get("/api/v1/runs"))["data"] == []


async def test_a_cancelled_batch_names_what_it_did_not_send(tmp_path):
    async with served(tmp_path) as service, client_of(service) as client:
        file = await client.files.create(
            file=("in.jsonl", lines(300, model="slow")), purpose="batch"
        )
        batch = await client.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata=PROVIDER,
        )
        batch = await client.batches.cancel(batch.id)
        assert batch.status in {"cancelling", "cancelled"}
        batch = await ended(client, batch.id)
        assert batch.status == "cancelled"
        errors = (await client.files.content(batch.error_file_id)).text.splitlines()
        answered = []
        if batch.output_file_id:
            answered = (await client.files.content(batch.output_file_id)).text.splitlines()
        ids = {orjson.loads(line)["custom_id"] for line in [*errors, *answered]}
        assert len(ids) == len(errors) + len(answered) == 300


async def test_a_batch_whose_time_is_up_expires(tmp_path):
    async with served(tmp_path) as service, client_of(service) as client:
        file = await client.files.create(
            file=("in.jsonl", lines(200, model="slow")), purpose="batch"
        )
        batch = await service.hub.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            metadata=PROVIDER,
            caller="x",
            window_s=0.0,
        )
        await service.hub.batches.expire()
        found = await ended(client, batch.id)
        assert found.status == "expired"
        errors = (await client.files.content(found.error_file_id)).text.splitlines()
        assert orjson.loads(errors[-1])["error"]["code"] == "batch_expired"


async def test_errors_are_those_that_the_client_knows(tmp_path):
    async with served(tmp_path) as service, client_of(service) as client:
        with pytest.raises(openai.NotFoundError):
            await client.batches.retrieve("batch_none")
        with pytest.raises(openai.NotFoundError):
            await client.files.retrieve("file-abcdefgh")
        with pytest.raises(openai.UnprocessableEntityError):
            await client.batches.create(
                input_file_id="file-abcdefgh", endpoint="/v1/videos", completion_window="24h"
            )
        wrong = openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key="no", max_retries=0)
        with pytest.raises(openai.AuthenticationError):
            await wrong.batches.list()
        await wrong.close()
