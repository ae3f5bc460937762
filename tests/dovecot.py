"""A private IMAP server (Dovecot) for the tests that need a real one."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

PASSWORD = "password-of-the-test"
_STARTS_WITHIN_S = 20.0
LOOK_AGAIN = threading.Event()  # never set: what is waited for happens in another process


class NoImap(Exception):
    """There is no Dovecot on this machine."""


@dataclass(frozen=True, slots=True)
class Imap:
    """A running server.

    Args:
        port: Where it speaks without TLS.
        tls_port: Where it speaks TLS.
        ca_file: The authority that vouches for it.
        mail: Where the users' maildirs are.
        log: What it has done.
    """

    port: int
    tls_port: int
    ca_file: Path
    mail: Path
    log: Path

    def address(self, user: str, folder: str = "") -> str:
        return f"imap://{user}@127.0.0.1:{self.port}/{folder}"

    def tls_address(self, user: str) -> str:
        return f"imaps://{user}@localhost:{self.tls_port}/INBOX"

    def deliver(self, user: str, *messages: bytes, folder: str = "") -> None:
        """Puts messages into a user's folder, unread."""
        box = self.mail / user / "Maildir"
        if folder:
            box /= f".{folder}"
        for name in ("cur", "new", "tmp"):
            (box / name).mkdir(parents=True, exist_ok=True)
        already = len(list((box / "new").iterdir())) + len(list((box / "cur").iterdir()))
        for number, message in enumerate(messages, already):
            (box / "new" / f"1772500000.M{number:06d}.test").write_bytes(message)
        for path in [self.mail / user, *(self.mail / user).rglob("*")]:
            _give_away(path)

    def flags(self, user: str) -> list[str]:
        """The names of a user's messages that bear a flag."""
        box = self.mail / user / "Maildir"
        return [path.name for path in box.rglob("*") if path.name.partition(":2,")[2]]


@contextmanager
def imap_server() -> Iterator[Imap]:
    """Starts a server on free loopback ports; stops and removes it at the end.

    Any user may log in with :data:`PASSWORD`.

    Raises:
        NoImap: Dovecot is not installed.
    """
    program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None or not Path("/usr/lib/dovecot/imap").exists():
        raise NoImap("Dovecot is not installed (Debian: dovecot-imapd)")
    with tempfile.TemporaryDirectory(prefix="fanwise-imap-") as directory:
        place = Path(directory)
        place.chmod(0o755)
        mail = place / "mail"
        mail.mkdir()
        _give_away(mail)
        ca = trustme.CA()
        ca.cert_pem.write_to_path(str(place / "ca.pem"))
        ca.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
            str(place / "server.pem")
        )
        port, tls_port = _free_port(), _free_port()
        config = place / "dovecot.conf"
        config.write_text(_config(place, port=port, tls_port=tls_port))
        server = subprocess.Popen(
            [program, "-F", "-c", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        try:
            _wait_for(port, server, log=place / "log")
            yield Imap(port, tls_port, place / "ca.pem", mail, place / "log")
        finally:
            server.terminate()
            server.wait(timeout=20)


def _config(place: Path, *, port: int, tls_port: int) -> str:
    root = os.geteuid() == 0
    me = pwd.getpwuid(os.geteuid()).pw_name
    group = "dovecot" if root else _group()
    mail_user = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.geteuid())
    return f"""
base_dir = {place}/run
state_dir = {place}/state
log_path = {place}/log
protocols = imap
listen = 127.0.0.1
default_login_user = {"dovenull" if root else me}
default_internal_user = {"dovecot" if root else me}
default_internal_group = {group}
first_valid_uid = 1
mail_location = maildir:~/Maildir
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{place}/server.pem
ssl_key = <{place}/server.pem
mail_max_userip_connections = 50
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={mail_user.pw_uid} gid={mail_user.pw_gid} home={place}/mail/%u
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service stats {{
  chroot =
}}
"""


def _group() -> str:
    import grp

    return grp.getgrgid(os.getegid()).gr_name


def _give_away(path: Path) -> None:
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


def _wait_for(port: int, server: subprocess.Popen[bytes], *, log: Path) -> None:
    until = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
                if probe.recv(100).startswith(b"* OK"):
                    return
        except OSError:
            LOOK_AGAIN.wait(0.05)
    said = log.read_text(errors="replace") if log.exists() else "nothing"
    raise RuntimeError(f"Dovecot did not start: {said[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
