"""The same work done the usual way and with Fanwise, against one simulated service.

    python -m benchmarks.migration

Seconds are virtual, so that every row comes out the same on any machine. The rows of LangChain and
tenacity need those packages beside Fanwise (langchain-core, tenacity) and are left out, with a
word, where they are missing.
"""

from __future__ import annotations

from importlib.util import find_spec

from benchmarks.migration.libraries import rows_of_langchain, rows_of_tenacity
from benchmarks.migration.own_code import (
    lines_of_memory,
    rows_of_gather,
    rows_of_p_limit,
    rows_of_semaphore,
)


def main() -> None:
    heads = f"{'work':24} {'way':34} {'answers':>8} {'sent':>8} {'refused':>8} {'time':>10}"
    print(heads)
    for rows in (
        rows_of_gather,
        rows_of_semaphore,
        rows_of_p_limit,
        rows_of_langchain,
        rows_of_tenacity,
    ):
        for row in rows():
            print(row)
    for name in ("tenacity", "langchain_core"):
        if find_spec(name) is None:
            print(f"{name} is not installed: its rows are left out")
    for line in lines_of_memory():
        print(line)


if __name__ == "__main__":
    main()
