"""Tokens of the service from the command line."""

from __future__ import annotations

import json

import pytest

import fanwise as fw
from fanwise.clock import SystemClock
from fanwise.service.hub import STORE
from fanwise.service.tables import metadata
from fanwise.service.tokens import Tokens


async def caller(directory, token):
    async with fw.Store(fw.open_home(directory / ".fanwise"), STORE, metadata) as store:
        return await Tokens(store, clock=SystemClock()).caller_of(token)


async def test_a_token_is_made_limited_and_revoked(fanwise, tmp_path):
    made = fanwise("token", "create", "anna", "--calls", "5")
    token = made.stdout.strip()
    assert (await caller(tmp_path, token)).name == "anna"
    assert token not in fanwise("token", "list").stdout
    fanwise("token", "limit", "anna", "--usd", "2.50")
    (row,) = json.loads(fanwise("token", "list", "--json").stdout)
    assert (row["name"], row["monthly_calls"], row["monthly_usd"]) == ("anna", 5, 2.5)
    fanwise("token", "revoke", "anna")
    assert await caller(tmp_path, token) is None


@pytest.mark.parametrize(
    "words",
    [("limit", "nobody", "--calls", "3"), ("create", "x", "--usd", "-1"), ("limit", "x")],
)
def test_what_cannot_be_done_is_said(fanwise, words):
    ended = fanwise("token", *words)
    assert ended.returncode == 2
    assert "error:" in ended.stderr
    assert "hint:" in ended.stderr
