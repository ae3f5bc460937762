"""Figures for Prometheus, and the dashboard and alerts that are made of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from support.service import served

DEPLOY = Path(__file__).parents[3] / "deploy"
NAME = re.compile(r"\bfanwise_[a-z_]+\b")


async def samples(service):
    """Values by name and labels, as a collector reads them."""
    async with service.http.get(f"{service.url}/metrics") as answer:
        assert answer.status == 200
        text = await answer.text()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_what_runs_did_is_counted(tmp_path):
    async with served(tmp_path) as service:
        await service.until(await service.start(40), "finished")
        await service.until(await service.start(2), "finished")
        found = await samples(service)
        assert found["fanwise_runs", "finished"] == 2
        assert found["fanwise_runs_ended_total", "finished"] == 2
        assert found["fanwise_items_total", "succeeded"] == 42
        assert found["fanwise_calls_total",] == 42
        assert found["fanwise_tokens_total", "output"] > 0
        assert found["fanwise_calls_in_flight",] == 0
        assert found["fanwise_store_commit_seconds_count",] > 4
        assert found["fanwise_store_commit_seconds_sum",] > 0


async def test_what_is_under_way_is_seen(tmp_path):
    async with served(tmp_path) as service:
        run_id = await service.start(5000, model="sim/default", options={"max_concurrency": 7})
        await service.until_done(run_id, 3)
        found = await samples(service)
        assert found["fanwise_runs", "running"] == 1
        assert found["fanwise_concurrency_limit",] == 7
        assert 0 < found["fanwise_calls_in_flight",] <= 7
        assert found["fanwise_run_stall_seconds",] < 30
        assert found["fanwise_watchers",] == 1  # the service itself follows it
        await service.post(f"/api/v1/runs/{run_id}/cancel")
        await service.until(run_id, "cancelled")


async def test_a_run_that_is_gone_on_with_is_not_counted_twice(tmp_path):
    async with served(tmp_path) as service:
        run_id = await service.start(9, options={"budget_calls": 5})
        await service.until(run_id, "stopped")
    async with served(tmp_path) as service:
        await service.post(f"/api/v1/runs/{run_id}/resume")
        await service.until(run_id, "stopped")
        found = await samples(service)
        assert found.get(("fanwise_items_total", "succeeded"), 0) == 0


async def test_no_label_tells_runs_tokens_or_models_apart(tmp_path):
    async with served(tmp_path) as service:
        run_id = await service.start(3)
        await service.until(run_id, "finished")
        async with service.http.get(f"{service.url}/metrics") as answer:
            text = await answer.text()
        for secret in (run_id, "sim/fast", "this-machine", service.token):
            assert secret not in text
        assert set(re.findall(r"(\w+)=\"", text)) == {"state", "direction"}


async def test_dashboard_and_alerts_use_figures_that_there_are(tmp_path):
    async with served(tmp_path) as service:
        await service.until(await service.start(1), "finished")
        there = {name for name, *_ in await samples(service)}
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    groups = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [rule["expr"] for rule in rules]
    assert len(asked) > 20
    for expression in asked:
        names = set(NAME.findall(expression))
        assert names
        assert names <= there, expression
        assert expression.count("(") == expression.count(")")
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 5
    assert all(rule["annotations"]["summary"] for rule in rules)
