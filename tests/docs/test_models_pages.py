"""The pages about models and structured output say what the code says, word for word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from fanwise.errors import ConfigError, InvalidOutput
from fanwise.models.providers import PROVIDERS
from fanwise.models.registry import Registry
from fanwise.models.structured import parse, schema_of

DOCS = Path(__file__).parent.parent.parent / "docs"
MODELS = (DOCS / "models.md").read_text(encoding="utf-8")
STRUCTURED = (DOCS / "structured-output.md").read_text(encoding="utf-8")


class Score(BaseModel):
    score: int
    reason: str


PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


@pytest.mark.parametrize(
    ("model", "env", "options"),
    [
        ("openai/gpt-4o-mini", {}, {}),
        ("openai/gpt-4o-mini", {"OPENAI_API_KEY": "sk\n1"}, {}),
        ("opnai/gpt-4o", {}, {}),
        ("gpt-4o", {}, {}),
        ("openai/gpt-4o-mini", {}, {"base_url": "localhost:8000"}),
    ],
)
def test_errors_stand_there_as_they_are(model, env, options):
    with pytest.raises(ConfigError) as caught:
        Registry(lambda: pytest.fail("nothing may be opened"), env=env).resolve(model, **options)
    assert f"error: {caught.value.message}\nhint: {caught.value.hint}\n" in MODELS


def test_every_provider_stands_there_with_its_address_and_key():
    for provider in PROVIDERS:
        [row] = re.findall(rf"^\| `{provider.name}/.*$", MODELS, re.MULTILINE) or [MODELS]
        assert (provider.base_url or provider.base_url_env) in row
        if provider.needs_key:
            assert provider.key_env in row


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ('{"score": "seven", "reason": "x"}', Score),
        ('{"name": 7}', PERSON),
        ('{"name": "An', PERSON),
        ("I would rather not.", PERSON),
        ("", PERSON),
    ],
)
def test_misfits_stand_there_as_they_are(text, shape):
    with pytest.raises(InvalidOutput) as caught:
        parse(text, schema_of(shape))
    assert f"\n{caught.value.message}\n" in STRUCTURED
