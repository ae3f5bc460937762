"""One writer per run, by a lock that the kernel gives back when its holder dies."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path
from typing import Any

import orjson

from fanwise.errors import Conflict, JournalUnavailable


class FileLock:
    """An exclusive ``flock`` on a file of its own, held until released or the process ends.

    Not on the database file itself: SQLite has locks of its own there, and on some filesystems
    both kinds are one. The file says who holds it and is removed on release, so that nothing
    stays beside a finished run. A process forked while the lock is held shares it.

    Args:
        path: The lock file; its directory must exist.
        what: What is locked, for messages: ``run 2026…``.
        wall_s: The instant, seconds since the epoch.

    Raises:
        Conflict: Another process (or this one) holds it; names the holder.
        JournalUnavailable: The file cannot be made.
    """

    __slots__ = ("_descriptor", "_path")

    def __init__(self, path: Path, *, what: str, wall_s: float) -> None:
        self._path = path
        self._descriptor: int | None = None
        while True:
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise JournalUnavailable(
                    f"{what} cannot be locked: {path}: {error.strerror}",
                    hint="--journal names a directory that can be written to",
                ) from error
            try:
                _take(descriptor)
            except OSError as error:
                holder = _describe(os.pread(descriptor, 4096, 0))
                os.close(descriptor)
                if isinstance(error, BlockingIOError):
                    raise _conflict(what, holder) from None
                raise JournalUnavailable(
                    f"{what} cannot be locked: {path}: {error.strerror}",
                    hint="keep the journal on a local disk, or use a PostgreSQL one",
                ) from error
            if _is_still(path, descriptor):
                break
            os.close(descriptor)  # its holder removed it between our open and our lock
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, orjson.dumps(holder_of(wall_s)), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Removes the file and gives the lock back. A second call does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._path.unlink(missing_ok=True)
            os.close(descriptor)


def _take(descriptor: int) -> None:
    # Who only looks whether it is held (is_locked) holds it for an instant himself.
    for _ in range(5):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock now."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def holder_of(wall_s: float) -> dict[str, Any]:
    """Who holds a lock that this process takes now, as data for whoever finds it held."""
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": wall_s}


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        named, opened = path.stat(), os.fstat(descriptor)
    except OSError:
        return False
    return (named.st_ino, named.st_dev) == (opened.st_ino, opened.st_dev)


def _describe(content: bytes) -> str:
    try:
        found = orjson.loads(content)
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(found["since"]))
        return f"process {found['pid']} on {found['host']}, since {since}"
    except (ValueError, KeyError, TypeError):
        return "another process"


def conflict_of(what: str, content: bytes) -> Conflict:
    """The error for a lock that is held, from what its holder left."""
    return _conflict(what, _describe(content))


def _conflict(what: str, holder: str) -> Conflict:
    return Conflict(
        f"{what} is being written by {holder}",
        hint="wait for it, or end that process; to watch the run use `fanwise watch`",
    )
