"""What of a job's fields may come over HTTP: files are named by upload, never by a path here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from fanwise.errors import InvalidFields
from fanwise.records import NOTHING

if TYPE_CHECKING:
    from fanwise.pipelines import Pipeline
    from fanwise.service.uploads import Uploads

UPLOAD = "upload"
SETTING = "setting"

_DEEPEST = 100
_LARGEST = 2**63


def check_json(name: str, fields: Mapping[str, Any]) -> None:
    """Refuses what JSON can spell and nothing can keep: half a surrogate pair, NUL, numbers beyond
    64 bits or all bounds, and values nested without end.

    Raises:
        InvalidFields: One reason for each field that holds such a value.
    """
    wrong: dict[str, str] = {}
    for field, value in fields.items():
        reason = _unkeepable(field) or next(_reasons(value), "")
        if reason:
            wrong[field.encode("ascii", "backslashreplace").decode()[:100]] = reason
    if wrong:
        raise InvalidFields(name, wrong)


def _reasons(value: Any) -> Iterator[str]:
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        if depth > _DEEPEST:
            yield f"is nested deeper than {_DEEPEST}"
            return
        if isinstance(one, Mapping):
            pairs = cast("Mapping[str, Any]", one)
            waiting.extend((key, depth + 1) for key in pairs)
            waiting.extend((inner, depth + 1) for inner in pairs.values())
        elif isinstance(one, Sequence) and not isinstance(one, str):
            many = cast("Sequence[Any]", one)
            waiting.extend((inner, depth + 1) for inner in many)
        elif reason := _unkeepable(one):
            yield reason


def _unkeepable(value: Any) -> str:
    if isinstance(value, str):
        if "\0" in value:
            return "holds a NUL character"
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            return "holds half a character (a lone surrogate)"
    elif isinstance(value, float):
        return "" if math.isfinite(value) else f"is {value}, no finite number"
    elif isinstance(value, int) and abs(value) >= _LARGEST:
        return "is a number of more than 64 bits"
    return ""


async def with_uploads(
    uploads: Uploads,
    pipeline: Pipeline,
    fields: Mapping[str, Any],
    *,
    settings: Mapping[str, str] = NOTHING,
) -> dict[str, Any]:
    """The fields of a job with the paths of the uploads that they name.

    Args:
        uploads: The uploads.
        pipeline: Whose job it is.
        fields: Its fields.
        settings: Places of files that whoever runs the service has named, for ``{"setting": …}``.

    Raises:
        InvalidFields: A field that takes a file names a path on this machine, or an upload stands
            where no file is taken.
        NotFound: There is no such upload.
    """
    check_json(pipeline.name, fields)
    wrong: dict[str, str] = {}
    found: dict[str, Any] = {}
    for name, value in fields.items():
        takes_files = name in pipeline.files
        if not takes_files and _names_upload(value):
            wrong[name] = "takes no upload"
        elif takes_files:
            named = _names_setting(value, settings)
            found[name] = named or await _resolved(uploads, name, value, wrong)
        else:
            found[name] = value
    if wrong:
        raise InvalidFields(pipeline.name, wrong, hint="POST /api/v1/uploads, then name its id")
    return found


async def _resolved(uploads: Uploads, name: str, value: Any, wrong: dict[str, str]) -> Any:
    if isinstance(value, list):
        many = cast("list[Any]", value)
        return [
            await _resolved(uploads, f"{name}.{place}", one, wrong)
            for place, one in enumerate(many)
        ]
    if _names_upload(value):
        upload = await uploads.find(value[UPLOAD])
        return str(uploads.path(upload))
    if isinstance(value, str) and not value.startswith(("http://", "https://")):
        wrong[name] = 'a file is named by its upload: {"upload": "file-…"}'
    return value


def _names_setting(value: Any, settings: Mapping[str, str]) -> str:
    if not isinstance(value, Mapping):
        return ""
    named = cast("Mapping[str, Any]", value)
    return settings.get(str(named.get(SETTING)), "") if set(named) == {SETTING} else ""


def _names_upload(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    named = cast("Mapping[str, Any]", value)
    return set(named) == {UPLOAD} and isinstance(named[UPLOAD], str)
