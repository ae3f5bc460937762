"""When a mode has failed."""

from __future__ import annotations

import math

import pytest

from fanwise.engine.modes.settings import Fallback, Mode, ModeOptions, Pack, mode_options
from fanwise.engine.modes.triggers import Pace, Stretch, failing, too_slow
from fanwise.errors import ConfigError


def stretch(ended: int, failed: int, *, over: bool = False) -> Stretch:
    return Stretch(mode="parallel", ended=ended, failed=failed, over=over)


@pytest.mark.parametrize(
    ("ended", "failed", "over", "expected"),
    [
        (10, 10, False, "all 10 failed"),
        (9, 9, False, ""),
        (9, 9, True, "all 9 failed"),
        (1, 1, True, "the only one failed"),
        (10, 6, False, "6 of 10 failed in parallel mode, more than 50%"),
        (10, 5, True, ""),
        (3, 2, True, "2 of 3 failed"),
        (100, 0, True, ""),
        (0, 0, True, ""),
    ],
)
def test_all_failed_or_too_large_a_share_leaves_a_mode(
    ended: int, failed: int, over: bool, expected: str
) -> None:
    reason = failing(Fallback(), stretch(ended, failed, over=over))
    assert reason.startswith(expected) if expected else not reason


def pace(**changed: object) -> Pace:
    fields: dict[str, object] = {
        "ended": 20,
        "elapsed_s": 20.0,
        "left": 100,
        "left_s": 50.0,
        "expected_s": {"batch": 10.0, "sequential": 400.0},
    }
    return Pace(**{**fields, **changed})  # type: ignore[arg-type]


def test_a_deadline_out_of_reach_turns_to_a_quicker_mode() -> None:
    policy = Fallback(deadline_s=70)
    mode, reason = too_slow(policy, "parallel", pace()) or ("", "")
    assert mode == "batch"
    assert "100 items at the rate of parallel mode need 100 s" in reason
    assert "50 s away" in reason


@pytest.mark.parametrize(
    "changed",
    [
        {"left_s": 100.0},
        {"left": 0},
        {"ended": 9},
        {"expected_s": {"sequential": 400.0}},
        {"expected_s": {}},
    ],
)
def test_otherwise_a_deadline_changes_nothing(changed: dict[str, object]) -> None:
    assert too_slow(Fallback(deadline_s=70), "parallel", pace(**changed)) is None
    assert too_slow(Fallback(), "parallel", pace()) is None


async def _ask(items: object) -> dict[str, object]:
    return {}


@pytest.mark.parametrize(
    ("mode", "pack", "expected"),
    [
        ("parallel", Pack(_ask), "batch"),
        ("parallel", None, "sequential"),
        ("batch", Pack(_ask), "sequential"),
        ("sequential", Pack(_ask), None),
    ],
)
def test_the_chain_leaves_out_what_is_not_possible(
    mode: Mode, pack: Pack | None, expected: Mode | None
) -> None:
    options = ModeOptions(mode="auto", pack=pack, fallback=Fallback())
    assert options.next_mode(mode) == expected
    assert ModeOptions(mode="auto", pack=pack).next_mode(mode) is None


def test_what_is_not_said_has_its_default() -> None:
    assert mode_options(None, None, None) is None
    packed = mode_options(None, Pack(_ask), None)
    assert packed is not None
    assert (packed.mode, packed.fallback) == ("batch", None)
    auto = mode_options("auto", None, None)
    assert auto is not None
    assert auto.fallback == Fallback()
    never = mode_options("auto", None, "never")
    assert never is not None
    assert never.fallback is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: Fallback(failure_share=1.0),
        lambda: Fallback(failure_share=-0.1),
        lambda: Fallback(min_items=0),
        lambda: Fallback(min_items=20, window=10),
        lambda: Fallback(deadline_s=0),
        lambda: Fallback(deadline_s=math.nan),
        lambda: Pack(_ask, size=1),
        lambda: Pack("ask"),  # type: ignore[arg-type]
        lambda: ModeOptions(mode="batch"),
        lambda: ModeOptions(mode="fast"),  # type: ignore[arg-type]
    ],
)
def test_impossible_settings_are_refused(make: object) -> None:
    with pytest.raises(ConfigError) as refused:
        make()  # type: ignore[operator]
    assert refused.value.hint
