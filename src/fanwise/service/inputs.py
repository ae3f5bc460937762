"""What of a job's fields may come over HTTP: files are named by upload, never by a path here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from fanwise.errors import InvalidFields

if TYPE_CHECKING:
    from fanwise.pipelines import Pipeline
    from fanwise.service.uploads import Uploads

UPLOAD = "upload"


async def with_uploads(
    uploads: Uploads, pipeline: Pipeline, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields of a job with the paths of the uploads that they name.

    Raises:
        InvalidFields: A field that takes a file names a path on this machine, or an upload stands
            where no file is taken.
        NotFound: There is no such upload.
    """
    wrong: dict[str, str] = {}
    found: dict[str, Any] = {}
    for name, value in fields.items():
        takes_files = name in pipeline.files
        if not takes_files and _names_upload(value):
            wrong[name] = "takes no upload"
        elif takes_files:
            found[name] = await _resolved(uploads, name, value, wrong)
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


def _names_upload(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    named = cast("Mapping[str, Any]", value)
    return set(named) == {UPLOAD} and isinstance(named[UPLOAD], str)
