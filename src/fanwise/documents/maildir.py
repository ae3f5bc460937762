"""Directories of mail: maildirs and loose files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from fanwise.documents.mbox import RawMessage, read_whole

_FILE_ENDINGS = {".eml", ".mbox", ".mbx"}


def is_maildir(path: Path) -> bool:
    """Whether a directory holds ``cur`` or ``new``."""
    return (path / "cur").is_dir() or (path / "new").is_dir()


def maildir_files(path: Path) -> Iterator[Path]:
    """The messages of ``cur`` and ``new`` in the order of their names, which begin with the time
    of delivery. ``tmp`` holds deliveries under way and is left alone.
    """
    found: list[tuple[str, str]] = []
    for folder in ("cur", "new"):
        try:
            with os.scandir(path / folder) as entries:
                found.extend((e.name, folder) for e in entries if not e.name.startswith("."))
        except FileNotFoundError:
            continue
    for name, folder in sorted(found):
        yield path / folder / name


def mail_files(path: Path) -> Iterator[Path]:
    """Maildirs, ``.eml`` and ``.mbox`` files in and below a directory, in the order of their names.

    Links to directories are not followed.
    """
    if is_maildir(path):
        yield path
    try:
        with os.scandir(path) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in {"cur", "new", "tmp"} or not is_maildir(path):
                yield from mail_files(Path(entry.path))
        elif os.path.splitext(entry.name)[1].lower() in _FILE_ENDINGS:  # noqa: PTH122 - many files
            yield Path(entry.path)


def read_delivered(path: Path) -> RawMessage:
    """A maildir's message; where its reader has just moved or marked it, under its new name."""
    if not path.exists():
        unique = path.name.partition(":")[0]
        current = path.parent.parent / "cur"
        try:
            with os.scandir(current) as entries:
                names = [e.name for e in entries if e.name.partition(":")[0] == unique]
        except OSError:
            names = []
        if names:
            return read_whole(current / names[0])
    return read_whole(path)
