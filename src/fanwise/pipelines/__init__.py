"""Ready pipelines, each on the public API alone, and what a pipeline tells of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from fanwise.records import NOTHING, Json, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """What an entry point of the group ``fanwise.pipelines`` names. Loading it costs next to
    nothing; its parts are loaded when they are asked for.

    Args:
        name: What the command line calls it.
        summary: One line for people.
        module: Its package.
        sample: Its sample input, relative to the package; empty where it has none.
        truth: What is true of the sample, likewise.
        rules: For each schema it asks for, the place of the rules that answer under it, as
            ``module:function``.
    """

    name: str
    summary: str
    module: str
    sample: str = ""
    truth: str = ""
    rules: Mapping[str, str] = NOTHING

    @property
    def answers(self) -> Mapping[str, Callable[[Request], Json]]:
        """The rules by schema name: what the simulated provider answers with."""
        return {schema: _loaded(place) for schema, place in self.rules.items()}

    @property
    def sample_path(self) -> Path | None:
        """Where the sample input lies on disk."""
        return self._path(self.sample)

    @property
    def truth_path(self) -> Path | None:
        """Where the truth about the sample lies on disk."""
        return self._path(self.truth)

    def _path(self, name: str) -> Path | None:
        if not name:
            return None
        from importlib.resources import files

        return Path(str(files(self.module).joinpath(name)))


def _loaded(place: str) -> Callable[[Request], Json]:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
