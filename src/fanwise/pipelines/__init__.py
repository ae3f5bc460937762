"""Ready pipelines, each on the public API alone, and what a pipeline tells of itself.

Whoever runs pipelines without knowing them one by one (a service, a page) needs three things of
each: a :class:`Job` made of JSON, one function that carries it out, and the :class:`Event` values
that this function tells of while it works.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol, Self, cast

from fanwise.errors import ConfigError
from fanwise.records import NOTHING, Json, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened while a job was carried out, for whoever looks on.

    Args:
        kind: ``progress``, ``result`` (one part is there: a model's hooks, a note, a grade),
            ``error`` (one part has failed) or ``complete``.
        message: One line for people.
        subject: Which part: a model, a template, a question; empty for the whole.
        percent: How far the whole is, from 0 to 100; never less than an event before said.
            ``None`` where nothing is known of it.
        data: The part's result or error as JSON.
    """

    kind: str
    message: str = ""
    subject: str = ""
    percent: float | None = None
    data: Mapping[str, Json] = NOTHING


OnEvent = Callable[[Event], "Awaitable[None] | None"]
"""Is told of each event once what it tells of is durable; may be asynchronous."""


class Job(Protocol):
    """What a pipeline is asked to do: a frozen record that has checked its fields."""

    @classmethod
    def from_json(cls, fields: Mapping[str, Json]) -> Self:
        """The job that JSON describes.

        Raises:
            InvalidFields: One reason for each field that is wrong; unknown fields are wrong too.
        """
        ...

    def as_json(self) -> dict[str, Json]:
        """What ``from_json`` makes this job of again."""
        ...


class Result(Protocol):
    """What a pipeline has come to."""

    def as_json(self) -> dict[str, Json]:
        """All of it, labelled with the model that answered."""
        ...


class Execute(Protocol):
    """Carries a job out: the one code path of library, command line, service and page."""

    def __call__(
        self,
        job: Any,
        *,
        home: Any = None,
        open_run: Callable[..., Any] | None = None,
        on_event: OnEvent | None = None,
        **options: Any,
    ) -> Awaitable[Result]:
        """Carries it out and returns its result.

        Args:
            job: What to do.
            home: Where runs and tables are; by default ``options["journal"]`` or ``./.fanwise``.
            open_run: Opens the run, called with the pipeline's name and options of its own;
                ``fw.open_run`` by default.
            on_event: Who looks on.
            **options: Further options of ``fw.open_run``.
        """
        ...


FieldKind = Literal[
    "text",
    "long",
    "number",
    "bool",
    "choice",
    "some",
    "model",
    "models",
    "texts",
    "file",
    "documents",
    "json",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a job.

    Args:
        name: What ``Job.from_json`` calls it; ``outer.inner`` is a field of an object.
        label: What people call it.
        kind: ``text``, ``long`` (several lines), ``number``, ``bool``, ``choice`` (one of
            ``choices``), ``some`` (a list of them), ``model``, ``models``, ``texts`` (a list of
            long texts), ``file`` (an upload or an address), ``documents`` (a list of objects with
            ``id``, ``name`` and ``content_base64``) or ``json`` (an object).
        help: One sentence on what it is for and what it takes.
        required: Whether a job without it is refused.
        choices: What can be chosen.
        default: What holds where nothing is given, as JSON.
        extra: Whether most people leave it alone: shown when asked for.
        accept: Of files: endings such as ``.csv,.jsonl``.
        link: Of a file: whether an address does as well.

    Raises:
        ConfigError: A choice without choices, or a default that is none of them.
    """

    name: str
    label: str
    kind: FieldKind = "text"
    help: str = ""
    required: bool = False
    choices: Sequence[str] = ()
    default: Json = None
    extra: bool = False
    accept: str = ""
    link: bool = False

    def __post_init__(self) -> None:
        if self.kind not in {"choice", "some"}:
            return
        if not self.choices:
            raise ConfigError(f"field {self.name} has no choices", hint="name what can be chosen")
        chosen = self.default if isinstance(self.default, (list, tuple)) else [self.default]
        foreign = [one for one in chosen if one is not None and one not in self.choices]
        if foreign:
            raise ConfigError(
                f"field {self.name}: the default {foreign[0]!r} is none of its choices",
                hint=f"choose of {', '.join(self.choices)}",
            )


MODEL_PARAMETERS = Field(
    name="parameters",
    label="Sampling parameters",
    kind="json",
    help='By the provider\'s own names, such as {"temperature": 0.2}.',
    extra=True,
)
"""The field that every pipeline has which asks models."""


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
        job: The place of its :class:`Job`, likewise; empty where it takes none of JSON.
        execute: The place of its :class:`Execute`.
        files: The fields of its jobs that name files.
        plan: The place of ``async (job, **options) -> Plan``, which says what a job would ask for,
            cost and take; empty where nothing is known of it.
        form: The place of the :class:`Field` values its jobs are made of;
            without them people are asked for JSON.
        graph: The place of a function of a job that gives the :class:`fanwise.Graph` which each of
            its items goes through; empty where there is none.
    """

    name: str
    summary: str
    module: str
    sample: str = ""
    truth: str = ""
    rules: Mapping[str, str] = NOTHING
    job: str = ""
    execute: str = ""
    files: Sequence[str] = ()
    plan: str = ""
    form: str = ""
    graph: str = ""

    @property
    def graph_of(self) -> Callable[[Any], Any] | None:
        """What gives the steps of a job's items."""
        return cast("Callable[[Any], Any]", _loaded(self.graph)) if self.graph else None

    @property
    def fields(self) -> Sequence[Field]:
        """What its jobs are made of, in the order in which people are asked."""
        return cast("Sequence[Field]", _loaded(self.form)) if self.form else ()

    @property
    def estimate(self) -> Callable[..., Awaitable[Any]] | None:
        """What says beforehand what a job would ask for, cost and take."""
        return cast("Callable[..., Awaitable[Any]]", _loaded(self.plan)) if self.plan else None

    @property
    def job_type(self) -> type[Job]:
        """The type of its jobs."""
        return cast("type[Job]", _loaded(self.job))

    @property
    def carry_out(self) -> Execute:
        """What carries its jobs out."""
        return cast("Execute", _loaded(self.execute))

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


def _loaded(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
