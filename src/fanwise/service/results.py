"""Results and reports as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING

import orjson

from fanwise.service.views import item_json, plain

if TYPE_CHECKING:
    from fanwise.journal.memory import JournalReader
    from fanwise.progress.report import Report


def json_lines(reader: JournalReader) -> Iterator[bytes]:
    """One item a line, as the service shows it."""
    for found in reader.items():
        yield orjson.dumps(item_json(found)) + b"\n"


def csv_rows(reader: JournalReader) -> Iterator[bytes]:
    """The same as a table."""
    from fanwise.service.csvout import csv_lines

    yield from csv_lines(item_json(found) for found in reader.items())


def output_lines(reader: JournalReader, *, ordered: bool) -> Iterator[bytes]:
    """One item a line, as the command line writes it."""
    from fanwise.pipelines.prompts.lines import output_line

    for found in reader.items(order="position" if ordered else "event"):
        yield orjson.dumps(plain(output_line(found)), option=orjson.OPT_NON_STR_KEYS) + b"\n"


def in_text(found: Report) -> str:
    """A report for people, as terminals show it."""
    from fanwise.progress.terminal import print_report

    text = StringIO()
    print_report(found, stream=text, width=100)
    return text.getvalue()
