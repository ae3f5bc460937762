"""A private PostgreSQL server for the tests that need a real one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NoServer(Exception):
    """There is no PostgreSQL on this machine."""


@contextmanager
def private_server() -> Iterator[str]:
    """Starts a server on a free loopback port and yields its URL; stops and removes it at the end.

    Nothing is synced to disk: what survives the death of a client is tested here, not what
    survives the death of the server.

    Raises:
        NoServer: PostgreSQL is not installed.
    """
    binaries = _binaries()
    with tempfile.TemporaryDirectory(prefix="fanwise-pg-") as place:
        data = Path(place) / "data"
        _give_away(Path(place))
        _run(binaries / "initdb", "-D", data, "-U", "fanwise", "--auth=trust", "-E", "UTF8", "-N")
        port = _free_port()
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {place} -c fsync=off"
        log = Path(place) / "log"
        _run(binaries / "pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "start")
        try:
            yield f"postgresql://fanwise@127.0.0.1:{port}/postgres"
        finally:
            _run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


def _binaries() -> Path:
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    if found is not None:
        candidates.append(Path(found).resolve().parent)
    for directory in candidates:
        if (directory / "initdb").exists() and (directory / "pg_ctl").exists():
            return directory
    raise NoServer("PostgreSQL is not installed (Debian: postgresql)")


def _user() -> tuple[int, int] | None:
    """Whom to run as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    import pwd

    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise NoServer("PostgreSQL refuses to run as root, and there is no other user")


def _give_away(place: Path) -> None:
    user = _user()
    if user is not None:
        os.chown(place, *user)


def _run(*command: object) -> None:
    user = _user()
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        cwd="/",
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        user=user[0] if user else None,
        group=user[1] if user else None,
        extra_groups=[] if user else None,
        close_fds=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stdout.decode(errors='replace')}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
