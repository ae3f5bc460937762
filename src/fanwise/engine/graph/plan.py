"""What is run in which order: names resolved, cycles found, before anything starts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from fanwise.engine.graph.steps import CONTEXT, Link, Step, did_you_mean
from fanwise.errors import PlanError


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A graph that can be run.

    Args:
        steps: The steps by name, in the order in which they were added.
        links: What each step waits for; optional parameters that nothing provides are left out.
        sources: The steps that each step waits for, each named once.
        dependants: The steps that wait for each step.
        order: All steps, each after what it waits for.
        inputs: The inputs that are used, in order of use.
        height: Steps on the longest chain that begins at each step.
    """

    steps: Mapping[str, Step]
    links: Mapping[str, tuple[Link, ...]]
    sources: Mapping[str, tuple[str, ...]]
    dependants: Mapping[str, tuple[str, ...]]
    order: tuple[str, ...]
    inputs: tuple[str, ...]
    height: Mapping[str, int]


def make_plan(steps: Mapping[str, Step], inputs: Collection[str] | None) -> Plan:
    """The plan of a graph. Takes time linear in steps and links.

    Args:
        steps: The steps by name.
        inputs: Names of what is given from outside; ``None`` where that is not known yet, and
            every name that is no step counts as an input.

    Raises:
        PlanError: An unknown name, one that is both step and input, an input that no step uses, or
            a cycle. Nothing was started.
    """
    if inputs is not None:
        _check_names(steps, inputs)
    links = {name: _holding(step, steps, inputs) for name, step in steps.items()}
    sources = {
        name: tuple(dict.fromkeys(link.source for link in found if link.source in steps))
        for name, found in links.items()
    }
    dependants: dict[str, list[str]] = {name: [] for name in steps}
    for name, found in sources.items():
        for source in found:
            dependants[source].append(name)
    order = _sorted(sources, dependants)
    used = [link.source for name in steps for link in links[name] if link.source not in steps]
    if inputs is not None:
        _check_used(inputs, used, [link.source for step in steps.values() for link in step.links])
    height: dict[str, int] = {}
    for name in reversed(order):
        height[name] = 1 + max((height[other] for other in dependants[name]), default=0)
    return Plan(
        steps=dict(steps),
        links=links,
        sources=sources,
        dependants={name: tuple(found) for name, found in dependants.items()},
        order=order,
        inputs=tuple(dict.fromkeys(used)),
        height=height,
    )


def _check_names(steps: Mapping[str, Step], inputs: Collection[str]) -> None:
    if CONTEXT in inputs:
        raise PlanError(
            f"an input is named {CONTEXT!r}", hint="that name is reserved for a step's context"
        )
    for name in inputs:
        if name in steps:
            raise PlanError(f"{name!r} is both a step and an input", hint="rename one of the two")
    wrong = [
        f"parameter {link.parameter!r} of step {step.name!r} needs {link.source!r}, which is "
        f"neither a step nor an input{did_you_mean(link.source, [*steps, *inputs])}"
        if link.parameter
        else f"step {step.name!r} comes after {link.source!r}, which is neither a step nor an "
        f"input{did_you_mean(link.source, [*steps, *inputs])}"
        for step in steps.values()
        for link in step.links
        if link.required and link.source not in steps and link.source not in inputs
    ]
    if wrong:
        raise PlanError(
            "; ".join(wrong), hint="add the step, give the input, or say needs={parameter: name}"
        )


def _check_used(inputs: Collection[str], used: Sequence[str], wanted: Sequence[str]) -> None:
    for name in inputs:
        if name not in used:
            raise PlanError(
                f"the input {name!r} is used by no step{did_you_mean(name, wanted)}",
                hint="leave it out, or name a parameter after it",
            )


def _holding(
    step: Step, steps: Mapping[str, Step], inputs: Collection[str] | None
) -> tuple[Link, ...]:
    """The links that lead somewhere: a parameter with a default may be left to it."""
    return tuple(
        link
        for link in step.links
        if link.source in steps or (link.required if inputs is None else link.source in inputs)
    )


def _sorted(
    sources: Mapping[str, Sequence[str]], dependants: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Kahn's algorithm (Communications of the ACM 5, 1962)."""
    waiting = {name: len(found) for name, found in sources.items()}
    order = [name for name, count in waiting.items() if not count]
    for name in order:
        for other in dependants[name]:
            waiting[other] -= 1
            if not waiting[other]:
                order.append(other)
    if len(order) < len(sources):
        raise PlanError(
            f"these steps wait for each other in a circle: {' → '.join(_cycle(sources, order))}",
            hint="one of them has to do without the result of the one before it",
        )
    return tuple(order)


def _cycle(sources: Mapping[str, Sequence[str]], sorted_out: Sequence[str]) -> Sequence[str]:
    """One cycle among the steps left, along the flow of results, beginning at its first step."""
    free = set(sorted_out)
    places: dict[str, int] = {}
    path: list[str] = []
    name = next(step for step in sources if step not in free)
    while name not in places:
        places[name] = len(path)
        path.append(name)
        name = next(source for source in sources[name] if source not in free)
    cycle = path[places[name] :][::-1]
    added = list(sources)
    first = cycle.index(min(cycle, key=added.index))
    return [*cycle[first:], *cycle[: first + 1]]
