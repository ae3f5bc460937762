"""The flags of ``fanwise scan``, and the job that they describe."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

from typer import Option

from fanwise.cli.options import STDIN, RunOptions, is_remote
from fanwise.documents.sources import existing
from fanwise.errors import ConfigError

RULES = "builtin/rules"
IN_TURN = frozenset({"fixed", "larger"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFlags:
    """What is particular to a scan."""

    force: Annotated[
        bool, Option("--force", help="Scan conversations that were scanned before too.")
    ] = False
    dry_run: Annotated[
        bool, Option("--dry-run", help="Write neither tables nor journal; still asks the model.")
    ] = False
    after: Annotated[
        str | None,
        Option(metavar="DATE", help="Only conversations with a message since then (2026-02-01)."),
    ] = None
    front: Annotated[
        str | None,
        Option(
            metavar="INBOX",
            help="Scan an inbox of Front (inb_123, or a search); token in FRONT_API_TOKEN.",
        ),
    ] = None
    front_rpm: Annotated[
        float | None,
        Option(metavar="N", help="Requests a minute of Front's plan: 50 (default), 100 or 200."),
    ] = None
    page_size: Annotated[
        int | None, Option(metavar="N", help="Conversations a page of Front, 1 to 100.")
    ] = None
    max_pages: Annotated[
        int | None, Option(metavar="N", help="At most so many pages of Front.")
    ] = None
    strategy: Annotated[
        str,
        Option(
            metavar="NAME",
            help="adaptive, fixed, larger, semaphore or parallel-batches.",
        ),
    ] = "adaptive"
    batch_size: Annotated[
        int | None, Option(metavar="N", help="Conversations a batch (fixed 10, larger 20).")
    ] = None
    batch_delay_ms: Annotated[
        float | None,
        Option(
            metavar="MS",
            help="Pause between two batches in milliseconds (BATCH_DELAY_MS, else 1000).",
        ),
    ] = None
    truth: Annotated[
        str | None,
        Option(metavar="FILE", help="Print precision and recall against this truth file."),
    ] = None


def paced(flags: ScanFlags) -> ScanFlags:
    """The flags with the pause that ``BATCH_DELAY_MS`` names, where one is made and none is given.

    Raises:
        ConfigError: It is no number.
    """
    named = os.environ.get("BATCH_DELAY_MS")
    if flags.batch_delay_ms is not None or named is None or flags.strategy not in IN_TURN:
        return flags
    try:
        return replace(flags, batch_delay_ms=float(named))
    except ValueError as error:
        raise ConfigError(
            f"BATCH_DELAY_MS is {named!r}", hint="give milliseconds, such as 1000 or 0"
        ) from error


def job_fields(options: RunOptions, flags: ScanFlags) -> dict[str, Any]:
    """The fields of the scan's job.

    Raises:
        InvalidFields: Some are wrong.
    """
    from fanwise.cli.profiles import parameters_and_profile
    from fanwise.pipelines.scan import ScanJob

    given = asdict(flags)
    del given["truth"]
    for name in ("front_rpm", "page_size"):
        if given[name] is None:
            del given[name]
    found: dict[str, Any] = {
        **given,
        "source": options.source,
        "model": options.models[0],
        "limit": options.limit,
        "parameters": parameters_and_profile(options)[0],
    }
    if flags.strategy != "adaptive":
        found |= {"rpm": options.rpm, "tpm": options.tpm}
    ScanJob(**found)
    return found


def checked(options: RunOptions, flags: ScanFlags) -> RunOptions:
    """The options of a scan, with its default model.

    Raises:
        ConfigError: No mailbox, several models, or a flag that means nothing here.
    """
    if options.source is None and flags.front is None:
        raise ConfigError(
            "no mailbox was named",
            hint="name an mbox, a maildir or an .eml file, or try --sample",
        )
    if options.source == STDIN:
        raise ConfigError(
            "a mailbox cannot be read from standard input",
            hint="save it to a file: it is read more than once",
        )
    if options.source is not None and not is_remote(options.source):
        existing(options.source)
    if flags.strategy != "adaptive" and options.max_concurrency != "adaptive":
        raise ConfigError(
            f"-j {options.max_concurrency} and --strategy {flags.strategy} both say how many go "
            "at once",
            hint="leave out -j and give --batch-size, or leave out --strategy",
        )
    if len(options.models) > 1:
        raise ConfigError(
            f"a scan asks one model, and {len(options.models)} were named",
            hint=f"name one: -m {options.models[0]}",
        )
    if options.schema is not None:
        raise ConfigError("a scan has its own schema", hint="leave out --schema")
    if options.ordered and options.output is None:
        raise ConfigError(
            "shipments are shown as they land", hint="for the order of the mailbox, write to -o"
        )
    return replace(options, models=options.models or (RULES,))
