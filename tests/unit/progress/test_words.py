"""Figures in words."""

from __future__ import annotations

import pytest

from fanwise.progress.words import gained


@pytest.mark.parametrize(
    ("efficiency", "words"), [(None, "?"), (-1378.0, "none"), (0.0, "0 %"), (0.9, "90 %")]
)
def test_an_efficiency_below_nothing_is_none(efficiency, words):
    assert gained(efficiency) == words
