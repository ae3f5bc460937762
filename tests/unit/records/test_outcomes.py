"""An outcome names its value's type."""

from __future__ import annotations

import pickle
from typing import get_args

from fanwise.records import Outcome


def test_an_outcome_of_a_named_type_is_made_like_any_other() -> None:
    outcome = Outcome[int](item_id="a", ok=True, value=3)
    assert outcome == Outcome(item_id="a", ok=True, value=3)
    assert get_args(Outcome[int]) == (int,)
    assert pickle.loads(pickle.dumps(outcome)) == outcome
    assert not hasattr(outcome, "__dict__")
