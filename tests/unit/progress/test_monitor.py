"""Alerts: raised above a threshold, cleared when it has been calm for a whole window."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fanwise.errors import ConfigError
from fanwise.progress.monitor import Alert, Alerts, Monitor


class Watched:
    """A monitor that is fed by hand, once a second."""

    def __init__(self, **alerts: Any) -> None:
        self.monitor = Monitor(Alerts(**{"pool": None, **alerts}))
        self.now = 0.0
        self.requests = [0, 0]
        self.calls = [0, 0]
        self.feed(0)

    def feed(
        self,
        seconds: int,
        *,
        requests: tuple[int, int] = (0, 0),
        calls: tuple[int, int] = (0, 0),
        in_flight: int = 0,
        limit: float = math.inf,
    ) -> list[Alert]:
        """So much in each second; the alerts of that time."""
        found: list[Alert] = []
        for _ in range(max(1, seconds)):
            self.now += 1.0
            self.requests = [a + b for a, b in zip(self.requests, requests, strict=True)]
            self.calls = [a + b for a, b in zip(self.calls, calls, strict=True)]
            found += self.monitor.observe(
                self.now,
                requests=(self.requests[0], self.requests[1]),
                calls=(self.calls[0], self.calls[1]),
                in_flight=in_flight,
                limit=limit,
            )
        return found


def test_refusals_raise_an_alert_and_a_calm_window_clears_it() -> None:
    watched = Watched()
    assert watched.feed(60, requests=(10, 0)) == []
    (raised,) = watched.feed(30, requests=(10, 2))
    assert raised.figure == "rate_limited"
    assert raised.raised
    assert raised.share > 0.05
    assert "rate-limited" in raised.reason
    assert watched.monitor.raised == [raised.reason]
    assert watched.feed(100, requests=(10, 0)) == []
    (cleared,) = watched.feed(30, requests=(10, 0))
    assert not cleared.raised
    assert cleared.reason == raised.reason
    assert watched.monitor.raised == []


def test_a_share_needs_samples_before_it_counts() -> None:
    watched = Watched()
    assert watched.feed(9, calls=(5, 5)) == []
    (raised,) = watched.feed(1, calls=(5, 5))
    assert raised.figure == "failures"


def test_one_alert_says_nothing_of_the_others() -> None:
    watched = Watched()
    found = watched.feed(60, requests=(10, 5), calls=(10, 5))
    assert sorted(alert.figure for alert in found) == ["failures", "rate_limited"]
    assert len(watched.monitor.raised) == 2


def test_a_full_run_is_no_alert_unless_it_is_asked_for() -> None:
    assert Watched().feed(100, in_flight=10, limit=10) == []
    (raised,) = Watched(saturation=0.9).feed(100, in_flight=10, limit=10)
    assert raised.figure == "saturation"
    assert Watched(saturation=0.9).feed(100, in_flight=10) == []


def test_a_pool_is_asked_how_full_it_is() -> None:
    (raised,) = Watched(pool=0.8, pool_use=lambda: 0.95).feed(100)
    assert raised.figure == "pool"
    assert raised.share == pytest.approx(0.95)


def test_the_figures_of_the_window_are_one_snapshot() -> None:
    watched = Watched()
    empty = watched.monitor.figures()
    assert (empty.rate_limited, empty.failures, empty.saturation, empty.pool) == (None,) * 4
    watched.feed(10, requests=(10, 1), calls=(10, 2), in_flight=5, limit=10)
    figures = watched.monitor.figures()
    assert figures.rate_limited == pytest.approx(0.1)
    assert figures.failures == pytest.approx(0.2)
    assert figures.saturation == pytest.approx(0.5)
    assert (figures.requests, figures.ended) == (100, 100)
    assert len(figures.alerts) == 1


@pytest.mark.parametrize(
    "wrong", [{"failures": 0}, {"rate_limited": 1.2}, {"window_s": 0}, {"min_samples": 0}]
)
def test_impossible_thresholds_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        Alerts(**wrong)
    assert refused.value.hint
