"""The benchmark of the limits runs, tells every rule apart, and writes what it shows."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = "ours,fixed_20,netflix_aimd,netflix_vegas,netflix_gradient2,botocore,inspect_ai"


def run(module, *arguments):
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    ).stdout


def test_every_rule_is_measured_on_the_same_scenarios(tmp_path):
    file = tmp_path / "figures.json"
    options = ("--group", "tuning", "--only", "30 s of 40 slots", "--seeds", "2", "--rules", RULES)
    shown = run("benchmarks.adaptive", *options, "--json", str(file))
    figures = json.loads(file.read_text())
    assert len(figures) == 2 * len(RULES.split(","))
    assert len({one["goodput"] for one in figures}) > 6
    assert all(0 < one["goodput"] <= 1.05 for one in figures)
    assert all(one["ratio"] > 20 for one in figures)
    assert "botocore" in shown
    assert "worst of tuning" in shown


@pytest.mark.parametrize(
    ("scenario", "goodput", "refusals"),
    [
        ("64 slots, halved", 0.85, 0.05),
        ("processor sharing", 0.85, 0.02),
        ("short: 400 calls", 0.80, 0.15),
    ],
)
def test_what_the_product_learns_stays_above_a_floor(tmp_path, scenario, goodput, refusals):
    file = tmp_path / "figures.json"
    options = ("--group", "tuning", "--only", scenario, "--seeds", "1", "--json", str(file))
    run("benchmarks.adaptive", *options)
    (figures,) = json.loads(file.read_text())
    assert figures["goodput"] >= goodput
    assert figures["refusals"] <= refusals
    assert figures["failed"] == 0


def test_the_groups_do_not_share_a_scenario():
    names = {
        group: set(run("benchmarks.adaptive", "--group", group, "--list").splitlines())
        for group in ("tuning", "set-aside", "drawn")
    }
    assert all(len(some) >= 10 for some in names.values())
    assert not names["tuning"] & names["set-aside"]


def test_the_picture_has_a_panel_for_each_rule_and_scenario(tmp_path):
    file = tmp_path / "picture.svg"
    run("benchmarks.adaptive.plot", str(file), "--rules", "netflix_vegas,fixed_20")
    drawn = ET.fromstring(file.read_text())
    panels = drawn.findall(".//{http://www.w3.org/2000/svg}rect")
    assert len(panels) == 4
