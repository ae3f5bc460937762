"""``fanwise report`` and ``fanwise export``: what a run took, and what it brought."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from typer import Option

from fanwise.cli.csvout import write_csv
from fanwise.cli.display import plural, put_json, say, to_json
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import HomeFlags
from fanwise.cli.homes import find_run, home_of, reading, status_of
from fanwise.cli.runs import RunArgument
from fanwise.errors import ConfigError

if TYPE_CHECKING:
    from typing import TextIO

    from fanwise.journal.memory import JournalReader

Format = Literal["jsonl", "csv"]


def report(
    *,
    run: RunArgument = "latest",
    html: Annotated[
        str | None, Option(metavar="FILE", help="Write one standalone HTML page there.")
    ] = None,
    home: HomeFlags,
) -> int:
    """What a run took, and what limited it.

    Total and sequential time, speedup, efficiency, critical path, latency and tokens by model,
    refusals, retries, cost, and the share of time that each limit held the run back.
    """
    from fanwise.engine.reporting import read_report
    from fanwise.progress.report import summary_json
    from fanwise.progress.terminal import print_report

    with home_of(home) as place:
        record = find_run(place, run)
        found = read_report(place, record.run_id)
    if html is not None:
        from fanwise.progress.html import render_html

        _write_whole(Path(html).expanduser(), render_html(found))
        say(f"Wrote {html}")
    if home.json:
        put_json(summary_json(found) | {"status": status_of(record)})
    elif html is None:
        print_report(found, stream=sys.stdout)
    return ExitCode.OK


def export(
    *,
    run: RunArgument = "latest",
    output_file: Annotated[
        str | None,
        Option(
            "--output-file", "-o", metavar="FILE", help="Write there; standard output otherwise."
        ),
    ] = None,
    output_format: Annotated[
        Format | None,
        Option("--format", help="jsonl, or csv (default for a FILE that ends in .csv)."),
    ] = None,
    ordered: Annotated[
        bool, Option("--ordered", help="In input order, not as they were completed.")
    ] = False,
    home: HomeFlags,
) -> int:
    """Write the results of a run as JSONL or CSV.

    One line an item, failures included, or one a shipment for a scan; also of a run that is still
    going on. In CSV, text that a spreadsheet would take for a formula gets a leading quote.
    """
    shape = output_format or ("csv" if (output_file or "").lower().endswith(".csv") else "jsonl")
    with home_of(home) as place:
        record = find_run(place, run)
        with reading(place, record.run_id) as reader:
            rows = partial(
                _shipments if record.spec.command == "scan" else _rows,
                reader,
                ordered=ordered,
                plain=shape == "csv",
            )
            count = write_rows(rows, output_file, shape)
    if home.json and output_file is not None:
        put_json({"run_id": record.run_id, "rows": count, "output_file": output_file})
    elif output_file is not None:
        say(f"Wrote {plural(count, 'row')} to {output_file}")
    return ExitCode.OK


def write_rows(
    rows: Callable[[], Iterator[Mapping[str, Any]]], output_file: str | None, shape: Format
) -> int:
    """Writes result lines to a file, or to standard output; returns how many."""
    if output_file is None or output_file == "-":
        count = _write(rows, sys.stdout, shape)
        sys.stdout.flush()
        return count
    return _write_file(rows, Path(output_file).expanduser(), shape)


def _rows(reader: JournalReader, *, ordered: bool, plain: bool) -> Iterator[Mapping[str, Any]]:
    """Result lines as ``-o`` writes them; ``plain`` gives Batch lines the form of a table's too."""
    from fanwise.pipelines.prompts.lines import output_line

    for item in reader.items(order="position" if ordered else "event"):
        line = output_line(replace(item, input=None)) if plain else output_line(item)
        yield {**line, "item": item.input} if plain else line


def _shipments(reader: JournalReader, *, ordered: bool, plain: bool) -> Iterator[Mapping[str, Any]]:
    """A scan's shipments as its ``-o`` writes them; ``plain`` puts them under a table's columns."""
    from fanwise.cli.shipments import shipment_lines

    for item in reader.items(state="succeeded", order="position" if ordered else "event"):
        for line in shipment_lines(cast("Mapping[str, Any]", item.value)):
            yield {"flat": line} if plain else line


def _write(rows: Callable[[], Iterator[Mapping[str, Any]]], file: TextIO, shape: Format) -> int:
    if shape == "csv":
        return write_csv(rows, file)
    count = 0
    for row in rows():
        file.write(to_json(row) + "\n")
        count += 1
    return count


def _write_file(rows: Callable[[], Iterator[Mapping[str, Any]]], path: Path, shape: Format) -> int:
    """Writes beside the file and renames, so that it is never there in part."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8", newline="") as file:
            count = _write(rows, file, shape)
        beside.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        beside.unlink(missing_ok=True)
    return count


def _write_whole(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{path} cannot be written: {error.strerror}",
        hint="name a file in a directory you may write to",
    )
