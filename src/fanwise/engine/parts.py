"""What a run is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanwise.clock import Clock
    from fanwise.engine.attempts import Attempts
    from fanwise.engine.calls import Caller
    from fanwise.engine.pools import Pools
    from fanwise.engine.recognition import Recognition
    from fanwise.engine.simulated import Simulated
    from fanwise.engine.spending import Spending
    from fanwise.journal.home import Home
    from fanwise.journal.memory import Journal
    from fanwise.journal.memory_home import MemoryHome
    from fanwise.progress.live import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a run is put together from; :mod:`fanwise.engine.opening` does it."""

    home: Home | MemoryHome
    journal: Journal
    clock: Clock
    pools: Pools
    simulated: Simulated
    attempts: Attempts
    spending: Spending
    caller: Caller
    recognition: Recognition
    progress: Progress
    repeat_ambiguous: bool
