"""How far the grades of ``builtin/rules`` agree with labels that others have given.

    python benchmarks/grading.py LABELLED.jsonl     # one line of figures for each model's answers
    python benchmarks/grading.py                    # the pipeline's own sample, by kind of question

A line of LABELLED holds ``question``, ``ground_truth``, and for each model an object with
``solution`` and ``is_correct`` (the form of OpenAI's ``grade-school-math`` example solutions). The
grades come from question, reference and answer alone; the label is only compared with.
``--unmarked`` takes the lines with the final answer out of the solutions first.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fanwise.pipelines.grading import PIPELINE, Columns, GradingResult, grade


def models_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The columns that hold a model's solutions."""
    first = next(iter(rows))
    return [
        name for name, value in first.items() if isinstance(value, dict) and "solution" in value
    ]


def unmarked(solution: str) -> str:
    """A solution without the line that states its final answer."""
    return "\n".join(line for line in solution.split("\n") if not line.startswith("A:"))


async def labelled(rows: list[dict[str, Any]], *, strip: bool) -> None:
    """Prints a line for each model's answers, and one for all of them."""
    agreeing = total = 0
    print(f"{'answers of':<20} {'agree':>12} {'share':>8} {'calls':>6} {'processor':>10}")
    for model in models_of(rows):
        answers = [
            {
                "question": row["question"],
                "expected": row["ground_truth"],
                "answer": unmarked(row[model]["solution"]) if strip else row[model]["solution"],
                "label": row[model]["is_correct"],
            }
            for row in rows
        ]
        begun = time.process_time()
        result = await grade(answers, columns=Columns(label="label"), journal=":memory:")
        spent_s = time.process_time() - begun
        _check(result)
        agreeing, total = agreeing + result.agreeing, total + result.labelled
        calls = result.report.counters.calls if result.report is not None else 0
        share = f"{result.agreeing} / {result.labelled}"
        print(f"{model:<20} {share:>12} {result.agreement:>8.2%} {calls:>6} {spent_s:>8.2f} s")
    print(f"{'all':<20} {f'{agreeing} / {total}':>12} {agreeing / total:>8.2%}")


async def sample() -> None:
    """Prints the agreement on the pipeline's own sample, by kind of question."""
    columns = Columns(label="label")
    assert PIPELINE.sample_path is not None
    result = await grade(PIPELINE.sample_path, columns=columns, journal=":memory:")
    _check(result)
    for kind, (count, agree) in sorted(result.by_kind.items()):
        print(f"{kind:<20} {f'{agree} / {count}':>12} {agree / count:>8.2%}")
    share = f"{result.agreeing} / {result.labelled}"
    print(f"{'all':<20} {share:>12} {result.agreement or 0:>8.2%}")


def _check(result: GradingResult) -> None:
    if not result.complete or result.metrics.ungraded:
        raise SystemExit(f"{result.metrics.ungraded} answers were not graded")


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    if words:
        lines = Path(words[0]).read_text("utf-8").splitlines()
        asyncio.run(labelled([json.loads(line) for line in lines], strip="--unmarked" in sys.argv))
    else:
        asyncio.run(sample())
