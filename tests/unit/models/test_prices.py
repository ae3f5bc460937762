"""Prices: the list's own arithmetic, unknown as unknown, nothing over the network."""

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage as ListedUsage
from genai_prices import calc_price

from fanwise.models.prices import Prices
from fanwise.records import NO_USAGE, Usage

USAGE = Usage(input_tokens=1000, output_tokens=100, cached_input_tokens=400)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_known_model_has_a_price():
    # gpt-4o-mini: 0.15 a million in, 0.075 cached, 0.60 out
    cost = Prices(now=NOW).cost_usd("openai/gpt-4o-mini", USAGE)
    assert cost == Decimal("0.00018")


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("openai/gpt-4o-mini", "openai", "gpt-4o-mini"),
        ("openai:gpt-4o", "openai", "gpt-4o"),
        ("openai/gpt-4o-mini-2024-07-18", "openai", "gpt-4o-mini-2024-07-18"),
        ("groq/llama-3.1-8b-instant", "groq", "llama-3.1-8b-instant"),
        ("openrouter/openai/gpt-4o-mini", "openrouter", "openai/gpt-4o-mini"),
        ("mistral/mistral-small-latest", "mistral", "mistral-small-latest"),
        ("xai/grok-4", "x-ai", "grok-4"),
        ("gemini/gemini-2.5-pro", "google", "gemini-2.5-pro"),
        ("anthropic/claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"),
    ],
)
@pytest.mark.parametrize("tokens", [1, 1000, 128_000, 200_000, 200_001, 900_000])
def test_it_reckons_as_the_list_does(model, provider, name, tokens):
    listed = calc_price(
        ListedUsage(input_tokens=tokens, output_tokens=77, cache_read_tokens=tokens // 3),
        name,
        provider_id=provider,
        genai_request_timestamp=NOW,
    )
    usage = Usage(input_tokens=tokens, output_tokens=77, cached_input_tokens=tokens // 3)
    assert Prices(now=NOW).cost_usd(model, usage) == listed.total_price


@pytest.mark.parametrize(
    "model",
    ["openai/no-such-model", "nowhere/gpt-4o", "ollama/llama3", "vllm/gpt-4o", "mine", "sim/x"],
)
def test_an_unknown_price_is_unknown_and_never_nothing(model):
    prices = Prices(now=NOW)
    assert prices.cost_usd(model, USAGE) is None
    assert not prices.known(model)


@pytest.mark.parametrize(
    "usage",
    [NO_USAGE, Usage(input_tokens=5), Usage(output_tokens=5), Usage(cached_input_tokens=5)],
)
def test_unknown_tokens_have_an_unknown_price(usage):
    assert Prices(now=NOW).cost_usd("openai/gpt-4o-mini", usage) is None


def test_rules_are_free():
    zero = Usage(input_tokens=0, output_tokens=0)
    assert Prices().cost_usd("builtin/rules", zero) == 0


def test_a_simulated_model_costs_what_it_stands_for():
    prices = Prices(now=NOW)
    real = prices.cost_usd("openai/gpt-4o-mini", USAGE)
    assert prices.cost_usd("sim/gpt-4o-mini", USAGE) == real
    assert prices.cost_usd("sim/openai/gpt-4o-mini", USAGE) == real


def test_more_cached_tokens_than_tokens_cost_no_less_than_nothing():
    usage = Usage(input_tokens=10, output_tokens=0, cached_input_tokens=50)
    assert Prices(now=NOW).cost_usd("openai/gpt-4o-mini", usage) > 0


def test_embeddings_cost_their_input():
    usage = Usage(input_tokens=1_000_000, output_tokens=0)
    assert Prices(now=NOW).cost_usd("openai/text-embedding-3-small", usage) == Decimal("0.02")


def test_the_list_has_a_date_that_is_not_to_come():
    day = Prices(now=NOW).date()
    assert date(2026, 1, 1) < day <= NOW.date()
    assert Prices(now=datetime(2026, 1, 15, tzinfo=UTC)).date() <= date(2026, 1, 15)
    assert Prices(now=datetime(1970, 1, 1, tzinfo=UTC)).date() > date(1970, 1, 1)


def test_nothing_is_loaded_before_a_price_is_asked_for_and_no_socket_is_opened():
    code = (
        "import socket, sys\n"
        "def refuse(*args, **options): raise AssertionError('network')\n"
        "from fanwise.models.prices import Prices\n"
        "from fanwise.records import Usage\n"
        "prices = Prices()\n"
        "assert 'genai_prices' not in sys.modules\n"
        "prices.cost_usd('builtin/rules', Usage(input_tokens=0, output_tokens=0))\n"
        "assert 'genai_prices' not in sys.modules\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "assert prices.known('openai/gpt-4o-mini')\n"
        "prices.date()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
