"""A home of runs that nothing outlives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from fanwise.clock import Clock
from fanwise.errors import ConfigError, StateError
from fanwise.journal.memory import Journal, JournalReader, MemoryJournal
from fanwise.records import RunRecord, RunSpec


class MemoryHome:
    """Keeps journals in memory: for tests, simulations, and runs whose results are used at once.

    Args:
        clock: Time of commits; the system's where left out.
        commit_delay_s: Draws how long a commit takes, for simulations.
    """

    def __init__(
        self, *, clock: Clock | None = None, commit_delay_s: Callable[[], float] | None = None
    ) -> None:
        self._clock = clock
        self._delay_s = commit_delay_s
        self._journals: dict[str, MemoryJournal] = {}

    def __repr__(self) -> str:
        return f"<MemoryHome of {len(self._journals)} runs>"

    def create(self, spec: RunSpec, *, run_id: str, wall_s: float) -> Journal:
        """A new run."""
        if run_id in self._journals:
            raise StateError(f"there is a run {run_id} already", hint="choose another id")
        journal = MemoryJournal(
            spec, run_id=run_id, clock=self._clock, commit_delay_s=self._delay_s
        )
        self._journals[run_id] = journal
        return journal

    def open(self, run_id: str) -> Journal:
        """A run's next session."""
        journal = self._journals[self.find(run_id)]
        self._journals[run_id] = again = journal.reopen(commit_delay_s=self._delay_s)
        return again

    def crash(self, run_id: str) -> None:
        """What is not durable of this run is lost, as if its process had died."""
        journal = self._journals[run_id]
        self._journals[run_id] = journal.crash(commit_delay_s=self._delay_s)

    def journal(self, run_id: str) -> MemoryJournal:
        """The journal of a run."""
        return self._journals[run_id]

    def reader(self, run_id: str) -> JournalReader:
        """Reads a run."""
        return self._journals[run_id].reader()

    def runs(self, limit: int | None = None) -> Sequence[RunRecord]:
        """The runs, newest first."""
        found = [replace(journal.reader().run) for journal in self._journals.values()]
        found.reverse()
        return found[:limit]

    def newest_unfinished(self, name: str) -> str | None:
        """The newest run of this name that is neither finished nor cancelled."""
        for run in self.runs():
            if run.spec.name == name and run.status not in {"finished", "cancelled"}:
                return run.run_id
        return None

    def find(self, prefix: str) -> str:
        """The id of the one run that begins so."""
        found = [run_id for run_id in self._journals if run_id.startswith(prefix)]
        if prefix in found or len(found) == 1:
            return prefix if prefix in found else found[0]
        raise ConfigError(f"no single run begins with {prefix!r}", hint="give the whole id")

    def cache(self) -> None:
        """There is nothing to share with."""
        raise ConfigError(
            "a run in memory has no cross-run cache", hint="give the run a journal directory"
        )
