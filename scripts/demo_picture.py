"""Draws the picture of the README: what a terminal shows at the end of ./demo, from a real run.

python scripts/demo_picture.py docs/demo.svg
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from fanwise.engine.reporting import read_report
from fanwise.journal.home import open_home
from fanwise.progress.picture import report_picture

COMMAND = ("scan", "--sample", "-m", "sim/gpt-4o-mini")
KEPT = ("conversations:", "Shipments:", "Against the truth:")


def main() -> None:
    """Runs the scan of ./demo in a journal of its own, and draws its end."""
    with tempfile.TemporaryDirectory() as place:
        done = subprocess.run(
            [sys.executable, "-m", "fanwise", *COMMAND, "--journal", place],
            capture_output=True,
            text=True,
            check=True,
        )
        said = [line for line in done.stderr.splitlines() if any(word in line for word in KEPT)]
        home = open_home(place)
        report = read_report(home, next(iter(home.runs())).run_id)
    command = " ".join(("fanwise", *COMMAND))
    picture = report_picture(report, command=command, said=said, title="./demo")
    Path(sys.argv[1]).write_text(picture, encoding="utf-8")
    print(f"{report.wall_s:.1f} s instead of {report.sequential_s:.1f} s")


if __name__ == "__main__":
    main()
