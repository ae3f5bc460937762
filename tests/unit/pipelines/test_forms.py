"""Fields that people are asked for: each is known to the job that is made of them."""

from __future__ import annotations

import pytest

from fanwise.errors import ConfigError, InvalidFields
from fanwise.pipelines import Field
from fanwise.service.asking import OPTIONS, fields_of, offered
from fanwise.service.hub import installed_pipelines
from fanwise.service.options import RunOptions
from fanwise.service.suggestions import model_suggestions

PIPELINES = {one.name: one for one in offered(installed_pipelines())}


def placed(found, name, value):
    """An object with a value at a dotted name."""
    outer, _, inner = name.partition(".")
    found[outer] = {inner: value} if inner else value
    return found


@pytest.mark.parametrize("name", PIPELINES)
def test_a_job_knows_every_field_that_people_are_asked_for(name):
    pipeline = PIPELINES[name]
    assert pipeline.fields, f"{name} has no form"
    for field in pipeline.fields:
        with pytest.raises(InvalidFields) as found:
            pipeline.job_type.from_json({**placed({}, field.name, object()), "zzz": 1})
        told = found.value.fields.get(field.name, "")
        assert "no such field" not in told, field.name
        assert "unknown" not in told, field.name
        assert "not a field" not in told, field.name


@pytest.mark.parametrize("name", PIPELINES)
def test_fields_that_take_an_upload_are_those_of_the_pipeline(name):
    pipeline = PIPELINES[name]
    files = {field.name for field in pipeline.fields if field.kind == "file"}
    assert files == set(pipeline.files)


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_that_asks_models_can_be_planned(name):
    assert PIPELINES[name].estimate is not None


def test_every_option_that_is_asked_for_is_one_of_a_run():
    asked = {field.name.removeprefix("options.") for field in OPTIONS}
    assert asked <= set(RunOptions.model_fields)


def test_a_pipeline_without_a_form_is_asked_for_json():
    from fanwise.pipelines import Pipeline

    (field,) = fields_of(Pipeline(name="own", summary="", module="own"))
    assert (field.name, field.kind) == ("job", "json")


def test_a_choice_without_choices_and_a_foreign_default_are_refused():
    with pytest.raises(ConfigError, match="has no choices"):
        Field(name="a", label="A", kind="choice")
    with pytest.raises(ConfigError, match="'c' is none of its choices"):
        Field(name="a", label="A", kind="some", choices=("b",), default=["b", "c"])


def test_models_are_suggested_by_the_keys_at_hand():
    env = {"GROQ_API_KEY": "secret", "FANWISE_MODEL": "my/own"}
    found = model_suggestions(env, rules=True)
    assert found[:3] == ["my/own", "builtin/rules", "groq/"]
    assert "openai/" not in found
    assert not any("secret" in name for name in found)
    assert "builtin/rules" not in model_suggestions({}, rules=False)
