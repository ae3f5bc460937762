"""Draws the picture of docs/graph.md: a graph of 76 seconds of work, run in virtual time.

python scripts/graph_picture.py docs/graph.svg
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import fanwise as fw
from fanwise.testing.virtual import run_virtual

STEPS = (
    ("validation", 2, ["resume", "job"]),
    ("ats_score", 15, ["validation"]),
    ("job_analysis", 15, ["validation", "job"]),
    ("targets", 1, ["ats_score", "job_analysis"]),
    ("tailor", 30, ["targets", "resume"]),
    ("rescore", 10, ["tailor", "job_analysis"]),
    ("save_draft", 2, ["tailor"]),
    ("request_log", 1, ["tailor"]),
)


def graph() -> fw.Graph:
    """The steps with their seconds."""
    made = fw.Graph("tailoring")
    for name, seconds, needs in STEPS:

        async def step(seconds: float = seconds) -> None:
            await asyncio.sleep(seconds)

        made.add(step, name=name, needs=needs, optional=name == "request_log")
    return made


if __name__ == "__main__":
    result = run_virtual(graph().run({"resume": "", "job": ""}))
    Path(sys.argv[1]).write_text(result.svg() + "\n", encoding="utf-8")
