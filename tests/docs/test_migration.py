"""The page on coming from something else quotes what its benchmark prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from benchmarks.migration import own_code, service

PAGE = Path(__file__).parents[2].joinpath("docs", "migration.md").read_text(encoding="utf-8")
ROWS = [*own_code.rows_of_gather(), *own_code.rows_of_semaphore(), *own_code.rows_of_p_limit()]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.work}: {row.way}" for row in ROWS])
def test_a_row_of_the_benchmark_stands_on_the_page(row: Any) -> None:
    cells = [line.strip("|").split("|")[2:] for line in PAGE.splitlines() if line.startswith("|")]
    quoted = [[cell.strip().split(" ")[0].rstrip(";") for cell in line] for line in cells]
    measured = [str(row.answers), str(row.sent), str(row.refused), f"{row.wall_s:.1f}"]
    # Where nothing is to be compared, a cell is empty or left out.
    assert any(
        line[:2] == measured[:2]
        and all(cell in {"", figure} for cell, figure in zip(line, measured, strict=False))
        for line in quoted
    )


def test_fanwise_loses_no_answer_where_the_usual_way_does() -> None:
    [_, _, bad, usual, slots] = own_code.rows_of_gather()
    assert (bad.answers, usual.answers < 100, slots.answers) == (999, True, 1000)
    [semaphore, paced] = own_code.rows_of_semaphore()
    assert semaphore.refused > 0
    assert (paced.answers, paced.refused) == (service.RATE, 0)


def test_a_failure_ends_the_others_before_they_are_paid_for() -> None:
    [usual, parallel, settled] = own_code.rows_of_p_limit()
    assert usual.sent == 200
    assert parallel.sent < 25
    assert settled.answers == 199
