"""The pipeline that the docs write, installed by its entry point, as the service runs it."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from fanwise.cli.simulate import pipeline_answers
from support.service import served

_PAGE = Path(__file__).parents[3] / "docs" / "pipelines.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Puts the page's pipeline where an installer would."""
    found = {match[1]: match[2] for match in _BLOCK.finditer(_PAGE.read_text(encoding="utf-8"))}
    project = tomllib.loads(found["toml"])["project"]
    site = tmp_path / "site"
    about = site / f"{project['name']}-{project['version']}.dist-info"
    about.mkdir(parents=True)
    (site / "labels.py").write_text(found["python"], encoding="utf-8")
    (about / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (about / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(site)
    yield
    sys.modules.pop("labels", None)


@pytest.mark.usefixtures("installed")
async def test_the_pipeline_of_the_docs_is_listed_planned_refused_and_carried_out(tmp_path):
    async with served(tmp_path) as service:
        listed = {one["name"]: one for one in (await service.get("/api/v1/pipelines"))["data"]}
        assert [field["name"] for field in listed["labels"]["fields"]] == ["tickets", "model"]

        wrong = {"pipeline": "labels", "input": {"tickets": [], "modle": 1}}
        status, body = await service.call("POST", "/api/v1/runs", json=wrong)
        assert status == 422
        assert set(body["error"]["fields"]) == {"tickets", "modle"}

        tickets = ["Has my parcel gone?", "A refund, please.", "Hello."]
        asked = {"pipeline": "labels", "input": {"tickets": tickets, "model": "sim/fast"}}
        assert (await service.post("/api/v1/plan", asked))["calls"] == 3
        run_id = (await service.post("/api/v1/runs", asked))["id"]
        run = await service.until(run_id, "finished", "failed")
        assert run["status"] == "finished"
        assert run["result"] == {"model": "sim/fast", "topics": ["delivery", "refund", "other"]}


@pytest.mark.usefixtures("installed")
def test_the_simulated_provider_knows_its_rules():
    assert "Label" in pipeline_answers()
