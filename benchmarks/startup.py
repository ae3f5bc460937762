"""What `fanwise --help` costs beside a bare typer program, and `import fanwise` beside Python.

Whole processes, in turn, so that both meet the same machine. Prints medians and their ratios:

    python benchmarks/startup.py --pairs 40
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

BARE = '''
import typer

app = typer.Typer()


@app.command()
def hello(name: str, count: int = 1):
    """Say hello to NAME, COUNT times."""
    for _ in range(count):
        print(f"Hello {name}")


@app.command()
def goodbye(name: str, formal: bool = False):
    """Say goodbye to NAME."""
    print(f"Goodbye {name}")


app()
'''


def seconds(command: Sequence[str]) -> float:
    start_s = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start_s


def compare(left: Sequence[str], right: Sequence[str], *, pairs: int) -> tuple[float, float, float]:
    """Medians of both, and the median of the ratios right ÷ left."""
    seconds(left)
    seconds(right)
    timed = [(seconds(left), seconds(right)) for _ in range(pairs)]
    return (
        statistics.median(pair[0] for pair in timed),
        statistics.median(pair[1] for pair in timed),
        statistics.median(pair[1] / pair[0] for pair in timed),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40, help="how often each is started")
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as directory:
        bare = Path(directory) / "bare.py"
        bare.write_text(BARE)
        fanwise = [sys.executable, "-c", "from fanwise.cli import main; main()", "--help"]
        left_s, right_s, ratio = compare(
            [sys.executable, str(bare), "--help"], fanwise, pairs=pairs
        )
    print(f"{'':24}{'median s':>10}{'ratio':>8}")
    print(f"{'bare typer --help':24}{left_s:>10.3f}")
    print(f"{'fanwise --help':24}{right_s:>10.3f}{ratio:>8.3f}   (must: at most 1.15)")
    left_s, right_s, _ = compare(
        [sys.executable, "-c", "pass"], [sys.executable, "-c", "import fanwise"], pairs=pairs
    )
    print(f"{'python':24}{left_s:>10.3f}")
    print(f"{'import fanwise':24}{right_s:>10.3f}          (must: at most 0.25 s)")


if __name__ == "__main__":
    main()
