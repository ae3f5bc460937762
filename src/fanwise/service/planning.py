"""What work would ask for, cost and take, before it is begun. Nothing is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fanwise.errors import PlanError

if TYPE_CHECKING:
    from fanwise.journal.home import Home
    from fanwise.records import Json
    from fanwise.service.options import RunOptions
    from fanwise.service.supervisor import Supervisor

_AT_ONCE = 2
_LONGEST_S = 60.0


class Planner:
    """Plans of jobs, a few at once, each in a thread and a loop of its own, so that a large table
    holds nobody up.

    Args:
        home: Where earlier runs are, from which a plan knows what models are like.
        supervisor: Makes jobs of their fields.
    """

    def __init__(self, home: Home, supervisor: Supervisor) -> None:
        self._home = home
        self._supervisor = supervisor
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def plan(
        self, pipeline: str, fields: Mapping[str, Json], options: RunOptions
    ) -> Mapping[str, Any]:
        """The plan as JSON has it.

        Raises:
            NotFound: There is no such pipeline.
            InvalidFields: Fields of the job are wrong.
            PlanError: The pipeline cannot plan, or it took longer than a minute.
            ConfigError: The job cannot be read, or its limits would never let it end.
        """
        job = await self._supervisor.job(pipeline, fields)
        estimate = self._supervisor.pipeline(pipeline).estimate
        if estimate is None:
            raise PlanError(
                f"nothing is known beforehand of {pipeline}", hint="begin with a small budget"
            )
        settings = {**options.settings(), "journal": self._home}

        async def bounded() -> Any:
            async with asyncio.timeout(_LONGEST_S):
                return await estimate(job, **settings)

        async with self._room:
            try:
                found = await asyncio.to_thread(lambda: asyncio.run(bounded()))
            except TimeoutError:
                raise PlanError(
                    f"the plan took longer than {_LONGEST_S:.0f} s",
                    hint="plan a part of it: give a limit of rows",
                ) from None
        return asdict(found)
