"""How a run is asked for, looked at before anything is opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fanwise.engine.checks import check_policies
from fanwise.engine.runner import check_seconds
from fanwise.errors import ConfigError
from fanwise.records import Timeouts
from fanwise.retry.hedge import Hedge

if TYPE_CHECKING:
    from fanwise.engine.opening import OpenRun


def check_opening(asked: OpenRun) -> None:
    """Refuses what no run can be opened with.

    Raises:
        ConfigError: Says which argument, what it is, and what to give instead.
    """
    _check_name(asked.name)
    check_seconds("total_s", asked.total_s)
    check_policies(asked.limits, asked.retry)
    _check_kinds(asked.timeouts, asked.simulator)
    if not isinstance(cast("object", asked.hedge), Hedge | None):
        raise ConfigError(f"hedge is {asked.hedge!r}", hint="write hedge=fw.types.Hedge(after_s=5)")
    _check_parts(asked)
    _check_models(asked.models)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        what = "empty" if isinstance(name, str) else f"a {type(name).__name__}"
        raise ConfigError(f"a run's name is {what}", hint="give it a word, such as 'hooks'")


def _check_kinds(timeouts: object, simulator: object) -> None:
    from fanwise.simulator.profile import SimProfile

    if not isinstance(timeouts, Timeouts):
        raise ConfigError(
            f"timeouts is {timeouts!r}",
            hint="write timeouts=fw.types.Timeouts(attempt_s=60); total_s=… bounds a whole call",
        )
    if simulator is not None and not isinstance(simulator, SimProfile):
        raise ConfigError(
            f"simulator is {simulator!r}", hint="write simulator=fw.types.SimProfile(latency_s=1)"
        )


def _check_parts(asked: OpenRun) -> None:
    if asked.ambiguous not in ("retry", "hold"):
        raise ConfigError(
            f"ambiguous is {asked.ambiguous!r}",
            hint="'hold' leaves side effects that a crash fell into for you, 'retry' repeats them",
        )
    given: object = asked.journal
    if isinstance(given, bool | int | float | bytes):
        raise ConfigError(
            f"journal is {given!r}",
            hint="name a directory, postgresql://user@host/database, or ':memory:'",
        )
    if isinstance(given, str | Path) and not str(given):
        raise ConfigError("journal is empty", hint="leave it out for ./.fanwise, or name a place")


def _check_models(given: object) -> None:
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"models is a {type(given).__name__}", hint="give functions by name: {'my/model': ask}"
        )
    for name, model in cast("Mapping[object, object]", given).items():
        if not callable(model):
            raise ConfigError(
                f"the model {name!r} is a {type(model).__name__}",
                hint="give an async function from a Request to a Response",
            )
