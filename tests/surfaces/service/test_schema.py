"""The whole API as its description states it, with good and bad data: it never breaks, answers
nothing that it does not document, and lets nobody in without a token.
"""

from __future__ import annotations

import asyncio

import pytest
import requests
import schemathesis
import yarl
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support.service import served

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 4
TIMEOUT_S = 10

bounded = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def operations(url, token):
    """Every operation of the API, as its own description has them."""
    answer = requests.get(
        f"{url}/api/v1/openapi.json",
        headers={"Authorization": f"Bearer {token}"},
        timeout=TIMEOUT_S,
    )
    schema = schemathesis.openapi.from_dict(answer.json())
    found = [result.ok() for result in schema.get_all_operations()]
    assert len(found) > 25
    return found


def explore(url, token, *, mode, path_parameters):
    """Sends generated requests with the token and judges every answer."""
    failures = {}
    statuses = set()
    with requests.Session() as session:
        for operation in operations(url, token):
            known = {
                parameter.name: path_parameters[parameter.name]
                for parameter in operation.path_parameters
                if parameter.name in path_parameters
            }

            @bounded
            @given(case=operation.as_strategy(mode, path_parameters=known or None))
            def one(case):
                response = case.call(
                    base_url=url,
                    session=session,
                    headers={"Authorization": f"Bearer {token}"},
                    timeout=TIMEOUT_S,
                )
                statuses.add(response.status_code)
                case.validate_response(response, checks=CHECKS)

            try:
                one()
            except Unsatisfiable:
                # Whatever is sent to such an operation is right: it takes no data, or any text.
                assert mode is GenerationMode.NEGATIVE, operation.label
            except Exception as error:  # noqa: BLE001 - told with all others
                failures[operation.label] = str(error)[:1500]
    assert not failures, "\n\n".join(f"{name}: {why}" for name, why in failures.items())
    return statuses


def intrude(url, token):
    """Sends generated requests without a token: what was let in."""
    let_in = []
    with requests.Session() as session:
        for operation in operations(url, token):

            @settings(bounded, max_examples=2)
            @given(case=operation.as_strategy(GenerationMode.POSITIVE))
            def one(case):
                response = case.call(base_url=url, session=session, timeout=TIMEOUT_S)
                if response.status_code < 400:
                    let_in.append((case.operation.label, response.status_code))

            one()
    return let_in


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("mode", "there"),
    [
        pytest.param(GenerationMode.POSITIVE, False, id="good data of things that are not there"),
        pytest.param(GenerationMode.POSITIVE, True, id="good data of things that are there"),
        pytest.param(GenerationMode.NEGATIVE, True, id="bad data"),
    ],
)
async def test_every_answer_is_a_documented_one(tmp_path, mode, there):
    async with served(tmp_path) as service:
        known = {}
        if there:
            run_id = await service.start(2)
            await service.until(run_id, "finished")
            known = {
                "run_id": run_id,
                "item_id": "r0",
                "file_id": await service.upload("{}"),
                "upload_id": await service.upload("{}"),
            }
        statuses = await asyncio.to_thread(
            explore, service.url, service.token, mode=mode, path_parameters=known
        )
        assert statuses & {200, 201, 202}
        assert statuses & {404, 422}


async def test_nobody_is_let_in_without_a_token(tmp_path):
    async with served(tmp_path) as service:
        assert await asyncio.to_thread(intrude, service.url, service.token) == []


ODD_PATHS = [
    "/api/v1/runs/%00",
    "/api/v1/runs/a%00b/items",
    "/api/v1/runs/x/items/%00%ff",
    "/api/v1/runs/x/items/..%2f..%2f..%2fetc%2fpasswd",
    "/api/v1/runs/..%2f..%2fservice-token",
    "/api/v1/runs?cursor=%00",
    "/api/v1/runs?status=%00",
    "/v1/files?purpose=%00",
    "/api/v1/runs?limit=" + "9" * 5000,
    "/api/v1/runs/x/items?cursor=" + "9" * 40,
    "/api/v1/runs/x/events?after=-1",
    "/v1/files/%00",
    "/v1/files/..%2fservice-token/content",
    "/v1/files?after=%00",
    "/v1/batches/%00",
    "/v1/batches?after=%00",
    "/static/..%2f..%2fapp.py",
    "/static/%00",
    "/runs/%00",
    "/" + "x" * 9000,
    "//health",
]


async def test_odd_paths_are_answered_as_wrong(tmp_path):
    async with served(tmp_path) as service:
        for path in ODD_PATHS:
            url = yarl.URL(service.url + path, encoded=True)
            async with service.http.get(url) as answer:
                assert 400 <= answer.status < 500, (path, answer.status)


async def test_odd_values_in_bodies_and_headers_are_answered_as_wrong(tmp_path):
    async with served(tmp_path) as service:
        new = {"pipeline": "prompts\0", "input": {"file": {"upload": "\0"}}}
        assert (await service.call("POST", "/api/v1/runs", json=new))[0] in {404, 422}
        new["pipeline"] = "prompts"
        assert (await service.call("POST", "/api/v1/runs", json=new))[0] in {404, 422}
        for body in (b"", b"[", b"\xff", b"nul", b"[" * 100_000, b'{"input":' * 5000, b"1" * 9999):
            headers = {"Content-Type": "application/json"}
            status, told = await service.call("POST", "/api/v1/runs", data=body, headers=headers)
            assert status in {400, 422}, body[:20]
            assert told["error"]["kind"]
        for odd in (b'"\\ud800"', b"1" * 40, b"1e400", b"NaN", b'"\\u0000"', b"{}"):
            for body in (
                b'{"pipeline":"prompts","input":{"prompts":[%b],"models":["sim/fast"]}}',
                b'{"pipeline":"prompts","input":{"file":{"upload":%b}}}',
                b'{"pipeline":%b,"input":{}}',
                b'{"pipeline":"prompts","input":{},"options":{"rpm":%b}}',
            ):
                status, told = await service.call(
                    "POST", "/api/v1/runs", data=body % odd, headers=headers
                )
                assert status in {202, 404, 422}, (body, odd, told)
        for last in ("-1", "x", "9" * 30):
            how = {"headers": {"Last-Event-ID": last}}
            assert (await service.call("GET", "/api/v1/runs/x/events", **how))[0] == 422


@pytest.mark.parametrize("method", ["HEAD", "PUT", "TRACE", "PROPFIND"])
async def test_methods_that_are_not_there_are_answered_as_such(tmp_path, method):
    async with served(tmp_path) as service:
        for path in ("/api/v1/runs", "/health", "/api/v1/tickets", "/v1/files"):
            how = {} if method == "HEAD" else {"json": {}}
            async with service.http.request(method, service.url + path, **how) as answer:
                assert answer.status == 405, path
                assert answer.headers["allow"]
