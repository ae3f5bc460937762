"""Where the owner of a run listens: a Unix socket in a directory of the user's own."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_LONGEST: Final = 100  # bytes; the kernel takes 108, others 104


def sockets_of(location: str, run_id: str, *, env: Mapping[str, str]) -> Iterator[Path]:
    """The paths at which a run's owner may listen, best first; at most two.

    A session of the same user may know ``XDG_RUNTIME_DIR`` or not (a timer, ``sudo -u``), so
    whoever looks for an owner looks at all of them.

    Args:
        location: The journal: a directory, or a URL without its password.
        run_id: The run.
        env: The environment.
    """
    place = location if "://" in location else os.path.realpath(location)
    digest = hashlib.blake2b(f"{place}\n{run_id}".encode(), digest_size=10).hexdigest()
    given = env.get("XDG_RUNTIME_DIR", "")
    own = [Path(given) / "fanwise"] if given.startswith("/") else []
    for directory in (*own, Path(f"/tmp/fanwise-{os.geteuid()}")):  # noqa: S108 - see is_private
        path = directory / f"{digest}.sock"
        if len(os.fsencode(path)) <= _LONGEST:
            yield path


def is_private(directory: Path) -> bool:
    """Whether a directory belongs to this user and is closed to all others; no link counts."""
    try:
        found = directory.lstat()
    except OSError:
        return False
    mine = found.st_uid == os.geteuid()
    return stat.S_ISDIR(found.st_mode) and mine and not stat.S_IMODE(found.st_mode) & 0o077


def make_private(directory: Path) -> bool:
    """Makes a directory that is closed to others, or says that it cannot be one."""
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return False
    return is_private(directory)
