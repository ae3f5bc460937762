from __future__ import annotations

import math
import statistics

import pytest

from fanwise.errors import ConfigError
from fanwise.simulator.chance import digest, lognormal, uniform
from fanwise.simulator.profile import (
    FAULT_KINDS,
    Faults,
    SimProfile,
    named_profile,
    named_profiles,
    profile_from_options,
)


def test_options_make_a_profile():
    profile = profile_from_options(
        {
            "latency": "0.25",
            "rpm": "6,000",
            "TPM": "none",
            "burst": "20",
            "retry_after": "integer",
            "slots-status": "503",
            "rate-headers": "no",
            "error-500": "2%",
            "truncated": "0.01",
            "api-key": " sk-x ",
            "models": "a, b",
            "seed": "7",
        }
    )
    assert profile == SimProfile(
        latency_s=0.25,
        rpm=6000,
        tpm=math.inf,
        burst=20,
        retry_after="integer",
        slots_status=503,
        rate_headers=False,
        faults=Faults(error_500=0.02, truncated=0.01),
        api_key="sk-x",
        models=("a", "b"),
        seed=7,
    )


def test_options_change_the_profile_they_name():
    profile = profile_from_options({"profile": "flaky", "error-500": "0"})
    flaky = named_profile("flaky")
    assert profile.faults.error_500 == 0.0
    assert profile.faults.reset == flaky.faults.reset
    assert profile_from_options({"rpm": "60"}, base=flaky).faults == flaky.faults


def test_an_unknown_option_is_named_with_its_neighbour():
    with pytest.raises(ConfigError, match="latancy") as caught:
        profile_from_options({"latancy": "1"})
    assert "did you mean latency?" in caught.value.hint
    assert "rpm" in caught.value.hint


def test_an_unknown_profile_is_named_with_those_there_are():
    with pytest.raises(ConfigError, match="sim/fats") as caught:
        named_profile("fats")
    assert "did you mean sim/fast?" in caught.value.hint
    for name in named_profiles():
        assert f"sim/{name}" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("latency", "soon", "seconds"),
        ("latency", "-1", "from 0"),
        ("latency", "nan", "from 0"),
        ("rpm", "0", "at least"),
        ("burst", "0.5", "at least 1"),
        ("slots-status", "500", "429, 503"),
        ("retry-after", "never", "exact"),
        ("rate-headers", "maybe", "yes or no"),
        ("error-500", "1.5", "from 0 to 1"),
        ("seed", "x", "whole number"),
    ],
)
def test_an_option_that_cannot_be_is_refused_with_its_remedy(name, text, said):
    with pytest.raises(ConfigError) as caught:
        profile_from_options({name: text})
    assert said in str(caught.value)


def test_faults_beyond_all_requests_are_refused():
    with pytest.raises(ConfigError, match=r"add up to 1\.2"):
        Faults(error_500=0.6, reset=0.6)


def test_a_key_is_not_shown():
    assert "sk-secret" not in repr(SimProfile(api_key="sk-secret"))


def test_faults_come_at_their_rates():
    faults = named_profile("flaky").faults
    drawn = [faults.pick(uniform(1, n)) for n in range(40_000)]
    for kind in FAULT_KINDS:
        share = drawn.count(kind) / len(drawn)
        assert share == pytest.approx(getattr(faults, kind), abs=0.004)


def test_no_fault_is_picked_where_there_is_none():
    assert Faults().pick(0.0) is None
    assert Faults(html=1.0).pick(1.0 - 1e-12) == "html"


def test_latencies_have_their_mean_and_do_not_depend_on_order():
    drawn = [lognormal(0.3, 0.4, "seed", n) for n in range(20_000)]
    assert statistics.fmean(drawn) == pytest.approx(0.3, rel=0.02)
    logs = [math.log(value) for value in drawn]
    assert statistics.pstdev(logs) == pytest.approx(0.4, rel=0.02)
    assert lognormal(0.3, 0.4, "seed", 17) == drawn[17]
    assert lognormal(0.3, 0.0, "x") == 0.3
    assert lognormal(0.0, 0.4, "x") == 0.0


def test_a_digest_keeps_its_parts_apart():
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("a") == digest(b"a")
