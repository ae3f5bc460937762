"""A call's identity: equal for equal content, in every process and every version."""

import subprocess
import sys

import orjson
import pytest

from fanwise.errors import PlanError
from fanwise.models.identity import content_key, request_json
from fanwise.records import Message, Request, Schema, system, user

PLAIN = Request(model="openai/gpt-4o-mini", messages=[user("hello")])
FULL = Request(
    model="openai/gpt-4o-mini",
    messages=[system("be brief"), user([{"type": "text", "text": "Grüße"}])],
    parameters={"temperature": 0.5, "seed": 7, "stop": ["a", "b"]},
    schema=Schema(name="score", definition={"type": "object", "properties": {"a": {}}}),
    version="3",
)
BATCH = Request(
    model="openai/gpt-4o",
    body={"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]},
    endpoint="/v1/chat/completions",
)


@pytest.mark.parametrize(
    ("request_", "origin", "key"),
    [
        (PLAIN, "openai", "17e0cddc0d7bd50371763d29976d033b"),
        (PLAIN, "http://localhost:8000/v1", "571633edbe5aa28ebe49329c1dae0381"),
        (FULL, "openai", "07bbb0b484ee5a3c61f9b5c69b0d1b3f"),
        (BATCH, "openai", "5a777f061ae39095aa9fddcae4343fea"),
    ],
)
def test_keys_never_change(request_, origin, key):
    # A changed key would send every answer of every unfinished run again.
    assert content_key(request_, origin=origin) == key


def test_the_rules_version_is_a_part():
    key = content_key(PLAIN, origin="builtin", rules_version="2026-11")
    assert key == "62c2f4f030b9a510911aff67729cd826"


def test_another_process_finds_the_same_key():
    code = (
        "from fanwise.models.identity import content_key\n"
        "from fanwise.records import Request, user\n"
        "r = Request(model='openai/gpt-4o-mini', messages=[user('hello')])\n"
        "print(content_key(r, origin='openai'))"
    )
    for seed in ("1", "2"):
        found = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.strip() == content_key(PLAIN, origin="openai")


def same(**changes):
    fields = {"model": "openai/m", "messages": [user("x")], "parameters": {"a": 1, "b": 2}}
    return content_key(Request(**{**fields, **changes}), origin="o")


def test_spelling_does_not_matter():
    assert same() == same(parameters={"b": 2, "a": 1})
    assert same() == same(model="openai:m")
    assert same() == same(endpoint="/v1/chat/completions")
    assert same() == same(messages=(user("x"),))
    assert same() == same(idempotency_key="k1")
    assert same(parameters={}) == content_key(
        Request(model="openai/m", messages=[user("x")]), origin="o"
    )
    nested = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}}
    turned = {"properties": {"b": {}, "a": {"type": "integer"}}, "type": "object"}
    assert same(schema=Schema(name="s", definition=nested)) == same(
        schema=Schema(name="s", definition=turned, build=int)
    )


def test_content_matters():
    schema = Schema(name="s", definition={"type": "object"})
    others = [
        same(),
        same(model="openai/m2"),
        same(model="groq/m"),
        same(messages=[system("x")]),
        same(messages=[user("y")]),
        same(messages=[user("x"), user("x")]),
        same(parameters={"a": 1, "b": 3}),
        same(parameters={}),
        same(schema=schema),
        same(schema=Schema(name="t", definition={"type": "object"})),
        same(schema=Schema(name="s", definition={"type": "array"})),
        same(endpoint="embeddings"),
        same(body={"x": 1}),
        same(version="2"),
        content_key(Request(model="openai/m", messages=[user("x")]), origin="p"),
    ]
    assert len(set(others)) == len(others)


def test_text_cannot_pass_for_structure():
    one = same(messages=[user('x"],["user","y')])
    two = same(messages=[user("x"), user("y")])
    assert one != two


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"messages": [user("fine"), Message(role="user", content={1})]}, "messages[1]"),
        ({"parameters": {"t": object()}}, "parameters"),
        ({"body": {"input": b"bytes"}}, "body"),
        ({"schema": Schema(name="s", definition={"x": 2**70})}, "schema"),
    ],
)
def test_what_has_no_json_form_is_named_before_anything_is_spent(changes, place):
    request = Request(**{"model": "openai/m", **changes})
    for function in (lambda: content_key(request, origin="o"), lambda: request_json(request)):
        with pytest.raises(PlanError) as caught:
            function()
        assert f"{place}: " in caught.value.message
        assert caught.value.hint


def test_the_stored_request_is_what_would_be_sent():
    assert orjson.loads(request_json(FULL)) == {
        "model": "openai/gpt-4o-mini",
        "endpoint": "chat/completions",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "Grüße"}]},
        ],
        "parameters": {"temperature": 0.5, "seed": 7, "stop": ["a", "b"]},
        "schema": {
            "name": "score",
            "definition": {"type": "object", "properties": {"a": {}}},
        },
        "version": "3",
    }
    assert orjson.loads(request_json(BATCH)) == {
        "model": "openai/gpt-4o",
        "endpoint": "/v1/chat/completions",
        "body": BATCH.body,
    }


def test_the_stored_request_holds_no_idempotency_key():
    request = Request(model="openai/m", messages=[user("x")], idempotency_key="secret-ish")
    assert b"secret-ish" not in request_json(request)
