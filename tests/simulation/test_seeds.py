"""The everyday jobs take no longer than their slowest chain of waits."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from fanwise.testing import run_virtual

_PATH = Path(__file__).parent.parent.parent / "benchmarks" / "seeds.py"


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("fanwise_benchmark_seeds", _PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


seeds = _load()
JOBS = list(seeds.jobs())


@pytest.mark.parametrize("job", JOBS, ids=[job.name for job in JOBS])
def test_a_job_is_within_two_percent_of_its_bound(job: Any) -> None:
    took_s = run_virtual(seeds.reached_s(job))
    # Less than the bound would mean that work was left out.
    assert job.bound_s * (1 - 1e-9) <= took_s <= job.bound_s * 1.02
    assert job.bound_s < job.sequential_s
