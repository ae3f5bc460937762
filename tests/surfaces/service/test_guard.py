"""Who comes in: Host, Origin, token, cookie, content type, on every route and method."""

from __future__ import annotations

import aiohttp
import pytest

from fanwise.errors import ConfigError
from fanwise.service.app import ROUTERS
from fanwise.service.settings import ServiceSettings
from support.service import served

OPEN = {"/health", "/ready", "/login"}


def all_routes():
    """Every path and method that the application answers."""
    for route in (route for router in ROUTERS for route in router.routes):
        path = route.path.replace("{run_id}", "x").replace("{item_id:path}", "y")
        for method in getattr(route, "methods", None) or ():
            yield path.replace("{upload_id}", "file-abcdefgh"), method


async def test_every_route_and_method_wants_a_token(tmp_path):
    async with served(tmp_path) as service, aiohttp.ClientSession() as nobody:
        seen = 0
        for path, method in all_routes():
            if path in OPEN:
                continue
            how = {} if method in {"GET", "HEAD"} else {"json": {}}
            async with nobody.request(method, service.url + path, **how) as answer:
                assert answer.status == 401, (method, path)
            seen += 1
        assert seen > 15


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 400),
        ({"Host": "127.0.0.1:1"}, 400),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
    ],
)
async def test_foreign_hosts_and_origins_are_refused_everywhere(tmp_path, headers, status):
    async with served(tmp_path) as service:
        for path, method in all_routes():
            how = {} if method in {"GET", "HEAD"} else {"json": {}}
            async with service.http.request(
                method, service.url + path, headers=headers, **how
            ) as answer:
                assert answer.status == status, (method, path)


async def test_a_link_logs_in_once(tmp_path):
    async with served(tmp_path) as service:
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as browser:
            async with browser.get(service.link, allow_redirects=False) as answer:
                assert answer.status == 303
                cookie = answer.headers["set-cookie"].lower()
            assert "httponly" in cookie
            assert "samesite=strict" in cookie
            async with browser.get(f"{service.url}/api/v1/runs") as answer:
                assert answer.status == 200
            async with browser.post(f"{service.url}/logout", json={}) as answer:
                assert answer.status == 204
            async with browser.get(f"{service.url}/api/v1/runs") as answer:
                assert answer.status == 401
        async with aiohttp.ClientSession() as other, other.get(service.link) as answer:
            assert answer.status == 401


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_what_a_form_of_another_site_can_post_is_refused(tmp_path, kind):
    async with (
        served(tmp_path) as service,
        service.http.post(
            f"{service.url}/api/v1/runs", data=b"{}", headers={"Content-Type": kind}
        ) as answer,
    ):
        assert answer.status == 415


async def test_a_ticket_opens_one_stream(tmp_path):
    async with served(tmp_path) as service, aiohttp.ClientSession() as nobody:
        run_id = await service.start(1)
        await service.until(run_id, "finished")
        ticket = (await service.post("/api/v1/tickets"))["ticket"]
        url = f"{service.url}/api/v1/runs/{run_id}/events?ticket={ticket}"
        async with nobody.get(url) as answer:
            assert answer.status == 200
        async with nobody.get(url) as answer:
            assert answer.status == 401


async def test_a_revoked_token_is_good_for_nothing(tmp_path):
    async with served(tmp_path) as service:
        token = await service.hub.tokens.create("guest")
        headers = {"Authorization": f"Bearer {token}"}
        assert (await service.call("GET", "/api/v1/runs", headers=headers))[0] == 200
        await service.hub.tokens.revoke("guest")
        assert (await service.call("GET", "/api/v1/runs", headers=headers))[0] == 401


async def test_every_answer_forbids_what_a_page_does_not_need(tmp_path):
    async with served(tmp_path) as service, service.http.get(f"{service.url}/health") as answer:
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "settings",
    [
        {"host": "0.0.0.0"},
        {"host": "0.0.0.0", "public": True, "seed_routes": "open"},
        {"allowed_origins": ["example.org"]},
        {"allowed_origins": ["https://example.org/path"]},
        {"port": 70000},
        {"max_active": 0},
    ],
)
def test_unsafe_and_impossible_settings_are_refused(settings):
    with pytest.raises(ConfigError):
        ServiceSettings(**settings)
