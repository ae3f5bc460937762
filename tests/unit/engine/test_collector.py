"""The garbage collector is calmed while a run is open, and is as before afterwards."""

from __future__ import annotations

import gc

from fanwise.engine.collector import calm_collector


def test_the_threshold_is_raised_for_the_block_only() -> None:
    before = gc.get_threshold()
    with calm_collector():
        assert gc.get_threshold()[0] >= 20_000
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == before


def test_a_threshold_of_the_callers_own_is_respected() -> None:
    before = gc.get_threshold()
    try:
        gc.set_threshold(1_000_000, 5, 5)
        with calm_collector():
            assert gc.get_threshold() == (1_000_000, 5, 5)
        assert gc.get_threshold() == (1_000_000, 5, 5)
        gc.set_threshold(*before)
        gc.disable()
        with calm_collector():
            assert gc.get_threshold() == before
    finally:
        gc.enable()
        gc.set_threshold(*before)
