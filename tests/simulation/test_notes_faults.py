"""Notes against the simulated provider over HTTP, with one request in twenty going wrong."""

from pathlib import Path

import pytest

import fanwise as fw
from fanwise.pipelines import Event
from fanwise.pipelines.notes import PIPELINE, notes
from fanwise.pipelines.notes.catalogue import NAMES
from fanwise.simulator.profile import Faults

FAULTS = Faults(error_500=0.015, error_503=0.01, reset=0.01, truncated=0.005, wrong_schema=0.01)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
async def test_templates_at_three_depths_succeed_and_progress_never_goes_back(
    tmp_path: Path, count: int
) -> None:
    complete = asked = 0
    for seed in range(2):
        percents: list[float] = []

        def look(event: Event, seen: list[float] = percents) -> None:
            assert event.percent is not None
            seen.append(event.percent)

        result = await notes(
            PIPELINE.sample_path,
            templates=NAMES[:count],
            verbosity="all",
            model="sim/instant",
            simulator=fw.types.SimProfile(latency_s=0.001, faults=FAULTS, seed=seed),
            retry=fw.Retry(base_s=0.001, cap_s=0.01),
            journal=tmp_path / str(seed),
            stagger_s=0.0,
            on_event=look,
        )
        assert percents == sorted(percents)
        assert percents[-1] == 100
        assert [one.template for one in result.results] == list(NAMES[:count])
        complete += len(result.notes)
        asked += count
    assert FAULTS.total == pytest.approx(0.05)
    assert complete >= 0.95 * asked
