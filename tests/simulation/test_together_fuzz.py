"""Random nests of everything that runs things together, checked against what each promises.

The schedules, and what is checked of them, are in ``support.together``. They are cancelled from
outside at random. What the checks are worth is shown in ``test_together_safeguards.py``.
"""

from __future__ import annotations

import pytest

from fanwise.limits.limiter import Limiter
from support.together.operations import OPERATIONS
from support.together.play import CHUNK, CHUNKS, played

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_promise_holds_in_random_nests(chunk: int, limiters: list[Limiter]) -> None:
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        played(seed, limiters)


def test_the_same_seed_gives_the_same_trace(limiters: list[Limiter]) -> None:
    for seed in range(CHUNK):
        assert played(seed, limiters) == played(seed, limiters), f"seed {seed}"


def test_the_schedules_do_what_they_are_for(limiters: list[Limiter]) -> None:
    seen: set[str] = set()
    for seed in range(CHUNK):
        seen |= {f"{what} {path.split('/')[-1]}" for _, what, path in played(seed, limiters)}
    for kind in OPERATIONS:
        assert f"begin {kind}" in seen
    for how in ("LeafError", "CancelledError", "str"):
        assert any(what.startswith(f"end {how}") for what in seen)
    assert "end AllFailed race" in seen
