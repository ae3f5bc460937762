"""What a pipeline's jobs are made of, for whoever asks people: a page, a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fanwise.errors import ConfigError
from fanwise.records import Json

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
