"""What the service keeps from others: its secrets, the machine's files and network, and the people
who open what it exports.
"""

from __future__ import annotations

import csv
import io
import stat
from pathlib import Path

import aiohttp
import pytest

from support.program import start
from support.server import serving
from support.service import served
from surfaces.service.test_killed_service import Client, free_port, until


def everything_in(directory: Path) -> bytes:
    """All bytes that the service keeps, but those of its own token."""
    return b"".join(
        path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name not in {"service-token", "callback-secret"}
    )


async def test_secrets_lie_in_files_of_their_own_that_others_cannot_read(tmp_path):
    async with served(tmp_path) as service:
        guest = await service.hub.tokens.create("guest")
        run_id = await service.start(1)
        await service.until(run_id, "finished")
        kept = everything_in(tmp_path)
        assert service.token.encode() not in kept
        assert guest.encode() not in kept
        mode = (tmp_path / ".fanwise" / "service-token").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}])
async def test_a_page_elsewhere_opens_no_socket(tmp_path, headers):
    async with served(tmp_path) as service:
        run_id = await service.start(1)
        url = f"{service.url}/api/v1/runs/{run_id}/ws"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await service.http.ws_connect(url, headers=headers)
        assert refused.value.status == 403
        await service.until(run_id, "finished")


async def test_a_socket_takes_a_ticket_once_and_no_token_in_its_url(tmp_path):
    async with served(tmp_path) as service, aiohttp.ClientSession() as nobody:
        run_id = await service.start(1)
        await service.until(run_id, "finished")
        url = f"{service.url}/api/v1/runs/{run_id}/ws"
        ticket = (await service.post("/api/v1/tickets"))["ticket"]
        async with nobody.ws_connect(f"{url}?ticket={ticket}") as socket:
            assert await socket.receive_json()
        for query in (f"ticket={ticket}", f"ticket={service.token}", f"token={service.token}", ""):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await nobody.ws_connect(f"{url}?{query}")
        async with nobody.get(f"{service.url}/api/v1/runs?token={service.token}") as answer:
            assert answer.status == 401


async def test_only_named_origins_get_cors_headers(tmp_path):
    front = "https://app.example.org"
    async with served(tmp_path, allowed_origins=[front]) as service:
        url = f"{service.url}/api/v1/runs"
        async with service.http.get(url, headers={"Origin": front}) as answer:
            assert answer.headers["access-control-allow-origin"] == front
        async with service.http.get(url, headers={"Origin": service.url}) as answer:
            assert "access-control-allow-origin" not in answer.headers
        asked = {"Origin": front, "Access-Control-Request-Method": "POST"}
        async with service.http.options(url, headers=asked) as answer:
            assert answer.status == 204


@pytest.mark.parametrize(
    "more",
    [
        {"options": {"base_url": "http://169.254.169.254/v1"}},
        {"options": {"journal": "/tmp/elsewhere"}},
        {"input": {"base_url": "http://169.254.169.254/v1"}},
        {"input": {"file": "/etc/passwd"}},
        {"input": {"file": "file:///etc/passwd"}},
        {"input": {"file": {"upload": "../../service-token"}}},
        {"input": {"file": ["/etc/passwd"]}},
    ],
)
async def test_a_request_names_no_file_and_no_server_of_its_own(tmp_path, more):
    async with served(tmp_path) as service:
        asked = {"prompts": ["x"], "models": ["sim/fast"]}
        asked["file"] = {"upload": await service.upload('{"id":"a"}')}
        new = {
            "pipeline": "prompts",
            "input": asked | more.get("input", {}),
            "options": more.get("options", {}),
        }
        status, body = await service.call("POST", "/api/v1/runs", json=new)
        assert status in {404, 422}, body
        assert not (await service.get("/api/v1/runs"))["data"]


async def test_a_template_reaches_nothing_but_its_row(tmp_path):
    async with served(tmp_path) as service:
        upload = await service.upload('{"id":"a","text":"{{ 6 * 7 }}"}\n')
        for prompt, harmless in (
            ("{{ text }}", True),  # data is never rendered as a template
            ("{{ ''.__class__.__mro__[1].__subclasses__() }}", False),
            ("{{ text.__init__.__globals__ }}", False),
            ("{% include '/etc/passwd' %}", False),
            ("{{ nowhere }}", False),
        ):
            new = {
                "pipeline": "prompts",
                "input": {
                    "file": {"upload": upload},
                    "prompts": [prompt],
                    "models": ["sim/fast"],
                },
            }
            status, body = await service.call("POST", "/api/v1/runs", json=new)
            if status == 422:
                assert not harmless
                continue
            run = await service.until(body["id"], "finished", "failed")
            assert run["items"]["succeeded"] == (1 if harmless else 0), prompt
            assert (run["calls"] > 0) is harmless, prompt


async def test_an_upload_is_bounded_and_its_name_harmless(tmp_path):
    async with served(tmp_path, upload_bytes=1000) as service:
        form = aiohttp.FormData()
        form.add_field("file", b"x" * 2000, filename="large.csv")
        status, body = await service.call("POST", "/api/v1/uploads", data=form)
        assert status in {413, 422}, body
        form = aiohttp.FormData()
        form.add_field("file", b"x", filename="../../../.bashrc")
        status, body = await service.call("POST", "/api/v1/uploads", data=form)
        assert status == 201
        kept = [path for path in tmp_path.rglob("*") if path.is_file() and "bashrc" in path.name]
        assert len(kept) == 1
        assert kept[0].is_relative_to(tmp_path / ".fanwise" / "uploads")
        assert not kept[0].name.startswith(".")


async def test_exported_cells_are_no_formulas(tmp_path):
    async with served(tmp_path) as service:
        upload = await service.upload('{"id":"=cmd()","text":"x"}\n{"id":"@sum","text":"y"}\n')
        new = {
            "pipeline": "prompts",
            "input": {
                "file": {"upload": upload},
                "prompts": ["{{ text }}"],
                "models": ["sim/fast"],
            },
        }
        run_id = (await service.post("/api/v1/runs", new))["id"]
        await service.until(run_id, "finished")
        url = f"{service.url}/api/v1/runs/{run_id}/results?format=csv"
        async with service.http.get(url) as answer:
            rows = list(csv.DictReader(io.StringIO(await answer.text())))
        assert len(rows) == 2
        assert all(row["id"].startswith("'") for row in rows)


async def test_what_a_failure_says_is_not_logged(tmp_path, capfd, monkeypatch):
    def broken(*_, **__):
        raise ValueError("a private matter")

    async with served(tmp_path) as service:
        monkeypatch.setattr(service.hub.supervisor, "_open_run", broken)
        run_id = await service.start(1)
        await service.until(run_id, "failed")
    log = capfd.readouterr().out
    assert "ValueError" in log
    assert "in broken" in log
    assert "a private matter" not in log


async def test_logs_hold_no_body_and_no_secret(tmp_path):
    port = free_port()
    with serving() as server:
        key = "sk-never-to-be-seen"
        env = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": key}
        process = start("serve", "--port", port, cwd=tmp_path, env=env)
        client = Client(f"http://127.0.0.1:{port}", tmp_path)
        try:
            await until(client.ready)
            run_id = await client.start("a private matter")

            async def ended():
                return (await client.call("GET", f"/api/v1/runs/{run_id}"))["status"] == "finished"

            await until(ended)
            url = f"{client.url}/api/v1/runs"
            broken = b'{"pipeline": "a private matter"'
            headers = {**client.headers, "Content-Type": "application/json"}
            async with client.http.post(url, data=broken, headers=headers) as answer:
                assert answer.status == 422
                assert key not in await answer.text()
            token = client.headers["Authorization"].partition(" ")[2]
        finally:
            await client.http.close()
            process.terminate()
            process.wait()
        log = (tmp_path / "stderr").read_text()
        assert run_id in log  # else nothing was looked at
        for secret in ("a private matter", key, token):
            assert secret not in log, secret
        assert key.encode() not in everything_in(tmp_path)
