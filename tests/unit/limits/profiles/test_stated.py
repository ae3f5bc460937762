"""Headers are read once for each new statement, and never do harm."""

from __future__ import annotations

import math
import random

from fanwise.limits.profiles.known import GENERIC, PROFILES
from fanwise.limits.profiles.names import place_of, rows_of
from fanwise.limits.profiles.stated import StatedReader

_HEADERS = {
    "content-type": "application/json",
    "x-ratelimit-limit-requests": "600",
    "x-ratelimit-remaining-requests": "599",
    "x-ratelimit-reset-requests": "100ms",
}


def _read(reader: StatedReader, *, remaining: str, limit: str = "600", wall_s: float = 0.0) -> int:
    headers = {
        **_HEADERS,
        "x-ratelimit-remaining-requests": remaining,
        "x-ratelimit-limit-requests": limit,
    }
    return len(reader.read(headers, wall_s=wall_s))


def test_an_answer_that_says_nothing_new_is_not_read() -> None:
    reader = StatedReader(GENERIC)
    assert _read(reader, remaining="599") == 1
    assert _read(reader, remaining="598") == 0
    assert _read(reader, remaining="598", limit="300") == 1
    assert _read(reader, remaining="597", limit="300") == 0
    assert _read(reader, remaining="97", limit="300") == 1, "a digit less remains"
    assert _read(reader, remaining="96", limit="300", wall_s=0.9) == 0
    assert _read(reader, remaining="95", limit="300", wall_s=1.1) == 1, "a second has passed"
    assert sum(_read(reader, remaining="94", limit="300", wall_s=1.1) for _ in range(160)) == 10


def test_a_refusal_is_read_in_any_case() -> None:
    reader = StatedReader(GENERIC)
    reader.read(_HEADERS, wall_s=0.0)
    assert reader.read(_HEADERS, wall_s=0.0) == ()
    assert len(reader.read(_HEADERS, wall_s=0.0, body="{}")) == 1


def test_a_clock_that_was_set_back_does_not_end_the_reading() -> None:
    reader = StatedReader(GENERIC)
    assert _read(reader, remaining="599", wall_s=1000.0) == 1
    assert _read(reader, remaining="598", wall_s=10.0) == 1


def test_equal_values_under_other_names_are_another_statement() -> None:
    reader = StatedReader(GENERIC)
    reader.read({"x-ratelimit-limit-requests": "60"}, wall_s=0.0)
    (found,) = reader.read({"x-ratelimit-limit-tokens": "60"}, wall_s=0.0)
    assert found.dimension == "tokens"


def test_a_server_that_makes_up_header_names_does_not_fill_the_memory() -> None:
    reader = StatedReader(GENERIC)
    for number in range(1000):
        assert not reader.read({f"x-made-up-{number}": "1"}, wall_s=0.0)
    assert int(repr(reader).split(", ")[1].split()[0]) <= 16


def test_an_instant_is_measured_by_the_clock_of_the_server() -> None:
    headers = {
        "date": "Sun, 22 Nov 2026 07:00:00 GMT",
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-11-22T07:00:12Z",
    }
    (found,) = StatedReader(PROFILES["anthropic"]).read(headers, wall_s=1.0)
    assert found.reset_s == 12.0


def test_a_long_period_is_taken_from_the_reset_only_where_the_quota_refills_evenly() -> None:
    headers = {
        "x-ratelimit-limit-requests": "5000",
        "x-ratelimit-remaining-requests": "4850",
        "x-ratelimit-reset-requests": "3000",
    }
    (window,) = StatedReader(GENERIC).read(headers, wall_s=0.0)
    (bucket,) = StatedReader(PROFILES["openai"]).read(headers, wall_s=0.0)
    assert (window.period_s, bucket.period_s) == (3600.0, 86_400.0)


def test_a_name_with_a_word_nobody_knows_is_not_read() -> None:
    for name in (
        "x-ratelimit-limit-images",
        "x-ratelimit-limit-input-output-tokens",
        "x-xratelimit",
    ):
        assert place_of(name) is None, name


def test_a_combined_limit_is_left_out_where_its_parts_are_told() -> None:
    names = ["a-ratelimit-tokens-limit", "a-ratelimit-input-tokens-limit"]
    assert [row.dimension for row in rows_of(names)] == ["input_tokens"]


def test_no_answer_however_odd_raises_or_states_what_cannot_be() -> None:
    chance = random.Random(4)
    names = [
        *(name for name in _HEADERS if name.startswith("x-")),
        *("ratelimit", "ratelimit-policy", "ratelimit-limit", "ratelimit-reset", "date"),
        *("anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-tokens-limit"),
        "x-ratelimit-renewalperiod-requests",
    ]
    values = [
        *("0", "-1", "١٢", "1e400", "nan", "inf", "6m0s", "-6m", "", " ", "1795330860000"),
        *("2026-11-22T07:00:12Z", "9999-12-31T23:59:59+14:00", "Sun, 22 Nov 2026 07:00:00 GMT"),
        *('"a";q=0;w=0', '"a";r=9999999999999999999999', "100, 100;w=60", "9" * 400, "²"),
    ]
    bodies = ["", '"quotaId": "', '{"quotaId": "PerDayTokens", "quotaValue": "0"}', "{" * 300]
    reader = StatedReader(PROFILES["openai"])
    for _ in range(5000):
        chosen = chance.sample(names, chance.randint(0, len(names)))
        headers = {name: chance.choice(values) for name in chosen}
        for limit in reader.read(headers, wall_s=0.0, body=chance.choice(bodies)):
            assert limit.limit is None or 0 < limit.limit < math.inf
            assert limit.remaining is None or 0 <= limit.remaining < math.inf
            assert limit.reset_s is None or 0 <= limit.reset_s < math.inf
            assert 0 < limit.period_s < math.inf
