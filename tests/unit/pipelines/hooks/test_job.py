"""What a job takes, and what it says of what it does not take."""

from typing import Any

import pytest

from fanwise.errors import ConfigError, InvalidFields
from fanwise.pipelines.hooks import HooksJob

IDEA = "We stopped writing weekly reports."


def faults(**fields: Any) -> dict[str, str]:
    with pytest.raises(InvalidFields) as caught:
        HooksJob.from_json({"post_idea": IDEA, **fields})
    assert isinstance(caught.value, ConfigError)
    return caught.value.fields


def test_only_the_idea_is_needed_and_null_counts_as_left_out():
    job = HooksJob.from_json({"post_idea": f"  {IDEA} ", "industry": None, "validator": None})
    assert (job.target_audience, job.content_type, list(job.models), job.judge) == (
        "intermediate",
        "tip",
        ["builtin/rules"],
        "builtin/rules",
    )
    assert job.brief["post_idea"] == IDEA


def test_json_makes_the_same_job_again():
    job = HooksJob(
        post_idea=IDEA,
        models=["a/b", "c/d"],
        focus_skills=["clarity"],
        judge="e/f",
        repeats=3,
        compare=True,
        parameters={"temperature": 1},
    )
    assert HooksJob.from_json(job.as_json()).as_json() == job.as_json()


def test_every_wrong_field_gets_its_own_reason_at_once():
    found = faults(
        post_idea="short",
        industry="x" * 101,
        target_audience="everybody",
        content_type="poem",
        models=[],
        focus_skills=["speed"],
        judge="gpt",
        validator=7,
        repeats=9,
        compare="yes",
        parameters=[],
        colour="red",
    )
    assert set(found) == {
        "post_idea", "industry", "target_audience", "content_type", "models", "focus_skills",
        "judge", "validator", "repeats", "compare", "parameters", "colour",
    }  # fmt: skip
    assert found["post_idea"] == "has 5 characters; it takes 10 to 1,000"
    assert "beginner, intermediate, expert" in found["target_audience"]
    assert "there is no such field" in found["colour"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("post_idea", None, "is missing"),
        ("post_idea", 12, "is 12; it is a text"),
        ("post_idea", " " * 50, "has 0 characters"),
        ("post_idea", "x" * 1001, "has 1,001 characters"),
        ("post_idea", "half a character: \ud800", "a lone surrogate"),
        ("industry", "\udfff", "a lone surrogate"),
        ("industry", [], "it is a text"),
        ("target_audience", ["expert"], "it is one of"),
        ("models", "openai/gpt-4o", "it is a list"),
        ("models", [f"a/{n}" for n in range(7)], "names 7 models; it takes 1 to 6"),
        ("models", ["a/b", "a:b"], "names a/b twice"),
        ("models", ["a/b", "nothing"], "'nothing'; write provider/model"),
        ("models", ["/x"], "write provider/model"),
        ("focus_skills", ["clarity"] * 2, "names clarity twice"),
        ("focus_skills", ["clarity", "emotion", "relevance", "attention"], "the most is 3"),
        ("focus_skills", "clarity", "it is a list of attention"),
        ("repeats", 0, "is 0; it is a whole number from 1 to 5"),
        ("repeats", True, "it is a whole number"),
        ("repeats", 2, "rules say the same each time"),
        ("compare", True, "needs two models or more"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(field: str, value: Any, said: str):
    found = faults(**{field: value})
    assert list(found) == [field]
    assert said in found[field]


def test_the_bounds_themselves_are_allowed():
    for idea in ("x" * 10, "x" * 1000):
        HooksJob(post_idea=idea, industry="y" * 100, models=[f"a/{n}" for n in range(6)])


def test_six_models_with_validation_make_thirty_judgements_and_thirty_checks():
    models = [f"a/{n}" for n in range(6)]
    assert HooksJob(post_idea=IDEA, models=models).calls == 6 + 30
    assert HooksJob(post_idea=IDEA, models=models, validator="a/b").calls == 6 + 60
    assert HooksJob(post_idea=IDEA, models=models, compare=True).calls == 6 + 30 + 30
