"""The steps as a graph: what does not wait for each other runs at once, in virtual time."""

import asyncio
from typing import Any

import pytest

import fanwise as fw
from fanwise.pipelines.tailoring import ResumeInput, TailorResult, tailor
from fanwise.pipelines.tailoring.rules import analysis_rules, tailor_rules
from fanwise.testing import ScriptedModel, open_test_run
from fanwise.testing.virtual import run_virtual
from support.tailoring import POSTING, RESUME


def by_rules(request: fw.Request, _: int) -> Any:
    assert request.schema is not None
    analyses = request.schema.name == "tailoring_analysis"
    return analysis_rules(request) if analyses else tailor_rules(request)


def seconds(request: fw.Request) -> float:
    assert request.schema is not None
    return 15.0 if request.schema.name == "tailoring_analysis" else 30.0


def timed(*resumes: ResumeInput) -> tuple[TailorResult, float]:
    async def main() -> tuple[TailorResult, float]:
        model = ScriptedModel(by_rules, service_s=seconds)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        result = await tailor(
            resumes,
            POSTING,
            home=":memory:",
            models=("test/model",),
            open_run=lambda name, **_: open_test_run(model, name=name),
        )
        return result, loop.time() - begun

    return run_virtual(main())


def resume(number: int) -> ResumeInput:
    text = RESUME.replace("12 services", f"{number + 20} services")
    return ResumeInput(name=f"r{number}.txt", content=text.encode())


def test_five_resumes_take_as_long_as_one_and_share_the_analysis() -> None:
    _, one_s = timed(resume(0))
    result, five_s = timed(*(resume(number) for number in range(5)))
    assert result.status == "success"
    assert one_s == pytest.approx(45.0)
    assert five_s == pytest.approx(45.0)


def test_the_report_names_the_chain_that_took_longest() -> None:
    result, _ = timed(resume(0))
    performance = result.resumes[0].performance
    assert performance is not None
    assert performance["total_s"] == pytest.approx(45.0)
    assert performance["critical_path_s"] == pytest.approx(45.0)
    path = [step["step"] for step in performance["critical_path"]]
    assert {"job_analysis", "tailor"} <= set(path)
    assert set(performance["steps"]) >= {"validate", "ats_score", "job_analysis", "rescore"}
