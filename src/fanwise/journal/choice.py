"""Which runs are meant: by a part of an id, by a name, by age. Pure functions over the list."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fanwise.errors import ConfigError
from fanwise.records import RunRecord, RunStatus


def newest_first(runs: Collection[RunRecord]) -> list[RunRecord]:
    """Runs by their beginning, the newest first; ids decide between those of one instant."""
    return sorted(runs, key=lambda run: (run.created_at, run.run_id), reverse=True)


def newest_unfinished(
    runs: Sequence[RunRecord], name: str, *, final: Collection[RunStatus]
) -> str | None:
    """The first run of that name whose status is not final."""
    for run in runs:
        if run.spec.name == name and run.status not in final:
            return run.run_id
    return None


def find(run_ids: Sequence[str], prefix: str, *, where: str) -> str:
    """The one id that is ``prefix``, begins with it, or ends with it after a hyphen.

    Raises:
        ConfigError: None does, or more than one.
    """
    if prefix in run_ids:
        return prefix
    found = [
        run_id
        for run_id in run_ids
        if prefix and (run_id.startswith(prefix) or run_id.endswith(f"-{prefix}"))
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigError(
            f"no run {prefix!r} in {where}", hint="`fanwise list` shows the runs there are"
        )
    named = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
    raise ConfigError(f"{prefix!r} may be {named}", hint="give more of the id")


def prunable(
    runs: Sequence[RunRecord],
    *,
    now_s: float,
    older_than_s: float,
    keep: int,
    statuses: Collection[RunStatus],
) -> list[RunRecord]:
    """Which of the runs, newest first, pruning removes."""
    return [
        run
        for run in runs[max(0, keep) :]
        if not run.live and run.status in statuses and now_s - run.updated_at >= older_than_s
    ]
