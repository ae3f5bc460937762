"""What ``fanwise hooks`` is asked for: one idea, or the rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from fanwise.cli.options import RunOptions
from fanwise.errors import InputError, InvalidFields

if TYPE_CHECKING:
    from fanwise.pipelines.hooks import HooksJob

_OF_ROWS = ("post_idea", "industry", "target_audience", "content_type", "focus_skills")
_MOST_FAULTS = 5


def job_of(options: RunOptions, asked: Mapping[str, Any], row: Mapping[str, Any]) -> HooksJob:
    """The job of the flags, or of a row under the flags.

    Raises:
        InvalidFields: Wrong fields, each with its reason.
    """
    from fanwise.cli.profiles import parameters_and_profile
    from fanwise.pipelines.hooks import HooksJob

    _refuse_a_lost_file(asked["idea"])
    fields: dict[str, Any] = {
        "post_idea": asked["idea"],
        "industry": asked["industry"],
        "target_audience": asked["audience"],
        "content_type": asked["content_type"],
        "models": list(options.models),
        "focus_skills": list(asked["focus"] or ()),
        "judge": asked["judge"],
        "validator": asked["validator"],
        "repeats": asked["repeats"],
        "compare": asked["compare"],
        "parameters": dict(parameters_and_profile(options)[0]),
    }
    fields |= {name: row[name] for name in _OF_ROWS if row.get(name) not in (None, "")}
    return HooksJob.from_json(fields)


def _refuse_a_lost_file(idea: object) -> None:
    """A name of a table that is not there is no idea."""
    tables = (".csv", ".jsonl", ".ndjson", ".json", ".parquet")
    if isinstance(idea, str) and len(idea.split()) == 1 and idea.lower().endswith(tables):
        raise InputError(
            "there is no such file", source=idea, hint="check the path; an idea is a sentence"
        )


def check_rows(options: RunOptions, asked: Mapping[str, Any]) -> None:
    """Reads a table through before anything is sent for it.

    Raises:
        InputError: What is wrong with its first wrong rows.
    """
    wrong: list[str] = []
    lines: dict[str, int] = {}
    for line, idea, found in _rows(options, asked, None):
        if isinstance(found, InvalidFields):
            said = "; ".join(f"{name} {reason}" for name, reason in found.fields.items())
            wrong.append(f"line {line}: {said}")
        elif idea in lines:
            wrong.append(f"line {line}: is the same idea as line {lines[idea]}, or has its id")
        lines.setdefault(idea, line)
        if len(wrong) == _MOST_FAULTS:
            break
    if wrong:
        raise InputError(
            "\n".join(wrong),
            source=str(options.source),
            hint="columns are post_idea, industry, target_audience, content_type, focus_skills; "
            "others are left alone",
        )


def _rows(
    options: RunOptions, asked: Mapping[str, Any], stdin: BinaryIO | None
) -> Iterator[tuple[int, str, HooksJob | InvalidFields]]:
    """Line, id and job of each row, or what is wrong with it."""
    from fanwise.documents import read_rows
    from fanwise.pipelines.hooks.execution import id_of

    assert options.source is not None
    for row in read_rows(options.source, limit=options.limit, stdin=stdin):
        try:
            job = job_of(options, asked, row.data)
        except InvalidFields as error:
            yield row.line, row.id or "", error
        else:
            yield row.line, row.id or id_of(job), job


def jobs_of(
    options: RunOptions, asked: Mapping[str, Any], stdin: BinaryIO | None
) -> Iterable[tuple[str, HooksJob]]:
    """The jobs with their ids: one of the idea, or one of each row.

    Args:
        options: Models, table, limit.
        asked: What is particular to hooks.
        stdin: What ``-`` reads.

    Iterating raises InputError for a row that is wrong.
    """
    if asked["idea"] is not None:
        return [("", job_of(options, asked, {}))]
    return _jobs_of_rows(options, asked, stdin)


def _jobs_of_rows(
    options: RunOptions, asked: Mapping[str, Any], stdin: BinaryIO | None
) -> Iterator[tuple[str, HooksJob]]:
    for line, idea, found in _rows(options, asked, stdin):
        if isinstance(found, InvalidFields):
            said = "; ".join(f"{name} {reason}" for name, reason in found.fields.items())
            raise InputError(said, source=str(options.source), line=line, hint=found.hint)
        yield idea, found
