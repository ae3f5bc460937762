"""When a call is hedged, and how often: rules on plain values."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fanwise.errors import ConfigError
from fanwise.retry.hedge import Hedge, allows, read_hedge, wait_s


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"after_s": 5, "quantile": 0.9},
        {"after_s": 0},
        {"quantile": 1.0},
        {"quantile": 0.2},
        {"after_s": 1, "max_share": 0},
        {"after_s": 1, "max_share": 1.5},
        {"after_s": 1, "max_usd": 0},
        {"after_s": True},
        {"after_s": "5s"},
    ],
)
def test_an_impossible_hedge_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        Hedge(**wrong)
    assert refused.value.hint


def test_the_rules_of_shares_money_and_quantiles() -> None:
    hedge = Hedge(quantile=0.95, max_share=0.1, max_usd=1)
    assert wait_s(hedge, seen=19, quantile_s=3.0) is None
    assert wait_s(hedge, seen=20, quantile_s=3.0) == 3.0

    def may(sends: int, hedges: int, spent: str = "0", next_usd: str | None = "0.1") -> bool:
        price = None if next_usd is None else Decimal(next_usd)
        return allows(hedge, sends=sends, hedges=hedges, spent_usd=Decimal(spent), next_usd=price)

    assert may(1, 0)
    assert not may(19, 1)
    assert may(20, 1)
    assert may(20, 1, "0.9")
    assert not may(20, 1, "0.95")
    assert not may(20, 1, next_usd=None)


def test_the_command_line_takes_a_time_or_a_percentile() -> None:
    assert read_hedge("5s") == Hedge(after_s=5)
    assert read_hedge("800ms") == Hedge(after_s=0.8)
    assert read_hedge("p95") == Hedge(quantile=0.95)
    for wrong in ("", "p", "soon", "p0", "-3"):
        with pytest.raises(ConfigError):
            read_hedge(wrong)
