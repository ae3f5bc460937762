"""What carriers report over HTTP: the signature is the lock."""

import json
import time
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select

import fanwise as fw
from fanwise.pipelines.scan import sign, tables
from support.service import Served, served

SECRET = "a secret of sixteen or more"


async def post(service: Served, body: bytes, *, carrier: str = "ups", **headers: str) -> int:
    """Without the token that the service's own clients bear."""
    given = {"content-type": "application/json"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession() as http:
        url = f"{service.url}/api/webhooks/{carrier}"
        async with http.post(url, data=body, headers=given) as answer:
            found = await answer.read()
            assert answer.status == 204 or set(json.loads(found)) == {"error"}
            return answer.status


async def test_a_signed_report_needs_no_token_and_an_unsigned_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANWISE_WEBHOOK_SECRET_UPS", SECRET)
    body = json.dumps(
        {"event": "e1", "tracking_number": "1Z999AA10123456784", "status": "delivered"}
    ).encode()
    signature = sign(body, secret=SECRET, at=time.time())
    async with served(tmp_path) as service:
        assert await post(service, body) == 401
        assert await post(service, body + b" ", x_fanwise_signature=signature) == 401
        assert await post(service, body, carrier="dhl", x_fanwise_signature=signature) == 401
        assert await post(service, body, x_fanwise_signature=signature) == 204
        assert await post(service, body, x_fanwise_signature=signature) == 204
        wrong = b'{"event":"e2"}'
        signed = sign(wrong, secret=SECRET, at=time.time())
        assert await post(service, wrong, x_fanwise_signature=signed) == 422
        assert await post(service, b" " * 70_000, x_fanwise_signature=signed) == 413
    async with fw.Store(fw.open_home(tmp_path / ".fanwise"), "scan", tables.metadata) as store:
        found = await store.read(lambda c: c.execute(select(tables.tracking_events)).all())
    assert [(row.event, row.status) for row in found] == [("ups:e1", "delivered")]
