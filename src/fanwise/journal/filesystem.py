"""Whether a directory lies on a filesystem that SQLite's log cannot be kept on."""

from __future__ import annotations

import re
from pathlib import Path

_NETWORK = frozenset(
    {
        "afs",
        "ceph",
        "cifs",
        "fuse.gcsfuse",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "fuse.glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    }
)


def network_filesystem(directory: Path) -> str | None:
    """The kind of network filesystem a directory is on; ``None`` for a local or unknown one.

    The write-ahead log needs memory shared between processes, which ends at the machine
    (sqlite.org/wal.html). Only Linux says what is mounted where.
    """
    try:
        mounts = Path("/proc/self/mounts").read_text(errors="surrogateescape")
    except OSError:
        return None
    return kind_of(directory.resolve(), mounts)


def kind_of(directory: Path, mounts: str) -> str | None:
    """As :func:`network_filesystem`, from the text of ``/proc/self/mounts``."""
    longest, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[1]))
        if directory.is_relative_to(point) and len(point.parts) >= longest:
            longest, kind = len(point.parts), fields[2]
    return kind if kind in _NETWORK else None
