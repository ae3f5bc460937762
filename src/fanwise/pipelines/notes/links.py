"""Times in brackets as links into the video."""

from __future__ import annotations

import re

_TIME = re.compile(
    r"(?<![\]\w])\[((?:\d{1,2}:)?\d{1,3}:\d{2})((?:\s*[-–—]\s*(?:\d{1,2}:)?\d{1,3}:\d{2})?)\](?![(\[])"
)


def linked(markdown: str, *, video: str, duration_s: float | None) -> tuple[str, list[str]]:
    """A text whose times lead to their place in the video.

    Args:
        markdown: The text, with times such as ``[12:34]``, ``[1:02:03]`` or ``[12:34-13:00]``.
        video: The video's id; without one times stay as they are.
        duration_s: The recording's length in seconds; times beyond it are no links.

    Returns:
        The text, and the times that lie beyond the recording.
    """
    outside: list[str] = []

    def link(found: re.Match[str]) -> str:
        seconds = 0
        for part in found[1].split(":"):
            seconds = seconds * 60 + int(part)
        if duration_s is not None and seconds > duration_s + 1:
            outside.append(found[1])
            return found[0]
        if not video:
            return found[0]
        return f"{found[0]}({watch_url(video)}&t={seconds}s)"

    return _TIME.sub(link, markdown), outside


def watch_url(video: str) -> str:
    """The address of a video's page."""
    return f"https://www.youtube.com/watch?v={video}"
