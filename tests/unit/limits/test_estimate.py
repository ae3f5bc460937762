import pytest

from fanwise.limits.estimate import TokenEstimator
from fanwise.records import NO_USAGE, Message, Request, Schema, Usage, user

ENGLISH = "The quick brown fox jumps over the lazy dog. " * 40
CHINESE = "敏捷的棕色狐狸跳过了那只懒狗。" * 40
RUSSIAN = "Съешь же ещё этих мягких французских булок. " * 40


def ask(content, *, model="sim/a", **parameters):
    return Request(model=model, messages=[user(content)], parameters=parameters)


def tokens(content):
    return TokenEstimator().estimate(ask(content)).input_tokens


def test_scripts_start_from_their_own_ratio():
    assert tokens(ENGLISH) / len(ENGLISH) == pytest.approx(0.19, rel=0.03)
    assert tokens(CHINESE) / len(CHINESE) == pytest.approx(0.75, rel=0.03)
    assert 0.25 < tokens(RUSSIAN) / len(RUSSIAN) < 0.4


def test_a_foreign_quotation_does_not_change_a_whole_text():
    mixed = ENGLISH + "“" + ENGLISH
    assert tokens(mixed) == pytest.approx(2 * tokens(ENGLISH), rel=0.05)


def test_half_of_each_script_counts_half_of_each():
    mixed = CHINESE + ENGLISH[: len(CHINESE)]
    assert tokens(mixed) / len(mixed) == pytest.approx((0.75 + 0.19) / 2, rel=0.1)


def test_an_empty_request_still_takes_something():
    cost = TokenEstimator().estimate(Request(model="sim/a"))
    assert (cost.requests, cost.input_tokens) == (1, 1)


def test_parts_count_by_their_text_and_images_not_by_their_bytes():
    parts = [
        {"type": "text", "text": ENGLISH},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_000_000}},
    ]
    assert tokens(parts) == pytest.approx(tokens(ENGLISH) + 1000, abs=5)


def test_a_raw_body_is_estimated_like_the_messages_it_holds():
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": ENGLISH}]
    raw = Request(model="sim/a", body={"model": "x", "messages": messages, "max_tokens": 77})
    plain = Request(
        model="sim/a",
        messages=[Message(role=m["role"], content=m["content"]) for m in messages],
        parameters={"max_tokens": 77},
    )
    left, right = TokenEstimator().estimate(raw), TokenEstimator().estimate(plain)
    assert left.input_tokens == pytest.approx(right.input_tokens, abs=8)
    assert left.output_tokens == right.output_tokens == 77


@pytest.mark.parametrize("key", ["input", "prompt", "instructions", "system"])
def test_other_endpoints_bodies_are_read_too(key):
    raw = Request(model="sim/a", body={"model": "x", key: ENGLISH})
    assert TokenEstimator().estimate(raw).input_tokens == pytest.approx(tokens(ENGLISH), abs=5)


def test_schema_and_tools_are_part_of_what_is_sent():
    definition = {"type": "object", "properties": {f"field_{i}": {} for i in range(50)}}
    plain = ask("Hi")
    shaped = Request(
        model="sim/a",
        messages=plain.messages,
        schema=Schema(name="s", definition=definition),
    )
    tooled = ask("Hi", tools=[{"type": "function", "function": definition}])
    estimate = TokenEstimator().estimate
    assert estimate(shaped).input_tokens > estimate(plain).input_tokens + 150
    assert estimate(tooled).input_tokens > estimate(plain).input_tokens + 150


@pytest.mark.parametrize("cap", ["max_tokens", "max_completion_tokens", "max_output_tokens"])
def test_the_requests_own_cap_is_what_is_reserved(cap):
    assert TokenEstimator().estimate(ask("Hi", **{cap: 40})).output_tokens == 40


def test_several_choices_take_several_times_the_cap():
    assert TokenEstimator().estimate(ask("Hi", max_tokens=40, n=3)).output_tokens == 120


@pytest.mark.parametrize("nonsense", [0, -5, "many", None])
def test_a_cap_that_is_none_is_not_believed(nonsense):
    assert TokenEstimator().estimate(ask("Hi", max_tokens=nonsense)).output_tokens == 512


def test_input_is_learned_from_what_is_reported():
    estimator = TokenEstimator()
    for _ in range(30):
        estimator.learn(ask(ENGLISH), Usage(input_tokens=900))
    assert estimator.estimate(ask(ENGLISH)).input_tokens == pytest.approx(900, rel=0.05)


def test_one_odd_answer_does_not_overturn_an_estimate():
    estimator = TokenEstimator()
    before = estimator.estimate(ask("Hi")).input_tokens
    estimator.learn(ask("Hi"), Usage(input_tokens=50))
    assert estimator.estimate(ask("Hi")).input_tokens <= before + 2


def test_models_and_scripts_are_learned_apart():
    estimator = TokenEstimator()
    for _ in range(30):
        estimator.learn(ask(ENGLISH), Usage(input_tokens=900))
    assert estimator.estimate(ask(CHINESE)).input_tokens == tokens(CHINESE)
    assert estimator.estimate(ask(ENGLISH, model="sim/b")).input_tokens == tokens(ENGLISH)


def test_output_is_learned_as_a_high_quantile_that_follows_the_model():
    estimator = TokenEstimator()
    for length in range(1, 101):
        estimator.learn(ask("Hi"), Usage(output_tokens=length))
    assert 85 <= estimator.estimate(ask("Hi")).output_tokens <= 97
    for _ in range(64):
        estimator.learn(ask("Hi"), Usage(output_tokens=7))
    assert estimator.estimate(ask("Hi")).output_tokens == 7


def test_the_first_answer_already_teaches():
    estimator = TokenEstimator()
    estimator.learn(ask("Hi"), Usage(output_tokens=30))
    assert estimator.estimate(ask("Hi")).output_tokens == 30


def test_unknown_usage_teaches_nothing():
    estimator = TokenEstimator()
    before = estimator.estimate(ask(ENGLISH))
    estimator.learn(ask(ENGLISH), NO_USAGE)
    assert estimator.estimate(ask(ENGLISH)) == before
