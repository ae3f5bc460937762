"""What this pipeline is asked to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Self, cast, get_args

import fanwise as fw
from fanwise.pipelines import fields as check
from fanwise.pipelines.fields import RULES_MODEL
from fanwise.pipelines.notes.catalogue import NAMES, template
from fanwise.pipelines.notes.prompt import PROMPT_VERSION
from fanwise.pipelines.notes.records import DEPTHS, Depth
from fanwise.pipelines.notes.rules.answer import RULES_VERSION
from fanwise.pipelines.notes.video import looks_like_a_video, video_id

Verbosity = Literal["brief", "standard", "comprehensive", "all"]
Strategy = Literal["per_depth", "one_call"]
Mode = Literal["transcript", "metadata"]

_MOST_MODELS = 6
_LONGEST = 4096
_HINT = "see `fanwise notes --help` or docs/notes.md"
_BY_RULES = ("builtin", "sim")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotesJob:
    """A recording, and which notes are wanted of it.

    Args:
        source: A video's address or id, or the path of a ``.vtt``, ``.srt``, ``.json`` or ``.txt``
            file.
        templates: Ids of templates, in the order in which results are wanted.
        verbosity: A depth, or ``all`` three.
        strategy: ``per_depth`` asks once for each depth, ``one_call`` once for all of them.
        mode: ``transcript``, or ``metadata`` for what the publisher wrote about it.
        language: Code of the captions to fetch; empty for English, else whatever there is.
        models: Whom to ask; each further one where those before it have failed.
        user: Whose notes these are: part of what makes two jobs the same, and whose units count.
        video: Address or id of the video that a transcript file belongs to, for links.
        stagger_s: Seconds between the starts of templates, 0 to 60.
        part_tokens: A longer transcript is condensed in parts of about so many tokens, 500 to
            200 000.
        force: Write templates anew whose notes are there already.
        retry: Write only these of the templates anew; the others are as they are.
        rollout_percent: Share of users whose templates are written in parallel, 0 to 100; guards
            the work (``None``: everybody's, unguarded).
        parameters: Sampling parameters by the provider's own names.

    Raises:
        InvalidFields: One reason for each field that is wrong.
    """

    source: str
    templates: Sequence[str] = ("basic-summary",)
    verbosity: Verbosity = "standard"
    strategy: Strategy = "per_depth"
    mode: Mode = "transcript"
    language: str = ""
    models: Sequence[str] = (RULES_MODEL,)
    user: str = ""
    video: str = ""
    stagger_s: float = 0.15
    part_tokens: int = 6000
    force: bool = False
    retry: Sequence[str] = ()
    rollout_percent: float | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        check.refuse("notes", _faults(self), hint=_HINT)

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """The job that JSON describes.

        Raises:
            InvalidFields: One reason for each field that is wrong; unknown fields are wrong too.
        """
        known = [one.name for one in fields(cls)]
        given: dict[str, Any] = {"source": ""}
        given |= {name: value for name, value in found.items() if name in known}
        for name in ("templates", "models", "retry"):
            if isinstance(given.get(name), list):
                given[name] = tuple(cast("list[Any]", given[name]))
        return check.made("notes", lambda: cls(**given), check.unknown(found, known), hint=_HINT)

    def as_json(self) -> dict[str, Any]:
        """What :meth:`from_json` makes this job of again."""
        found = asdict(self)
        for name in ("templates", "models", "retry"):
            found[name] = list(found[name])
        return found

    @property
    def depths(self) -> Sequence[Depth]:
        """The depths that are wanted."""
        return DEPTHS if self.verbosity == "all" else (self.verbosity,)

    @property
    def video_id(self) -> str:
        """The id of the video that is to be fetched; empty of a file."""
        if Path(self.source).exists() or not looks_like_a_video(self.source):
            return ""
        return video_id(self.source)

    def key(self, source_id: str, name: str) -> str:
        """What makes two notes the same: user, recording, template, depths, strategy, models,
        parameters, and the versions of everything that writes them.
        """
        rules = any(model.replace(":", "/").partition("/")[0] in _BY_RULES for model in self.models)
        parts = [
            self.user,
            source_id,
            name,
            self.verbosity,
            self.strategy,
            self.mode,
            str(self.part_tokens),
            *self.models,
            repr(sorted(self.parameters.items())),
            self.version(name, rules=rules),
        ]
        return sha256("\0".join(parts).encode()).hexdigest()[:40]

    @staticmethod
    def version(name: str, *, rules: bool) -> str:
        """The version of what writes a template's notes; without a name, of what condenses."""
        version = f"{PROMPT_VERSION} {name}-{template(name).version}" if name else PROMPT_VERSION
        return f"{version} {RULES_VERSION}" if rules else version


def version_for(model: str, name: str) -> str:
    """What a call's answer depends on besides its content: the prompt, or the rules as well."""
    provider = model.replace(":", "/", 1).partition("/")[0]
    return NotesJob.version(name, rules=provider in _BY_RULES)


def _faults(job: NotesJob) -> dict[str, str]:
    """What is wrong with each field; empty where nothing is."""
    found = {
        "source": _source_fault(job.source),
        "templates": check.some(job.templates, NAMES, least=1),
        "retry": check.some(job.retry, NAMES),
        "verbosity": check.choice(job.verbosity, get_args(Verbosity)),
        "strategy": check.choice(job.strategy, get_args(Strategy)),
        "mode": check.choice(job.mode, get_args(Mode)),
        "models": check.models(job.models, most=_MOST_MODELS),
        "stagger_s": check.number(job.stagger_s, most=60),
        "part_tokens": check.number(job.part_tokens, least=500, most=200_000),
        "rollout_percent": check.optional(job.rollout_percent, partial(check.number, most=100)),
        "force": check.switch(job.force),
        "language": check.text(job.language, most=35),
        "user": check.text(job.user, most=200),
        "video": check.text(job.video, most=500) or (_video_fault(job.video) if job.video else ""),
        "parameters": check.mapping(job.parameters),
    }
    if not found["retry"] and not found["templates"]:
        strange = [name for name in job.retry if name not in job.templates]
        if strange:
            templates = ", ".join(job.templates)
            found["retry"] = f"{strange[0]!r} is not one of this job's templates ({templates})"
    return found


def _source_fault(source: object) -> str:
    if not isinstance(source, str) or not source.strip():
        return "is missing: the address of a video, or the path of a transcript file"
    if wrong := check.text(source, most=_LONGEST):
        return wrong
    if looks_like_a_video(source) and not Path(source).exists():
        return _video_fault(source)
    return ""


def _video_fault(address: str) -> str:
    try:
        video_id(address)
    except fw.errors.ConfigError as error:
        return str(error)
    return ""
