"""What ``fanwise tailor`` shows and writes: scores, changes, tailored resumes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanwise.cli.display import put, put_table, to_json
from fanwise.errors import ConfigError, JournalUnavailable

if TYPE_CHECKING:
    from fanwise.pipelines.tailoring import Change, Resume, Tailored, TailorResult

FORMATS = ("md", "docx", "txt", "json")
_MOST_KEYWORDS = 8


def check_output(output: str, resumes: Sequence[str], *, kind: str) -> None:
    """Says what is wrong with where results are to go, before anything is spent.

    Raises:
        ConfigError: An unknown format, or a place that would overwrite a resume.
    """
    path = Path(output)
    if kind not in FORMATS:
        raise ConfigError(f"--format is {kind!r}", hint=f"give one of {', '.join(FORMATS)}")
    if len(resumes) == 1:
        if path.suffix.lower().lstrip(".") not in FORMATS:
            raise ConfigError(
                f"{path.name} says no format", hint="end it with .md, .docx, .txt or .json"
            )
        if path.resolve() == Path(resumes[0]).resolve():
            raise ConfigError(
                "-o names the resume itself, which is never written over",
                hint="name another file",
            )
    elif path.exists() and not path.is_dir():
        raise ConfigError(
            f"{path} is a file, and {len(resumes)} resumes were given",
            hint="name a directory",
        )
    elif path.resolve() in {Path(one).resolve().parent for one in resumes}:
        raise ConfigError(
            "-o names the directory of the resumes themselves", hint="name another directory"
        )


def write_results(result: TailorResult, output: str, *, kind: str) -> list[str]:
    """Writes tailored resumes: one to the file, several into the directory, named like theirs.

    Raises:
        JournalUnavailable: It cannot be written; the drafts are kept.
    """
    if result.total == 1:
        places = [(one, Path(output)) for one in result.resumes]
    else:
        stems = Counter(Path(one.id).stem for one in result.resumes)
        names = {
            one.id: Path(one.id).stem if stems[Path(one.id).stem] == 1 else Path(one.id).name
            for one in result.resumes
        }
        places = [(one, Path(output) / f"{names[one.id]}.{kind}") for one in result.resumes]
    for one, path in places:
        write_resume(one.resume, path, whole=one.as_json())
    return [str(path) for _, path in places]


def write_resume(resume: Resume, path: Path, *, whole: Mapping[str, Any]) -> None:
    """Writes a resume in the format that the path ends with; ``whole`` is what JSON holds.

    Raises:
        ConfigError: The path says no format.
        JournalUnavailable: It cannot be written.
    """
    from fanwise.pipelines.tailoring import as_docx, as_markdown, as_text

    kind = path.suffix.lower()
    if kind == ".docx":
        data = as_docx(resume)
    elif kind == ".md":
        data = as_markdown(resume).encode()
    elif kind == ".txt":
        data = as_text(resume).encode()
    elif kind == ".json":
        data = (to_json(whole) + "\n").encode()
    else:
        raise ConfigError(
            f"{path.name} says no format", hint="end it with .md, .docx, .txt or .json"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise JournalUnavailable(
            f"{path} cannot be written: {error.strerror}", hint="the drafts are kept: --drafts"
        ) from error


def put_results(result: TailorResult, *, shown: bool) -> None:
    """Results for people on standard output; with ``shown``, every change too."""
    if shown:
        for one in result.resumes:
            if one.after is not None:
                _put_changes(one)
    scored = not any(one.after for one in result.resumes)
    rows = [_row(one) for one in sorted(result.resumes, key=_best)]
    rows += [(one.id, "failed", "", "", "", one.message) for one in result.failures]
    columns = ("resume", "score", "after", "target", "draft", "missing")
    if scored:
        rows = [(name, score, missing) for name, score, _, _, _, missing in rows]
        columns = ("resume", "score", "missing")
    put_table(columns, rows, right=("score", "after", "target"))


def _best(one: Tailored) -> float:
    return -(one.after or one.before)["total"]


def _row(one: Tailored) -> tuple[str, ...]:
    after = "" if one.after is None else f"{one.after['total']:.1f}"
    target = "" if one.targets is None else f"{one.targets['target']:.1f}"
    missing = ", ".join(one.before["missing"]) or "nothing that is required"
    return (one.id, f"{one.before['total']:.1f}", after, target, one.draft[:8], missing)


def _put_changes(one: Tailored) -> None:
    put(f"{one.id}, for {one.title or 'the job'} (by {one.model})")
    put_changes(one.changes)
    names = [str(keyword["name"]) for keyword in one.recommended[:_MOST_KEYWORDS]]
    if names:
        put(f"  To be added only where they are true: {', '.join(names)}")
    for warning in one.warnings:
        if not warning.startswith(("refused", "flagged")):
            put(f"  Note: {warning}")
    put("")


def put_changes(changes: Sequence[Change]) -> None:
    """Changes for people: number, decision, path, reason, what was and what would be."""
    if not changes:
        put("  no change")
    for number, change in enumerate(changes, start=1):
        state = change.verdict if change.verdict == "refused" else change.decision
        if state == "open":
            state = "to be decided"
        put(f"  {number}. {change.path}  [{state}]  {change.reason}")
        for note in change.notes:
            put(f"       ! {note}")
        for line in _lines(change):
            put(f"       {line}")


def _lines(change: Change) -> Iterable[str]:
    if isinstance(change.after, tuple):
        yield "order: " + " ".join(str(number + 1) for number in change.after)
        return
    if change.before is not None:
        yield f"- {change.before}"
    yield f"+ {change.after}" if change.after is not None else "+ (left out)"
