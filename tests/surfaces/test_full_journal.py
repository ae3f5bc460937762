"""A full disk and a failing one: nothing is acknowledged that is not there afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fanwise.journal.home import open_home
from fanwise.journal.tally import recount

TESTS = Path(__file__).parent.parent
CHILD = """
import asyncio, os, resource, sys
from support.journals import call, intent, item, key
from fanwise.errors import JournalUnavailable
from fanwise.journal.home import open_home
from fanwise.records import RunSpec

async def main(location, limit):
    journal = open_home(location).create(RunSpec(name="full"), run_id="run", wall_s=1.0)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    errors = []

    async def work(worker):
        for number in range(100000):
            name = f"{worker}-{number}"
            try:
                await journal.intend(intent(key(name), request=b"x" * 500))
                await journal.settle(call(key(name), value="y" * 1000))
                await journal.finish_item(item(name))
            except JournalUnavailable as error:
                errors.append(error)
                return
            os.write(1, f"{name}\\n".encode())

    await asyncio.gather(*[work(worker) for worker in range(20)])
    assert len({id(error) for error in errors}) == 1, errors
    assert len(errors) == 20
    try:
        await journal.close("failed")
    except JournalUnavailable as error:
        os.write(2, f"{error.code}: {error}\\n".encode())
        sys.exit(5)
    sys.exit(6)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def write_until_it_fails(location: Path, *, limit: int = 0, wrap: tuple[str, ...] = ()):
    done = subprocess.run(
        [*wrap, sys.executable, "-c", CHILD, str(location), str(limit)],
        capture_output=True,
        text=True,
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        timeout=100,
        check=False,
    )
    assert done.returncode == 5, (done.returncode, done.stderr)
    assert "journal_unavailable: " in done.stderr
    return done.stdout.split(), done.stderr


def check(location: Path, acknowledged: list[str]) -> None:
    home = open_home(location)
    journal = home.open("run")
    reader = home.reader("run")
    items = {item.item_id for item in reader.items()}
    calls = {call.key.item_id: call for call in reader.calls()}
    assert acknowledged
    assert set(acknowledged) <= items
    assert all(calls[name].value == "y" * 1000 for name in acknowledged)
    counted = recount(calls.values(), list(reader.items()))
    assert (counted.calls, counted.succeeded) == (reader.counters().calls, len(items))
    numbers = [event.number for event in reader.events()]
    assert numbers == list(range(1, len(numbers) + 1))
    reader.close()
    asyncio.run(journal.close("interrupted"))
    assert home.runs()[0].status == "interrupted"


def test_a_file_that_may_not_grow_stops_the_journal_and_loses_nothing(tmp_path):
    acknowledged, _ = write_until_it_fails(tmp_path / "home", limit=3_000_000)
    check(tmp_path / "home", acknowledged)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_full_disk_stops_the_journal_and_loses_nothing(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this root may not mount")
    try:
        acknowledged, said = write_until_it_fails(disk / "home")
        assert "disk full" in said
        assert "prune" in said
        shutil.copytree(disk / "home", tmp_path / "larger")
        check(tmp_path / "larger", acknowledged)
    finally:
        subprocess.run(["umount", str(disk)], check=False)


def test_a_disk_that_fails_stops_the_journal_and_loses_nothing(tmp_path):
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    wrap = (strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync")
    probe = subprocess.run([*wrap, "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip(f"strace may not trace here: {probe.stderr.decode().strip()}")
    inject = ("-e", "inject=fdatasync:error=EIO:when=40+")
    acknowledged, said = write_until_it_fails(tmp_path / "home", wrap=(*wrap, *inject))
    assert "input/output error" in said
    check(tmp_path / "home", acknowledged)
