"""The id of a video, whatever address it was copied as."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from fanwise.errors import ConfigError, InputError

_ID = re.compile(r"^[A-Za-z0-9_-]{11}$")
_HOSTS = frozenset(
    {"youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com", "youtube-nocookie.com",
     "www.youtube-nocookie.com", "youtu.be", "www.youtu.be"}
)  # fmt: skip
_PATHS = frozenset({"shorts", "embed", "live", "v", "e"})
_HINT = "give https://www.youtube.com/watch?v=…, https://youtu.be/…, or the id of 11 characters"


class NoSuchVideo(InputError):
    """The video is not there: removed, private, or not shown to this machine."""

    code = "not_found"


def looks_like_a_video(text: str) -> bool:
    """Whether a text is an address or an id, and no file's name."""
    return "://" in text or _ID.match(text) is not None or _bare_host(text)


def video_id(text: str) -> str:
    """The canonical id of a video: what all spellings of its address have in common.

    Args:
        text: A ``watch``, ``youtu.be``, ``shorts``, ``embed`` or ``live`` address with or without
            ``https://``, or the id itself.

    Raises:
        ConfigError: It is none of these.
    """
    given = text.strip()
    if _ID.match(given):
        return given
    try:
        parts = urlsplit(given if "://" in given else f"https://{given}")
        host = (parts.hostname or "").rstrip(".")
    except ValueError as error:
        raise ConfigError(f"{given[:80]!r} is no address of a video", hint=_HINT) from error
    if parts.scheme not in {"http", "https"} or host not in _HOSTS:
        raise ConfigError(f"{given[:80]!r} is no address of a YouTube video", hint=_HINT)
    steps = [step for step in parts.path.split("/") if step]
    found = ""
    if host.endswith("youtu.be"):
        found = steps[0] if steps else ""
    elif steps[:1] == ["watch"]:
        found = (parse_qs(parts.query).get("v") or [""])[0]
        found = found or (steps[1] if len(steps) > 1 else "")
    elif len(steps) > 1 and steps[0] in _PATHS:
        found = steps[1]
    if not _ID.match(found):
        raise ConfigError(f"{given[:80]!r} names no video", hint=_HINT)
    return found


def _bare_host(text: str) -> bool:
    return text.partition("/")[0].lower() in _HOSTS
