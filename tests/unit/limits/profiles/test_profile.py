"""What a request takes from the quotas, provider by provider."""

from __future__ import annotations

import pytest

from fanwise.limits.profiles.known import GENERIC, PROFILES, profile_of
from fanwise.records import NO_USAGE, Cost, Usage


def _reserved(name: str, *, cap: int | None) -> tuple[int, int]:
    cost = PROFILES[name].reserve(input_tokens=1000, output_tokens=200, output_cap=cap)
    assert cost.requests == 1
    return cost.input_tokens, cost.output_tokens


@pytest.mark.parametrize(
    ("name", "cap", "expected"),
    [
        ("openai", 4000, (1000, 3000)),  # the larger of cap and input, both in one count
        ("openai", 600, (1000, 0)),
        ("openai", None, (1000, 200)),
        ("azure", 4000, (1000, 4000)),
        ("groq", 4000, (1000, 4000)),
        ("generic", 4000, (1000, 4000)),
        ("anthropic", 4000, (1000, 200)),  # what is really written counts
        ("anthropic", 50, (1000, 50)),
        ("mistral", 4000, (1000, 200)),
        ("gemini", 4000, (1000, 0)),  # only input is counted
        ("bedrock", 4000, (1000, 4000)),  # the cap at first, five for each token in the end
        ("bedrock", None, (1000, 1000)),
    ],
)
def test_a_request_holds_what_its_provider_sets_aside(
    name: str, cap: int | None, expected: tuple[int, int]
) -> None:
    assert _reserved(name, cap=cap) == expected


@pytest.mark.parametrize(
    ("name", "capped", "expected"),
    [
        ("openai", True, NO_USAGE),  # what was set aside is not given back
        ("openai", False, Usage(input_tokens=900, output_tokens=70, cached_input_tokens=400)),
        ("generic", True, Usage(input_tokens=900, output_tokens=70, cached_input_tokens=400)),
        ("anthropic", True, Usage(input_tokens=500, output_tokens=70)),
        ("groq", True, Usage(input_tokens=500, output_tokens=70)),
        ("gemini", True, Usage(input_tokens=900, output_tokens=0)),
        ("bedrock", True, Usage(input_tokens=500, output_tokens=350)),
    ],
)
def test_an_answer_counts_as_its_provider_counts_it(
    name: str, capped: bool, expected: Usage
) -> None:
    usage = Usage(input_tokens=900, output_tokens=70, cached_input_tokens=400)
    assert PROFILES[name].counted(usage, capped=capped) == expected


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_what_is_not_reported_stays_unknown(name: str) -> None:
    assert PROFILES[name].counted(NO_USAGE, capped=False) is NO_USAGE
    half = PROFILES[name].counted(Usage(output_tokens=7), capped=False)
    assert half.input_tokens is None


def test_a_server_that_only_speaks_a_dialect_has_no_share_in_its_limits() -> None:
    assert profile_of("openai", origin="openai").name == "openai"
    assert profile_of("openai", origin="http://localhost:8000/v1") is GENERIC
    assert profile_of("openai", origin="https://api.groq.com/openai/v1").name == "groq"
    assert profile_of("openai", origin="https://notapi.groq.com.example.org/v1") is GENERIC
    assert profile_of("azure", origin="https://me.openai.azure.com/openai/v1").name == "azure"
    assert profile_of("sim", origin="sim") is GENERIC


def test_the_generic_profile_reserves_the_cap_beside_the_input() -> None:
    assert GENERIC.reserve(input_tokens=3, output_tokens=9, output_cap=None) == Cost(
        input_tokens=3, output_tokens=9
    )
