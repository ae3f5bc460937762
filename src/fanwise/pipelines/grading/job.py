"""What is to be graded: a table of answers, and how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, Self, cast

import fanwise as fw
from fanwise.pipelines import fields as check
from fanwise.pipelines.fields import RULES_MODEL
from fanwise.pipelines.grading.marking import kind_of
from fanwise.pipelines.grading.reading import check_question, options_in, truth_in
from fanwise.pipelines.grading.records import Question, Task

MODES: Final = ("auto", "parallel", "batch", "sequential")
MOST_AT_ONCE: Final = 10
MOST_INLINE: Final = 10_000
STDIN: Final = "-"
_HINT: Final = "mend them and begin again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where in a row everything stands; a column within a column is named ``outer.inner``.

    Args:
        question, expected, answer: Must be there; ``expected`` not where there is a rubric.
        kind: ``multiple_choice``, ``short_answer``, ``numeric`` or ``problem_solving``; without it
            the kind follows from options and expected answer.
        options: A list, or its texts with a bar or a line end between them.
        rubric, tolerance: See :class:`Question`.
        success_rate: Share of earlier answers to the question that were right, 0 to 1; needed for
            ``easiest_first``.
        label: Somebody else's judgement, to compare with; never shown to whoever grades.
    """

    question: str = "question"
    expected: str = "expected"
    answer: str = "answer"
    kind: str = "kind"
    options: str = "options"
    rubric: str = "rubric"
    tolerance: str = "tolerance"
    success_rate: str = "success_rate"
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingJob:
    """Answers to be graded.

    Args:
        source: A table as :func:`fanwise.documents.read_rows` takes it; or ``-``.
        answers: Or the rows themselves, at most 10 000.
        columns: Where in a row everything stands.
        model: Whom to ask about answers that no rule can grade, as ``provider/model``.
        processing_mode: ``auto``, ``parallel``, ``batch`` or ``sequential``; counts only what needs
            a model.
        max_concurrent_tasks: Most calls at once, 1 to 10; ``None`` for as many as the limits
            allow.
        pack_size: Most answers in one packed request, 2 to 50.
        easiest_first: Ask first about the questions with the highest ``success_rate``; a row
            without one stands where 0.5 would.
        reuse: Whether grades of equal answers, given before, count.
        limit: Most rows.
        parameters: Sampling parameters by the provider's own names.
        stdin: What ``-`` reads.

    Raises:
        InvalidFields: Fields are wrong: a reason for each one.
    """

    source: str | Path | None = None
    answers: Sequence[Mapping[str, Any]] = ()
    columns: Columns = field(default_factory=Columns)
    model: str = RULES_MODEL
    processing_mode: str = "auto"
    max_concurrent_tasks: int | None = None
    pack_size: int = 10
    easiest_first: bool = False
    reuse: bool = True
    limit: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    stdin: BinaryIO | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        source_wrong = answers_wrong = ""
        if (self.source is None) == (not self.answers):
            answers_wrong = "give either a source or a list of one answer or more"
        elif len(self.answers) > MOST_INLINE:
            answers_wrong = f"has {len(self.answers):,} entries; the most is {MOST_INLINE:,}"
        if not isinstance(self.source, Path | None):
            source_wrong = check.text(self.source)
        reasons = {
            "source": source_wrong,
            "answers": answers_wrong,
            "model": check.model(self.model),
            **wrong_modes(self.processing_mode, self.max_concurrent_tasks, optional=True),
            "pack_size": check.count(self.pack_size, least=2, most=50),
            "easiest_first": check.switch(self.easiest_first),
            "reuse": check.switch(self.reuse),
            "limit": check.optional(self.limit, check.count),
            "parameters": check.mapping(self.parameters),
        }
        check.refuse("grading", reasons, hint=_HINT)

    @classmethod
    def from_json(cls, fields_: Mapping[str, Any]) -> Self:
        """The job that JSON describes; ``columns`` is an object of its own.

        Raises:
            InvalidFields: One reason for each field that is wrong; unknown fields are wrong too.
        """
        known = [one.name for one in fields(cls) if one.name != "stdin"]
        columns, wrong = _columns(fields_.get("columns", {}))
        wrong |= check.unknown(fields_, known) | _wrong_rows(fields_.get("answers", ()))
        taken = {name: value for name, value in fields_.items() if name in known}
        taken["columns"] = columns
        if any(name.partition(".")[0] == "answers" for name in wrong):
            taken |= {"source": "-", "answers": ()}  # so that their absence is not told as well
        return check.made("grading", lambda: cls(**taken), wrong, hint=_HINT)

    def as_json(self) -> dict[str, Any]:
        """What :meth:`from_json` makes this job of again."""
        given: dict[str, Any] = {
            "columns": {one.name: getattr(self.columns, one.name) for one in fields(Columns)},
            "model": self.model,
            "processing_mode": self.processing_mode,
            "max_concurrent_tasks": self.max_concurrent_tasks,
            "pack_size": self.pack_size,
            "easiest_first": self.easiest_first,
            "reuse": self.reuse,
            "limit": self.limit,
            "parameters": dict(self.parameters),
        }
        if self.source is not None:
            return {"source": str(self.source), **given}
        return {"answers": [dict(row) for row in self.answers], **given}

    def entries(self) -> Iterator[Entry]:
        """The rows, in their order, each with an id.

        Raises:
            InputError: The source cannot be read.
            ConfigError: The first row has no such columns.
        """
        for row in fw.documents.identified(self._rows(), source=str(self.source or "")):
            entry = Entry(id=str(row.id), index=row.position, line=row.line, data=row.data)
            if row.position == 0:
                _check_columns(self.columns, row.data, rated=self.easiest_first)
            yield entry

    def _rows(self) -> Iterable[fw.documents.Row]:
        if self.source is not None:
            return fw.documents.read_rows(self.source, limit=self.limit, stdin=self.stdin)
        taken = self.answers if self.limit is None else self.answers[: self.limit]
        return (
            fw.documents.Row(_own_id(data), place, place + 1, data)
            for place, data in enumerate(taken)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the table that has not been looked into yet."""

    id: str
    index: int
    line: int
    data: Mapping[str, Any]


def task_of(entry: Entry, columns: Columns) -> Task:
    """The task that a row describes.

    Raises:
        InputError: Something in it is missing or wrong, in words that name the row.
    """
    data = entry.data
    options = options_in(found(data, columns.options))
    expected = text_in(found(data, columns.expected))
    kind: Any = text_in(found(data, columns.kind)).strip() or kind_of(expected, options)
    question = Question(
        text=text_in(found(data, columns.question)),
        kind=kind,
        expected=expected,
        options=options,
        rubric=text_in(found(data, columns.rubric)),
        tolerance=text_in(found(data, columns.tolerance)),
    )
    wrong = check_question(question)
    if wrong:
        told = "; ".join(f"{name} {reason}" for name, reason in wrong.items())
        raise fw.errors.InputError(told, source=f"row {entry.line}", hint="mend the row")
    return Task(
        id=entry.id,
        question=question,
        answer=text_in(found(data, columns.answer)),
        index=entry.index,
        label=truth_in(found(data, columns.label)) if columns.label else None,
    )


def found(data: Mapping[str, Any], column: str) -> Any:
    """What stands in a column, or in a column within a column; ``None`` where there is none."""
    if not column or column in data:
        return data.get(column)
    value: Any = data
    for part in column.split("."):
        if not isinstance(value, Mapping):
            return None
        value = cast("Mapping[str, Any]", value).get(part)
    return value


def difficulty(entry: Entry, columns: Columns) -> float:
    """Where a row stands among others, the easiest first; without a rate in the middle."""
    try:
        rate = float(text_in(found(entry.data, columns.success_rate)))
    except ValueError:
        return -0.5
    return -rate if 0 <= rate <= 1 else -0.5


def text_in(value: object) -> str:
    """A cell as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def wrong_modes(mode: object, at_once: object, *, optional: bool = False) -> dict[str, str]:
    """What is wrong with a processing mode and a number of concurrent tasks."""
    most = partial(check.count, most=MOST_AT_ONCE)
    reasons = {
        "processing_mode": check.choice(mode, MODES),
        "max_concurrent_tasks": check.optional(at_once, most) if optional else most(at_once),
    }
    return {name: reason for name, reason in reasons.items() if reason}


def _own_id(data: Mapping[str, Any]) -> str | None:
    given = data.get("id")
    return None if given is None or given == "" else str(given)


def _check_columns(columns: Columns, data: Mapping[str, Any], *, rated: bool) -> None:
    """Columns that must be there are named before anything is spent."""
    missing = [name for name in (columns.question, columns.answer) if not _has(data, name)]
    if not _has(data, columns.expected) and not _has(data, columns.rubric):
        missing.append(columns.expected)
    if columns.label and not _has(data, columns.label):
        missing.append(columns.label)
    if rated and not _has(data, columns.success_rate):
        missing.append(columns.success_rate)
    if missing:
        raise fw.errors.ConfigError(
            f"the table has no column {', '.join(map(repr, missing))}",
            hint=f"it has {', '.join(list(data)[:20])}; say which is which",
        )


def _has(data: Mapping[str, Any], column: str) -> bool:
    if column in data:
        return True
    outer, _, inner = column.partition(".")
    within = data.get(outer)
    return bool(inner) and isinstance(within, Mapping) and _has(cast("Any", within), inner)


def _columns(given: object) -> tuple[Columns, dict[str, str]]:
    """Where everything stands, and what is wrong with what says so."""
    if wrong := check.mapping(given, such_as="{'question': 'text'}"):
        return Columns(), {"columns": wrong}
    named = cast("Mapping[str, Any]", given)
    known = [one.name for one in fields(Columns)]
    reasons = check.unknown(named, known)
    reasons |= {name: check.text(value) for name, value in named.items() if name in known}
    wrong_names = {name for name, reason in reasons.items() if reason}
    columns = Columns(**{name: value for name, value in named.items() if name not in wrong_names})
    return columns, {f"columns.{name}": reasons[name] for name in reasons if name in wrong_names}


def _wrong_rows(rows: object) -> dict[str, str]:
    if not isinstance(rows, list | tuple):
        return {"answers": f"is {check.shown(rows)}; it is a list of objects"}
    return {
        f"answers.{place}": f"is {check.shown(row)}; it is an object"
        for place, row in enumerate(cast("Sequence[object]", rows))
        if not isinstance(row, Mapping)
    }
