"""Rules for finding a limit, rehearsed in virtual time against providers made of events.

    python -m benchmarks.adaptive [--group tuning] [--seeds 3] [--rules ours] [--jobs 1]
                                  [--only TEXT] [--json FILE] [--list]

Groups: tuning, set-aside, drawn, all. Prints the figures of ``measures.py`` for each rule and
scenario, and over all scenarios the mean (and the worst) of each.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

from benchmarks.adaptive import set_aside, tuning
from benchmarks.adaptive.drawn import drawn
from benchmarks.adaptive.measures import Measures, measure
from benchmarks.adaptive.rules import RULES

from fanwise.engine.rehearsal import rehearse
from fanwise.simulator.virtual.scenario import Scenario

_NAMES = tuple(field.name for field in fields(Measures))
_HEADS = ("goodput", "429/ok", "excess", "start", "recov", "Jain", "heavy", "sends", "q99", "fail")
_HIGH_IS_GOOD = {"goodput", "fairness", "ratio"}


class Job(NamedTuple):
    """One rehearsal to make."""

    rule: str
    group: str
    number: int
    seed: int


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--group", default="all", choices=("tuning", "set-aside", "drawn", "all"))
    parser.add_argument("--seeds", type=int, default=3, help="each scenario with seeds 1 to this")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--rules", default="ours", help=f"all, or some of {', '.join(RULES)}")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--only", default="", help="scenarios whose name has this in it")
    parser.add_argument("--json", type=Path, help="where to write every figure")
    parser.add_argument("--list", action="store_true", help="only names the scenarios")
    options = parser.parse_args()
    groups = _groups() if options.group == "all" else (options.group,)
    if options.list:
        for group in groups:
            print(*(one.name for one in scenarios(group, options.first_seed)), sep="\n")
        return
    rules = list(RULES) if options.rules == "all" else options.rules.split(",")
    jobs = [
        Job(rule, group, number, seed)
        for rule in rules
        for group in groups
        for number in range(len(scenarios(group, 0)))
        for seed in range(options.first_seed, options.first_seed + options.seeds)
        if options.only in scenarios(group, seed)[number].name
    ]
    if options.jobs > 1:
        with ProcessPoolExecutor(options.jobs) as pool:
            found = list(told(jobs, pool.map(work, jobs, chunksize=4)))
    else:
        found = list(told(jobs, map(work, jobs)))
    show(rules, jobs, found)
    if options.json:
        rows = [
            {**job._asdict(), "scenario": scenarios(job.group, job.seed)[job.number].name}
            | one.as_dict()
            for job, one in zip(jobs, found, strict=True)
        ]
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def told(jobs: Sequence[Job], found: Iterable[Measures]) -> Iterator[Measures]:
    """Passes figures on; on a terminal it shows how many there are."""
    for number, one in enumerate(found, 1):
        if sys.stderr.isatty():
            print(f"\r{number} of {len(jobs)}", end="", file=sys.stderr, flush=True)
        yield one


def _groups() -> Sequence[str]:
    return ("tuning", "set-aside", "drawn")


def scenarios(group: str, seed: int) -> Sequence[Scenario]:
    """A group's scenarios; those that are drawn differ from seed to seed."""
    if group == "drawn":
        return drawn(seed)
    return tuning.SCENARIOS if group == "tuning" else set_aside.SCENARIOS


def work(job: Job) -> Measures:
    scenario = scenarios(job.group, job.seed)[job.number]
    began = time.process_time()
    trace = rehearse(scenario, RULES[job.rule], seed=job.seed)
    return measure(trace, cpu_s=time.process_time() - began)


def show(rules: Sequence[str], jobs: Sequence[Job], found: Sequence[Measures]) -> None:
    for rule in rules:
        print(f"\n{rule:52}" + "".join(f"{head:>9}" for head in _HEADS) + "  × real time")
        mine = [(j, m) for j, m in zip(jobs, found, strict=True) if j.rule == rule]
        for place in sorted({(job.group, job.number) for job, _ in mine}):
            some = [m for job, m in mine if (job.group, job.number) == place]
            name = scenarios(place[0], jobs[0].seed)[place[1]].name
            print(f"{name:52}" + row(some))
        for group in sorted({job.group for job, _ in mine}):
            some = [m for job, m in mine if job.group == group]
            print(f"{'mean of ' + group:52}" + row(some))
            print(f"{'worst of ' + group:52}" + row(some, worst=True))


def row(some: Sequence[Measures], *, worst: bool = False) -> str:
    """One line: means over seeds or scenarios, or the worst of each figure."""
    cells: list[str] = []
    for name in _NAMES:
        values = [value for one in some if (value := getattr(one, name)) is not None]
        if not values:
            cells.append(f"{'–':>9}")
        elif worst:
            cells.append(_cell(name, min(values) if name in _HIGH_IS_GOOD else max(values)))
        else:
            cells.append(_cell(name, sum(values) / len(values)))
    return "".join(cells)


def _cell(name: str, value: float) -> str:
    if name == "ratio":
        return f"{value:13,.0f}"
    places = 1 if name in {"excess", "start_s", "recovery_s", "queue_p99_s", "failed"} else 3
    return f"{value:9.{places}f}"


if __name__ == "__main__":
    main()
