"""A client of a web API: its limits, its patience, and what it says when that is at an end."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

import fanwise as fw
from fanwise.clock import LoopClock
from fanwise.engine.api import ApiClient
from fanwise.errors import ConfigError, Rejected, ServerError, StateError, TransportError
from fanwise.models.http.errors import TransportFault
from fanwise.models.http.transport import HttpReply, HttpRequest
from fanwise.testing.virtual import run_virtual


class Answers:
    """A transport that gives these answers one after another."""

    def __init__(self, answers: Sequence[HttpReply | Exception]) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[float, HttpRequest]] = []
        self.closed = False
        self.clock = LoopClock()

    async def send(self, request: HttpRequest) -> HttpReply:
        self.sent.append((self.clock.monotonic(), request))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        self.closed = True


def reply(status: int = 200, body: bytes = b"{}", **headers: str) -> HttpReply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpReply(status=status, headers=named, body=body, connect_s=0.0, first_byte_s=0.0)


def asked(
    monkeypatch: pytest.MonkeyPatch, *answers: HttpReply | Exception, times: int = 1, **how: Any
) -> tuple[list[Any], Answers]:
    async def work() -> tuple[list[Any], Answers]:
        transport = Answers(answers)
        monkeypatch.setattr("fanwise.engine.api.open_transport", lambda: transport)
        client = ApiClient(
            "https://api.example.com/v1/",
            headers={"authorization": "Bearer k"},
            clock=transport.clock,
            chance=random.Random(1),
            **{"name": "Example", **how},
        )
        async with client:
            found = [await client.get("/things", query={"q": "a b"}) for _ in range(times)]
        assert transport.closed
        return found, transport

    return run_virtual(work())


def test_a_request_goes_below_the_base_url_with_its_headers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, transport = asked(monkeypatch, reply(body=b'{"n": 1}'))
    assert found == [{"n": 1}]
    ((_, request),) = transport.sent
    assert request.url == "https://api.example.com/v1/things?q=a+b"
    assert request.method == "GET"
    assert request.headers["authorization"] == "Bearer k"


def test_requests_keep_to_the_pace_that_was_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = fw.Limits(rpm=60, concurrency=4)
    _, transport = asked(monkeypatch, *[reply()] * 4, times=4, limits=limits)
    at = [moment for moment, _ in transport.sent]
    assert at[-1] - at[0] >= 2.8


def test_a_refusal_is_waited_out_for_as_long_as_the_server_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, transport = asked(monkeypatch, reply(429, retry_after="7"), reply())
    assert found == [{}]
    assert transport.sent[1][0] - transport.sent[0][0] >= 7.0


def test_a_failure_on_the_way_is_tried_again_and_then_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault = TransportFault("it broke off", kind="reset", phase="first_byte", maybe_sent=True)
    found, transport = asked(monkeypatch, fault, reply(500), reply())
    assert (found, len(transport.sent)) == ([{}], 3)
    with pytest.raises(ServerError, match="after 3 attempts"):
        asked(monkeypatch, *[reply(500)] * 3)


def test_what_is_refused_for_good_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Rejected, match="Example refused the key") as told:
        asked(monkeypatch, reply(401), hints={401: "check THE_TOKEN"})
    assert told.value.hint == "check THE_TOKEN"


def test_an_answer_that_is_no_json_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TransportError, match="web page"):
        asked(monkeypatch, *[reply(body=b"<html>")] * 3)


async def test_a_client_that_is_not_entered_asks_nobody() -> None:
    with pytest.raises(StateError):
        await ApiClient("https://api.example.com").get("/things")
    with pytest.raises(ConfigError):
        ApiClient("api.example.com")
