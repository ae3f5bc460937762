"""``fanwise scan``: shipment tracking numbers out of mail."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from fanwise.cli.display import at, plural, put_json, put_table, say, to_json
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import HomeFlags, WorkFlags
from fanwise.cli.homes import home_of, reading
from fanwise.cli.options import RunOptions, environment, read_options
from fanwise.cli.scan_flags import ScanFlags, checked, job_fields, paced
from fanwise.errors import BudgetExhausted, ConfigError

if TYPE_CHECKING:
    from fanwise.cli.linefile import LineFile
    from fanwise.cli.work import Session
    from fanwise.journal.home import Home
    from fanwise.pipelines.scan import ScanSummary
    from fanwise.records import Outcome

COMMAND = "scan"


def scan(
    *,
    flags: ScanFlags,
    sample: Annotated[
        bool, Option("--sample", help="Scan the bundled sample mailbox, and score the result.")
    ] = False,
    dead_letters: Annotated[
        bool, Option("--dead-letters", help="List conversations that failed; scans nothing.")
    ] = False,
    plan: Annotated[
        bool, Option("--plan", help="Estimate time, tokens and cost of a full scan; sends nothing.")
    ] = False,
    work: WorkFlags,
) -> int:
    """Find shipment tracking numbers in mail.

    INPUT is an mbox, a maildir, an .eml file or a directory of such, or an IMAP folder as
    imaps://USER@HOST/FOLDER (password in FANWISE_IMAP_PASSWORD); --front reads Front instead. One
    line of JSON a shipment goes to standard output or to -o (on a terminal, a line for people).
    Without -m the pipeline's own rules read the mail: no key, no network. Conversations scanned
    before are left out unless a message has come since; those that fail are tried again by the next
    scan.
    """
    if dead_letters:
        return _list_dead_letters(work.home)
    options = read_options(work)
    if sample:
        options, flags = _sampled(options, flags)
    flags = paced(flags)
    options = checked(options, flags)
    job_fields(options, flags)
    return _plan(options, flags) if plan else carry_on(options, flags, resume=None)


def _plan(options: RunOptions, flags: ScanFlags) -> int:
    from fanwise.cli.loop import run_loop
    from fanwise.cli.plan import opening, put_plan
    from fanwise.pipelines.scan import plan

    given = {**opening(options), **job_fields(options, flags)}
    planned = plan(**given)
    put_plan(run_loop(planned), as_json=options.json)
    return ExitCode.OK


def _sampled(options: RunOptions, flags: ScanFlags) -> tuple[RunOptions, ScanFlags]:
    from fanwise.pipelines.scan import PIPELINE

    if options.source is not None:
        raise ConfigError("--sample brings its own mailbox", hint="leave out INPUT, or --sample")
    truth = flags.truth or str(PIPELINE.truth_path)
    return replace(options, source=str(PIPELINE.sample_path)), replace(flags, truth=truth)


def carry_on(options: RunOptions, flags: ScanFlags, *, resume: str | None) -> int:
    """Scans to the end or to an interruption.

    Args:
        options: How.
        flags: What is particular to this scan.
        resume: The run to go on with; ``None`` looks for the same work left unfinished.

    Returns:
        The exit code.
    """
    from fanwise.cli.linefile import LineFile
    from fanwise.cli.loop import run_loop
    from fanwise.cli.shipments import SHIPMENTS
    from fanwise.cli.work import Session

    stored = options.stored() | {"scan": asdict(flags)}
    file = None
    if options.output is not None:
        file = LineFile(options.output, kind=SHIPMENTS, source=options.source)
    truth = _truth(flags.truth)
    session = Session(options, command=COMMAND, stored=stored, resume=resume)
    work = _Work(session, flags, file=file, remember=truth is not None)
    try:
        run_loop(session.carry_out(work.carry_out))
    finally:
        if file is not None:
            file.close()
    found: dict[str, Any] = {}
    if work.summary is not None:
        found = {"scan": work.summary.as_json()}
        if truth is not None:
            found["score"] = work.score(truth)
        if not options.quiet:
            _say_summary(work.summary, found.get("score"))
    return session.end(output_file=options.output, more=found)


def go_on(stored: Mapping[str, Any], options: RunOptions, *, resume: str) -> int:
    """Goes on with a run of this command, from what the journal keeps of it."""
    return carry_on(options, ScanFlags(**stored["scan"]), resume=resume)


def _truth(path: str | None) -> Mapping[str, list[str]] | None:
    from fanwise.pipelines.scan import read_truth

    if path is None:
        return None
    try:
        return read_truth(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or "it is not UTF-8"
        raise ConfigError(
            f"the truth file {path} cannot be read: {reason}", hint="name a JSON Lines file"
        ) from error


class _Work:
    """One scan, and what it shows while it goes on."""

    def __init__(
        self, session: Session, flags: ScanFlags, *, file: LineFile | None, remember: bool
    ) -> None:
        self._session = session
        self._flags = flags
        self._file = file
        self._remember = remember  # what was found where, to be scored
        self._seen: dict[str, list[str]] = {}
        self._begun = False
        self.summary: ScanSummary | None = None

    async def carry_out(self, session: Session) -> None:
        """Scans; what is durable by its end is in the file."""
        from fanwise.pipelines.scan import scan as scan_mail

        options = session.options
        try:
            self.summary = await scan_mail(
                home=session.home,
                open_run=session.open_run,
                on_outcome=self._landed,
                env=environment(options),
                **job_fields(options, self._flags),
            )
        except BudgetExhausted:
            self._write_whole()
            raise
        self._write_whole()

    def _landed(self, outcome: Outcome) -> None:
        if self._file is not None and not self._begun:
            self._write_whole()
            self._begun = True
        if not outcome.ok:
            if self._remember:
                self._seen.setdefault(outcome.item.id, [])
            return
        from fanwise.cli.shipments import for_people, shipment_lines

        value = asdict(outcome.value)
        lines = list(shipment_lines(value))
        if self._remember:
            self._seen[value["conversation"]] = [line["tracking_number"] for line in lines]
        text = "".join(to_json(line) + "\n" for line in lines).encode()
        if not lines:
            return
        if self._file is not None:
            self._file.add(text)
        elif not self._session.options.json:
            if sys.stdout.isatty():
                text = "".join(for_people(line) + "\n" for line in lines).encode()
            self._session.stdout.write(text)

    def _write_whole(self) -> None:
        """The file as the journal has it. A dry run has none, and adds as it goes."""
        if self._file is None:
            return
        if self._flags.dry_run:
            if not self._begun:
                self._file.start_with(())
            return
        from fanwise.cli.shipments import kept_lines

        order = "position" if self._session.options.ordered else "event"
        with reading(self._session.home, self._session.run_id) as reader:
            self._file.start_with(kept_lines(reader.items(order=order)))

    def score(self, truth: Mapping[str, list[str]]) -> Mapping[str, Any] | None:
        """How far what was found is true; ``None`` where nothing was looked at.

        Where only a part of the mailbox was looked at, only that part counts.
        """
        from fanwise.pipelines.scan import score

        summary = self.summary
        if summary is None or not self._seen:
            return None
        all_of_it = summary.complete and not summary.already_scanned
        if not all_of_it or self._session.options.limit or self._flags.after:
            truth = {name: numbers for name, numbers in truth.items() if name in self._seen}
        found = score(truth, self._seen)
        return {**asdict(found), "precision": found.precision, "recall": found.recall}


def _say_summary(summary: ScanSummary, score: Mapping[str, Any] | None) -> None:
    counts = [
        f"{plural(summary.total, 'conversation')}: {summary.processed:,} read",
        f"{summary.already_scanned:,} scanned before",
        f"{summary.no_tracking:,} without a tracking number",
        f"{summary.failed:,} failed",
    ]
    dry = " (dry run: nothing was written)" if summary.dry_run else ""
    say("")
    say(", ".join(counts))
    say(
        f"Shipments: {summary.added:,} new, {summary.updated:,} updated, "
        f"{summary.skipped:,} known already{dry}"
    )
    if summary.mail_api:
        api = summary.mail_api
        say(
            f"Mail server: {plural(int(api['requests']), 'request')}, "
            f"{int(api.get('refused', 0)):,} refused"
        )
    for warning in summary.warnings:
        say(f"Warning: {warning}")
    for error in summary.errors[:5]:
        say(f"  {error.conversation} failed: {error.message}")
    if summary.already_scanned and not summary.processed:
        say("Nothing has come since the last scan; --force scans everything again.")
    if summary.failed:
        say("  The next scan tries them again; all of them: fanwise scan --dead-letters")
    if score is not None:
        say(
            f"Against the truth: precision {score['precision']:.1%}, recall {score['recall']:.1%} "
            f"({score['right']} of {score['expected']} numbers found, "
            f"{score['found'] - score['right']} wrong)"
        )
    say("")


def _list_dead_letters(home: HomeFlags) -> int:
    from fanwise.cli.loop import run_loop

    with home_of(home) as place:
        rows = run_loop(_dead_letters(place))
    if home.json:
        put_json({"dead_letters": rows})
        return ExitCode.OK
    if not rows:
        say("No conversation waits for another try.")
        return ExitCode.OK
    put_table(
        ("conversation", "tries", "last tried", "why"),
        [(r["conversation"], str(r["attempts"]), at(r["last_seen"]), r["reason"]) for r in rows],
        right=("tries",),
    )
    return ExitCode.OK


async def _dead_letters(place: Home) -> list[dict[str, Any]]:
    from sqlalchemy import select

    import fanwise as fw
    from fanwise.pipelines.scan.tables import dead_letters, metadata

    if "://" not in place.location and not (Path(place.location) / "store.db").exists():
        return []
    async with fw.Store(place, COMMAND, metadata) as store:
        return await store.read(
            lambda connection: [
                dict(row)
                for row in connection.execute(
                    select(dead_letters).order_by(dead_letters.c.last_seen.desc())
                ).mappings()
            ]
        )
