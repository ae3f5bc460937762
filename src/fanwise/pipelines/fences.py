"""Foreign text in prompts: what somebody else wrote is data, and must not pass for instructions.

It stands in the user's message alone, between two lines with a mark made by hashing it: a text
that holds its own mark would have another one, so that nobody can close the fence from within.
The mark is the same whenever the same data is shown, so that answers can be found again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import fanwise as fw

MARK_CHARS = 16
_DATA = re.compile(
    r"^===== data ([0-9a-f]{16}) begins =====\n(.*)\n===== data \1 ends =====$", re.MULTILINE
)


def mark_of(parts: Iterable[str]) -> str:
    """The mark of some data: 16 hexadecimal digits of a hash over all its parts, their bounds
    included.
    """
    digest = blake2b(digest_size=MARK_CHARS // 2, person=b"fanwise-data")
    for part in parts:
        data = part.encode("utf-8", "replace")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def fenced(data: Mapping[str, Any]) -> str:
    """Data as JSON between two lines with its mark. As JSON it is one line."""
    text = json.dumps(data, ensure_ascii=False)
    mark = mark_of([text])
    return f"===== data {mark} begins =====\n{text}\n===== data {mark} ends ====="


def read_back(request: fw.Request) -> dict[str, Any]:
    """The data out of the last message of a request that holds some; empty where none does."""
    for message in reversed(request.messages):
        found = _DATA.search(text_of(message.content))
        if found is not None:
            read: Any = json.loads(found[2])
            return cast("dict[str, Any]", read) if isinstance(read, dict) else {}
    return {}


def text_of(content: object) -> str:
    """A message's text, where it may also be a list of parts."""
    if isinstance(content, str):
        return content
    parts = cast("Sequence[object]", content) if isinstance(content, Sequence) else ()
    texts = [
        cast("Mapping[str, object]", part).get("text")
        for part in parts
        if isinstance(part, Mapping)
    ]
    return "\n".join(text for text in texts if isinstance(text, str))
