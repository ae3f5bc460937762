"""Alerts of a run: durable, live, and in its report, with their end."""

from __future__ import annotations

from fanwise.clock import LoopClock
from fanwise.errors import Rejected
from fanwise.journal.memory_home import MemoryHome
from fanwise.limits.settings import Limits
from fanwise.progress.lines import progress_line
from fanwise.progress.report import summary_json
from fanwise.records import Response
from fanwise.testing.virtual import run_virtual
from support.scripted import Scripted, answered, ask, failing, open_scripted


def script(prompt: str, _: int) -> Response:
    number = int(prompt[1:])
    return failing(Rejected("no")) if number < 100 else answered(prompt)


def test_failures_raise_an_alert_that_is_cleared_when_they_are_over() -> None:
    async def main() -> None:
        home = MemoryHome(clock=LoopClock())
        lines: list[str] = []
        model = Scripted(script, service_s=1.0)
        limits = Limits(concurrency=10)
        async with open_scripted(model, home=home, run_id="r", limits=limits) as run:
            async with run.map(ask, range(3000)) as outcomes:
                async for _ in outcomes:
                    lines.append(progress_line(run.snapshot()))
            report = await run.report()
        kinds = [event.kind for event in home.reader("r").controls()]
        assert kinds.count("alert.raised") == kinds.count("alert.cleared") == 1
        assert kinds.index("alert.raised") < kinds.index("alert.cleared")
        shown = ["Alert: failures" in line for line in lines]
        assert any(shown)
        assert not shown[0]
        assert not shown[-1]
        found = summary_json(report)["alerts"]
        assert [alert["kind"] for alert in found] == ["raised", "cleared"]
        assert found[0]["figure"] == "failures"
        assert found[0]["share"] == 1.0

    run_virtual(main())
