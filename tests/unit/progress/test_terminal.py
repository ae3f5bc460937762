from __future__ import annotations

import io
import itertools
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.cells import cell_len
from rich.console import Console

from fanwise.progress.display import LineDisplay, NoDisplay, PanelDisplay, open_display
from fanwise.progress.lines import progress_line
from fanwise.progress.live import Progress
from fanwise.progress.picture import report_picture
from fanwise.progress.report import build_report
from fanwise.progress.terminal import live_panel, print_report
from fanwise.progress.words import LimitFacts, compact, plain, time_left
from fanwise.records import (
    Attempt,
    CallKey,
    CallRecord,
    Counters,
    ErrorInfo,
    ItemRecord,
    RunRecord,
    RunSpec,
    SessionRecord,
    Usage,
)

ESCAPE = "\x1b"
HOSTILE = f"{ESCAPE}[31mred[bold]\u202etxt\r\nsecond line\x07"


class HandClock:
    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def wall(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def served(model="sim/default", *, cost="0.001"):
    return CallRecord(
        key=CallKey("i", "0" * 32),
        state="served",
        model=model,
        usage=Usage(input_tokens=300, output_tokens=100),
        cost_usd=None if cost is None else Decimal(cost),
    )


def snapshot_of(*, total=200, cost="0.001", models=("sim/default",)):
    clock = HandClock()
    progress = Progress(
        clock, total=total, facts=LimitFacts(concurrency=20, concurrency_option="-j")
    )
    for n in range(100):
        clock.now += 0.025
        progress.item_started()
        progress.call_started(models[n % len(models)])
        progress.call_finished(served(models[n % len(models)], cost=cost))
        state = "failed" if n % 50 == 0 else "succeeded"
        progress.item_finished(ItemRecord(item_id="i", position=n, state=state))
    progress.observe({"concurrency": 7}, source_waiting=False, in_flight=20, limit=20, lag_s=0.0)
    return progress.snapshot()


def report_of(*, item_id="mail-1", message="no answer within 60 s", status="finished"):
    calls = [
        CallRecord(
            key=CallKey(f"i{n}", "0" * 32),
            state="served",
            model="anthropic/claude-with-quite-a-long-name-of-its-own",
            attempts=(
                Attempt(
                    number=1, verdict="served", queued_s=0.1, started_at=1000.0, ended_at=1004.0
                ),
            ),
            usage=Usage(input_tokens=123_456, output_tokens=7890),
            cost_usd=Decimal("0.0123"),
            started_at=1000.0,
            resends=n,
        )
        for n in range(2)
    ]
    error = ErrorInfo(kind="timeout", message=message, hint="raise --timeout")
    return build_report(
        RunRecord(
            run_id="r",
            spec=RunSpec(name="scan"),
            status=status,
            created_at=1000.0,
            updated_at=1005.0,
        ),
        Counters(succeeded=9, failed=1, calls=2, attempts=2, cost_usd=Decimal("0.0246")),
        sessions=[
            SessionRecord(
                number=1,
                started_at=1000.0,
                ended_at=1005.0,
                closed=False,
                limited_by={"rate": 3.0, "nothing": 2.0},
                in_flight_s=8.0,
                limit_s=20.0,
            )
        ],
        calls=calls,
        items=[ItemRecord(item_id=item_id, position=0, state="failed", error=error)],
    )


def drawn(renderable, *, width, **more):
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, markup=False, **more).print(renderable)
    return stream.getvalue()


def printed(report, *, width):
    stream = io.StringIO()
    print_report(report, stream=stream, width=width)
    return stream.getvalue()


def test_a_plain_line_says_how_the_run_stands():
    assert progress_line(snapshot_of()) == (
        "100/200 done, 2 failed, 20 of 20 in flight, 7 waiting, 40/s, 16,000 tokens/s, "
        "cost $0.100, 2.1 s – 3.1 s left. Limited by: the limit of 20 calls at once (-j)"
    )


def test_a_plain_line_without_total_or_price():
    line = progress_line(snapshot_of(total=None, cost=None))
    assert line.startswith("100 done, 2 failed")
    assert "cost ?" in line
    assert "left" not in line


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("models", [("sim/a",), tuple(f"provider/model-{n}" for n in range(9))])
def test_the_panel_fits_its_terminal(width, models):
    text = drawn(live_panel(snapshot_of(models=models), name="scan " + HOSTILE), width=width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    for shown in ("100/200", "50 %", "20 of 20", "16,000", "$0.100", "20 calls at once (-j)"):
        assert shown in text
    assert ("and 4 more" in text) == (len(models) > 1)


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_report_fits_its_terminal_and_cuts_nothing(width):
    text = printed(report_of(), width=width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    for shown in (
        "Finished in 5.0 s: 9 of 10 items succeeded, 1 failed",
        "One call after another: 8.0 s, 1.6 × as long",
        "1, 1 cut short",
        "247k/15.8k",
        "1 × timeout",
        "raise --timeout",
        "sent again 1 ×",
    ):
        assert shown in text
    assert re.search(r"service time +8\.0 s", text)
    assert re.search(r"efficiency +38 %", text)
    assert re.search(r"utilisation +40 %", text)
    assert re.search(r"critical path +4\.0 s", text)
    assert re.search(r"rate +█{18}·{12} +60 %", text)
    assert "anthropic/claude-with-quite-a-long-name-of-its-own" in re.sub(r"\s", "", text)


@pytest.mark.parametrize(
    ("status", "words"),
    [("interrupted", "Interrupted after 5.0 s"), ("running", "Running for 5.0 s")],
)
def test_the_headline_says_how_the_run_ended(status, words):
    assert printed(report_of(status=status), width=80).startswith(words)


def test_a_run_that_sent_nothing_says_so():
    run = RunRecord(
        run_id="r", spec=RunSpec(name="n"), status="finished", created_at=0.0, updated_at=0.0
    )
    report = build_report(run, Counters(succeeded=2), sessions=[], calls=[], items=[])
    assert "Nothing was sent" in printed(report, width=80)


def test_a_busy_machine_is_named():
    report = report_of()
    assert "This machine was busy" not in printed(report, width=80)
    busy = replace(report, limited_by={"cpu": 0.5, "nothing": 0.5})
    assert "This machine was busy" in printed(busy, width=80)


def test_no_colour_off_a_terminal():
    assert ESCAPE not in printed(report_of(), width=80)


def test_no_colour_where_it_is_not_wanted(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    print_report(report_of(), stream=stream, width=80)
    # Weight may stay, colour may not.
    assert not re.search(r"\x1b\[[0-9;]*(3[0-8]|9[0-7])[;m]", stream.getvalue())
    monkeypatch.delenv("NO_COLOR")
    coloured = Terminal()
    print_report(report_of(), stream=coloured, width=80)
    assert re.search(r"\x1b\[[0-9;]*3[0-8][;m]", coloured.getvalue())


def test_hostile_texts_cannot_steer_the_terminal():
    text = printed(report_of(item_id=HOSTILE, message=HOSTILE), width=80)
    assert not {ESCAPE, "\x07", "\r", "\u202e"} & set(text)
    assert "�[31mred[bold]�txt second line�" in text


def test_plain_text_is_one_line_of_bounded_length():
    assert plain("a\n\tb  c") == "a b c"
    assert plain("x" * 600) == "x" * 499 + "…"
    assert plain("naïve 包裹 👩🏽\u200d🚀 می\u200cخواهم") == "naïve 包裹 👩🏽\u200d🚀 می\u200cخواهم"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00k"),
        (14_900, "14.9k"),
        (220_563, "221k"),
        (3.2e6, "3.20M"),
    ],
)
def test_compact_counts(value, text):
    assert compact(value) == text


@pytest.mark.parametrize(
    ("low_s", "high_s", "text"),
    [
        (None, None, "?"),
        (3.0, None, "at least 3.0 s"),
        (3.0, 4.0, "3.0 s – 4.0 s"),
        (3.01, 3.02, "3.0 s"),
    ],
)
def test_the_time_left_in_words(low_s, high_s, text):
    assert time_left(low_s, high_s) == text


def test_lines_come_every_few_seconds_and_at_the_end():
    clock, stream = HandClock(), io.StringIO()
    with LineDisplay(stream, clock=clock, every_s=5.0) as display:
        for _ in range(21):
            display.show(snapshot_of())
            clock.now += 1.0
        display.show(snapshot_of(), last=True)
    assert len(stream.getvalue().splitlines()) == 4 + 1
    assert ESCAPE not in stream.getvalue()


def test_the_panel_is_drawn_at_most_four_times_a_second(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    clock, stream = HandClock(), Terminal()
    drawings = []
    with PanelDisplay(stream, clock=clock, name="scan") as display:
        monkeypatch.setattr(display._live, "update", lambda *_, **__: drawings.append(clock.now))
        for _ in range(100):
            display.show(snapshot_of())
            clock.now += 0.02
        display.show(snapshot_of(), last=True)
    assert 8 <= len(drawings) <= 9
    gaps = [later - earlier for earlier, later in itertools.pairwise(drawings[:-1])]
    assert min(gaps) >= 0.25 - 1e-9


def test_the_panel_leaves_its_last_state_and_the_cursor(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    with open_display(stream, clock=HandClock(), name="scan") as display:
        display.show(snapshot_of(), last=True)
    text = stream.getvalue()
    assert "100/200" in text
    assert text.count(f"{ESCAPE}[?25h") >= text.count(f"{ESCAPE}[?25l") > 0


def test_lines_may_be_written_above_the_panel(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    with PanelDisplay(stream, clock=HandClock(), name="scan") as display:
        display.show(snapshot_of())
        display.above("a result [bold]\n")
    text = stream.getvalue()
    assert text.index("a result [bold]") < text.rindex("Limited by")


@pytest.mark.parametrize(
    ("stream", "environ", "more", "kind"),
    [
        (Terminal(), {"TERM": "xterm"}, {}, PanelDisplay),
        (Terminal(), {"TERM": "dumb"}, {}, LineDisplay),
        (Terminal(), {}, {}, LineDisplay),
        (Terminal(), {"TERM": "xterm"}, {"animate": False}, LineDisplay),
        (Terminal(), {"TERM": "xterm"}, {"quiet": True}, NoDisplay),
        (io.StringIO(), {"TERM": "xterm"}, {}, LineDisplay),
    ],
)
def test_the_display_suits_its_stream(stream, environ, more, kind):
    display = open_display(stream, clock=HandClock(), name="scan", environ=environ, **more)
    assert isinstance(display, kind)


def test_quiet_shows_nothing():
    stream = io.StringIO()
    with open_display(stream, clock=HandClock(), name="scan", quiet=True) as display:
        display.show(snapshot_of(), last=True)
    assert stream.getvalue() == ""


def test_the_picture_asks_for_nothing_and_is_always_the_same():
    report = report_of(message="<script>alert(1)</script>")
    picture = report_picture(report, command="fanwise scan mail.mbox", snapshot=snapshot_of())
    assert picture == report_picture(
        report, command="fanwise scan mail.mbox", snapshot=snapshot_of()
    )
    assert set(re.findall(r"https?:[^\"]*", picture)) == {"http://www.w3.org/2000/svg"}
    assert all(place.startswith("#") for place in re.findall(r"url\((.*?)\)", picture))
    assert "href" not in picture
    assert "<script" not in picture
    assert "fanwise&#160;scan" in picture


def test_the_report_says_what_was_learned_of_limits():
    learned = {"openai https://x": {"rpm": 5880.0, "concurrency": 60}, "other": {"stated": {}}}
    stream = io.StringIO()
    print_report(replace(report_of(), learned=learned), stream=stream, width=90)
    assert "Learned of openai https://x: 98/s" in stream.getvalue()
    assert "Learned of other" not in stream.getvalue()
