"""What a step is: a function, what it waits for, and how it is run."""

from __future__ import annotations

import difflib
import functools
import inspect
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from fanwise.engine.checks import check_policies
from fanwise.engine.runner import check_seconds
from fanwise.errors import ConfigError
from fanwise.retry.policy import Retry

CONTEXT = "ctx"  # the parameter that is given the step's context
StepFunction: TypeAlias = Callable[..., Awaitable[Any]]
Needs: TypeAlias = "Mapping[str, str] | Sequence[str] | str"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One thing that a step waits for.

    Args:
        source: The step or input.
        parameter: The parameter that is given its value; ``None`` where only the order counts.
        has_default: Whether the step can do without: its parameter has a default.
        required: Whether there must be a step or an input of that name.
    """

    source: str
    parameter: str | None
    has_default: bool = False
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step as it was added.

    Args:
        name: Its name, under which others find its result.
        function: What it does.
        links: What it waits for, in the order of the parameters.
        takes_context: Whether it has a parameter ``ctx``.
        timeout_s: Deadline of one attempt in seconds; ``None`` where the run's own holds.
        retry: How its failures are met; ``None`` where the run's own holds.
        optional: Whether the graph does without it where it fails.
        priority: Higher is started first where not everything ready may start.
    """

    name: str
    function: StepFunction
    links: tuple[Link, ...]
    takes_context: bool = False
    timeout_s: float | None = None
    retry: Retry | None = None
    optional: bool = False
    priority: float = 0


def make_step(
    function: StepFunction,
    *,
    name: str | None,
    needs: Needs,
    timeout_s: float | None,
    retry: Retry | None,
    optional: bool,
    priority: float,
) -> Step:
    """A step from a function and its options.

    Raises:
        ConfigError: The function cannot be given results by name, or an option is impossible.
    """
    named = _name_of(function) if name is None else name
    _check_name(named)
    check_policies(retry=retry)
    _check_priority(named, priority)
    if timeout_s is not None:
        check_seconds(f"timeout_s of step {named!r}", timeout_s)
    parameters = _parameters(function, named)
    return Step(
        name=named,
        function=function,
        links=_links(parameters, needs, named),
        takes_context=CONTEXT in parameters,
        timeout_s=timeout_s,
        retry=retry,
        optional=optional,
        priority=priority,
    )


def _check_name(named: object) -> None:
    if not named or named == CONTEXT or not isinstance(named, str):
        raise ConfigError(
            f"a step cannot be named {named!r}",
            hint=f"give it a text for a name; {CONTEXT!r} is reserved for a step's context",
        )


def _check_priority(named: str, priority: object) -> None:
    if not isinstance(priority, int | float) or math.isnan(priority):
        raise ConfigError(
            f"priority of step {named!r} is {priority!r}", hint="give a number; higher goes first"
        )


def did_you_mean(wrong: str, names: Iterable[str]) -> str:
    """The likeliest intended name as a question, or nothing."""
    close = difflib.get_close_matches(wrong, list(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _name_of(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    name = getattr(function, "__name__", "")
    if not isinstance(name, str) or not name.isidentifier():
        raise ConfigError(
            f"{function!r} has no name that others could depend on",
            hint="give the step one: name='…'",
        )
    return name


def _parameters(function: StepFunction, step: str) -> Mapping[str, inspect.Parameter]:
    if not callable(function):
        raise ConfigError(
            f"step {step!r} is no function but {type(function).__name__}",
            hint="give the function itself, not what calling it returns",
        )
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise ConfigError(
            f"step {step!r} is a generator", hint="a step returns one value: async def with return"
        )
    try:
        found = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"the parameters of step {step!r} cannot be read",
            hint="wrap it in an async def whose parameters name what it needs",
        ) from error
    for name, parameter in found.items():
        if parameter.kind is parameter.POSITIONAL_ONLY and parameter.default is parameter.empty:
            raise ConfigError(
                f"parameter {name!r} of step {step!r} is positional-only",
                hint="results are given by name: write it without the slash",
            )
    return {n: p for n, p in found.items() if p.kind is not p.POSITIONAL_ONLY}


def _links(
    parameters: Mapping[str, inspect.Parameter], needs: Needs, step: str
) -> tuple[Link, ...]:
    renamed: Mapping[str, str] = needs if isinstance(needs, Mapping) else {}
    after: Sequence[str] = ()
    if not isinstance(needs, Mapping):
        after = (needs,) if isinstance(needs, str) else tuple(needs)
    links: list[Link] = []
    takes_any = False
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_any = True
        elif name != CONTEXT and parameter.kind is not parameter.VAR_POSITIONAL:
            has_default = parameter.default is not parameter.empty
            links.append(
                Link(
                    source=renamed.get(name, name),
                    parameter=name,
                    has_default=has_default,
                    required=not has_default or name in renamed,
                )
            )
    known = {link.parameter for link in links}
    for name, source in renamed.items():
        if name in known:
            continue
        if not takes_any or name == CONTEXT:
            raise ConfigError(
                f"needs of step {step!r} names the parameter {name!r}, which it does not have"
                f"{did_you_mean(name, [str(found) for found in known])}",
                hint="needs is {parameter: step or input}; a list of names only sets the order",
            )
        links.append(Link(source=source, parameter=name))
    sources = {link.source for link in links if not link.has_default}
    links.extend(Link(source=name, parameter=None) for name in after if name not in sources)
    return tuple(links)
