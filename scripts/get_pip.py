"""Puts the pip of a lock file into this environment, where ``venv`` could not.

    .venv/bin/python scripts/get_pip.py LOCK OUTER_PYTHON

Tries, in this order: another pip of the machine; the wheel that Debian keeps for its own use; the
package index, from which exactly the file is taken whose hash the lock file names.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import warnings
from pathlib import Path

LIMIT = 20_000_000


def pinned(lock: str) -> tuple[str, set[str]]:
    """The pinned version of pip and its hashes."""
    text = Path(lock).read_text(encoding="utf-8")
    found = re.search(r"^pip==(\S+)((?:\s*\\\n\s+--hash=sha256:\w+)+)", text, re.MULTILINE)
    if found is None:
        raise SystemExit(f"error: {lock} pins no pip")
    return found[1], set(re.findall(r"sha256:(\w+)", found[2]))


def by_another_pip(lock: str, outer: str) -> bool:
    """Installs the pinned pip by a pip that lives outside of this environment."""
    version, hashes = pinned(lock)
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "pip.txt")
        lines = " ".join(f"--hash=sha256:{h}" for h in sorted(hashes))
        wanted.write_text(f"pip=={version} {lines}\n", encoding="utf-8")
        arguments = ["install", "--quiet", "--require-hashes", "-r", str(wanted)]
        commands = [[outer, "-m", "pip", "--python", sys.executable, *arguments]]
        wheels = sorted(Path("/usr/share/python-wheels").glob("pip-*.whl"))
        commands.extend([sys.executable, f"{wheel}/pip", *arguments] for wheel in wheels)
        return any(
            subprocess.run(c, check=False, capture_output=True).returncode == 0 for c in commands
        )


def index_url() -> str:
    """The package index that this machine is set up for."""
    if os.environ.get("PIP_INDEX_URL"):
        return os.environ["PIP_INDEX_URL"]
    places = (
        os.environ.get("PIP_CONFIG_FILE", ""),
        "~/.config/pip/pip.conf",
        "~/.pip/pip.conf",
        "/etc/pip.conf",
    )
    for place in places:
        path = Path(place).expanduser()
        if place and path.is_file():
            found = re.search(
                r"^\s*index-url\s*=\s*(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE
            )
            if found:
                return found[1]
    try:
        # The standard library of this Python knows where packages are uploaded to.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from distutils.config import PyPIRCCommand
    except ImportError:
        raise SystemExit(
            "error: this Python can make no virtual environment and has no pip\n"
            "hint: install them (Debian: apt install python3-venv), or set PIP_INDEX_URL"
        ) from None
    host = urllib.parse.urlsplit(PyPIRCCommand.DEFAULT_REPOSITORY).netloc
    return f"https://{host.removeprefix('upload.')}/simple"


def by_download(lock: str) -> None:
    """Takes the pinned wheel from the index and installs it by itself."""
    version, hashes = pinned(lock)
    page = f"{index_url().rstrip('/')}/pip/"
    with urllib.request.urlopen(page, timeout=60) as answer:
        text = answer.read(LIMIT).decode("utf-8", "replace")
    for link in re.findall(r'href="([^"]+)"', text):
        if f"pip-{version}-py3" not in link:
            continue
        with urllib.request.urlopen(urllib.parse.urljoin(page, link), timeout=60) as answer:
            data = answer.read(LIMIT)
        if hashlib.sha256(data).hexdigest() in hashes:
            with tempfile.TemporaryDirectory() as folder:
                wheel = Path(folder, f"pip-{version}-py3-none-any.whl")
                wheel.write_bytes(data)
                subprocess.run(
                    [
                        sys.executable,
                        f"{wheel}/pip",
                        "install",
                        "--quiet",
                        "--no-index",
                        str(wheel),
                    ],
                    check=True,
                )
            return
    raise SystemExit(f"error: the package index holds no pip {version} with a hash of {lock}")


if __name__ == "__main__":
    if not by_another_pip(sys.argv[1], sys.argv[2]):
        by_download(sys.argv[1])
