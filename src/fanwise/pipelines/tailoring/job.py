"""What tailoring is asked to do."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

import fanwise as fw
from fanwise.pipelines import fields as check
from fanwise.pipelines.fields import RULES_MODEL
from fanwise.pipelines.tailoring.records import Mode
from fanwise.pipelines.tailoring.text import words_of

MODES = ("PARTIAL", "FULL")
TONES = ("professional", "technical", "creative", "executive", "casual", "friendly", "bold")
LENGTHS = ("concise", "thorough", "complete")
POSTING_CHARS = (100, 15_000)
POSTING_WORDS = 20
MOST_RESUMES = 100
MOST_MODELS = 6
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeInput:
    """A resume to read: a file, or its content.

    Args:
        name: Its file name; says the kind where the content does not, and names it in results.
        path: Where it lies; empty where ``content`` is given.
        content: Its bytes.
        id: What results call it; by default its name.
    """

    name: str
    path: str = ""
    content: bytes = field(default=b"", repr=False)
    id: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            object.__setattr__(self, "id", self.name)

    @property
    def source(self) -> str | bytes:
        """What is read."""
        return self.path or self.content


@dataclass(frozen=True, slots=True, kw_only=True)
class TailorJob:
    """Resumes, a job, and how the ones are to be tailored to the other.

    Args:
        resumes: 1 to 100 resumes; their ids differ.
        job_description: The posting, 100 to 15,000 characters and at least 20 words.
        mode: ``PARTIAL`` (summary, skills, order, a few lines) or ``FULL`` (every line).
        tone: One of :data:`TONES`.
        length: One of :data:`LENGTHS`.
        models: Whom to ask, as ``provider/model``; where one fails, the next is asked.
        score_only: Only score; no model is asked.
        save: Whether drafts are kept.
        embedding_model: A model whose embedding of each resume is kept beside its draft; none is
            made without it.
        analysis_max_age_s: For how many seconds the analysis of a job is used again.
        parameters: Sampling parameters by the provider's own names.

    Raises:
        InvalidFields: One reason for each field that is wrong.
    """

    resumes: tuple[ResumeInput, ...]
    job_description: str
    mode: Mode = "PARTIAL"
    tone: str = "professional"
    length: str = "thorough"
    models: tuple[str, ...] = (RULES_MODEL,)
    score_only: bool = False
    save: bool = True
    embedding_model: str | None = None
    analysis_max_age_s: float = DAY_S
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        check.refuse(
            "tailor",
            {
                **_wrong_resumes(self.resumes),
                "job_description": _posting_fault(self.job_description),
                "mode": check.choice(self.mode, MODES),
                "tone": check.choice(self.tone, TONES),
                "length": check.choice(self.length, LENGTHS),
                "models": check.models(self.models, most=MOST_MODELS),
                "embedding_model": check.optional(self.embedding_model, _embedding_fault),
                "score_only": check.switch(self.score_only),
                "save": check.switch(self.save),
                "analysis_max_age_s": ""
                if self.analysis_max_age_s == math.inf
                else check.number(self.analysis_max_age_s),
                "parameters": check.mapping(self.parameters),
            },
        )

    @property
    def settings(self) -> dict[str, str]:
        """Mode, tone and length, as prompts have them."""
        return {"mode": self.mode, "tone": self.tone, "length": self.length}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> TailorJob:
        """The job that JSON describes: ``resume`` (a text) or ``resumes`` (a list of objects with
        ``id``, ``name`` and ``text`` or ``content_base64``), ``job_description``, and the other
        fields by their names. It names no files: what is to be read is in it.

        Raises:
            InvalidFields: One reason for each field that is wrong; unknown fields are wrong too.
        """
        wrong: dict[str, str] = {}
        given = dict(fields)
        resumes = _resumes(given, wrong)
        if "model" in given:
            given.setdefault("models", [given.pop("model")])
        taken: dict[str, Any] = {"job_description": None}
        taken |= {name: value for name, value in given.items() if name in _FIELDS}
        if isinstance(taken.get("models"), list):
            taken["models"] = tuple(taken["models"])
        wrong |= check.unknown(given, _FIELDS)
        return check.made("tailor", lambda: cls(resumes=resumes, **taken), wrong)

    def as_json(self) -> dict[str, Any]:
        """What :meth:`from_json` makes this job of again, with the content of its files."""
        found: dict[str, Any] = {name: getattr(self, name) for name in _FIELDS}
        found["models"] = list(self.models)
        found["parameters"] = dict(self.parameters)
        found["resumes"] = [
            {
                "id": one.id,
                "name": one.name,
                "content_base64": base64.b64encode(
                    Path(one.path).read_bytes() if one.path else one.content
                ).decode(),
            }
            for one in self.resumes
        ]
        return found


_FIELDS = [one.name for one in fields(TailorJob) if one.name != "resumes"]


def resume_input(value: object) -> ResumeInput:
    """A resume as a caller names it: a path, or a :class:`ResumeInput`.

    Raises:
        UsageError: It is neither.
    """
    if isinstance(value, ResumeInput):
        return value
    if isinstance(value, str | Path):
        path = Path(value)
        return ResumeInput(name=path.name, path=str(path))
    raise fw.errors.UsageError(
        f"a resume is a {type(value).__name__}",
        hint="give a path, or ResumeInput(name='resume.txt', content=b'…')",
    )


def _resumes(given: dict[str, Any], wrong: dict[str, str]) -> tuple[ResumeInput, ...]:
    single, several = given.pop("resume", None), given.pop("resumes", None)
    if (single is None) == (several is None):
        wrong["resumes"] = "give either 'resume', a text, or 'resumes', a list"
        return ()
    if single is not None:
        several = [{"id": "resume", "text": single}]
    if not isinstance(several, list):
        wrong["resumes"] = "give a list of objects with 'text' or 'content_base64'"
        return ()
    found: list[ResumeInput] = []
    for number, one in enumerate(cast("list[Any]", several)):
        try:
            found.append(_resume(one, number))
        except ValueError as error:
            wrong["resume" if single is not None else f"resumes.{number}"] = str(error)
    return tuple(found)


def _resume(one: Any, number: int) -> ResumeInput:
    if not isinstance(one, Mapping):
        raise ValueError("give an object with 'text' or 'content_base64'")  # noqa: TRY004
    value = cast("Mapping[str, Any]", one)
    unknown = set(value) - {"id", "name", "text", "content_base64"}
    if unknown:
        raise ValueError(f"there is no field {min(unknown)}")
    text, coded = value.get("text"), value.get("content_base64")
    if not all(isinstance(value.get(key, ""), str) for key in value):
        raise ValueError("its fields are texts")
    if bool(text) == bool(coded):
        raise ValueError("give either 'text' or 'content_base64', and not empty")
    try:
        content = text.encode() if text else base64.b64decode(coded or "", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("its content is not valid base64 or text") from None
    name = value.get("name") or value.get("id") or f"resume-{number + 1}"
    return ResumeInput(id=value.get("id") or name, name=name, content=content)


def _wrong_resumes(resumes: Sequence[ResumeInput]) -> dict[str, str]:
    if not 1 <= len(resumes) <= MOST_RESUMES:
        return {"resumes": f"there are {len(resumes)}; give 1 to {MOST_RESUMES}"}
    seen: set[str] = set()
    for one in resumes:
        if one.id in seen:
            return {"resumes": f"two are called {one.id}; give each an id of its own"}
        seen.add(one.id)
        if not one.path and not one.content.strip():
            return {"resumes": f"{one.id} is empty"}
    return {}


def _posting_fault(posting: Any) -> str:
    if posting is None:
        return "is missing"
    least, most = POSTING_CHARS
    if wrong := check.text(posting, least=least, most=most):
        return wrong
    words = len(words_of(posting))
    return "" if words >= POSTING_WORDS else f"has {words} words; the least is {POSTING_WORDS}"


def _embedding_fault(name: str) -> str:
    if isinstance(cast("Any", name), str) and name.startswith("builtin"):
        return "rules make no embeddings; name a provider's model, or none"
    return check.model(name)
