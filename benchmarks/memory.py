"""Memory of a long run: ``fanwise run`` over 20 000, 100 000 and 300 000 rows.

    python benchmarks/memory.py [--items 20000 100000] [--in-flight 64] [--ordered]

The client is the command line with everything on, the server a process of its own that answers at
once. Printed is the client's peak resident memory, as the kernel counts it, which has to stay
where it is however long the run: the target is 110 MB at 100 000 items.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from server import serving

MB = 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, nargs="+", default=[20_000, 100_000, 300_000])
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--ordered", action="store_true", help="results in input order")
    options = parser.parse_args()
    print(f"{'items':>9} {'peak RSS':>9} {'wall':>8} {'items/s':>8} {'CPU/item':>9} {'journal':>8}")
    for items in options.items:
        with tempfile.TemporaryDirectory() as folder, serving() as server:
            measure(items, options, Path(folder), server.url.removesuffix("/chat/completions"))


def measure(items: int, options: argparse.Namespace, folder: Path, base_url: str) -> None:
    """Runs the client over so many rows and prints what it took."""
    rows = folder / "rows.jsonl"
    with rows.open("w", encoding="utf-8") as file:
        for number in range(items):
            text = f"Paragraph {number}: " + "lorem ipsum dolor sit amet " * 4
            file.write(json.dumps({"id": f"row-{number}", "text": text}) + "\n")
    asked = ("-m", "openai/bench-1", "-p", "Summarise: {{ text }}", "--base-url", base_url)
    asked += ("-o", "out.jsonl", "-j", str(options.in_flight), "--json", "--quiet")
    began = time.perf_counter()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "fanwise", "run", str(rows), *asked),
            *(["--ordered"] if options.ordered else []),
        ],
        stdout=subprocess.PIPE,
        cwd=folder,
        env={**os.environ, "OPENAI_API_KEY": "k"},
    )
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - began
    assert process.returncode == 0, printed
    assert json.loads(printed)["items"]["succeeded"] == items
    with (folder / "out.jsonl").open("rb") as file:
        assert sum(1 for _ in file) == items
    cpu_ms = (used.ru_utime + used.ru_stime) / items * 1000
    size = sum(file.stat().st_size for file in (folder / ".fanwise").rglob("*") if file.is_file())
    print(
        f"{items:9,} {used.ru_maxrss * 1024 / MB:6.1f} MB {wall_s:6.1f} s {items / wall_s:8,.0f}"
        f" {cpu_ms:6.3f} ms {size / MB:5.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
