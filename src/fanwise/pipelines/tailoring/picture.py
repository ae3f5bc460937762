"""The steps that a job's resumes go through, for whoever draws them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fanwise.pipelines.tailoring.work import Work

if TYPE_CHECKING:
    import fanwise as fw
    from fanwise.pipelines.tailoring.job import TailorJob


def graph_of(job: TailorJob) -> fw.Graph:
    """The graph of every resume of a job, but for what is kept of it."""
    return Work(job, store=None, now=time.time, tell=_nobody).graph()


async def _nobody(_: str, __: str) -> None:
    """Who is told of steps that are not taken."""
