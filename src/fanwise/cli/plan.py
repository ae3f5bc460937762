"""``fanwise plan``: what a run would ask for, cost and take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fanwise.cli.display import plural, put_facts, put_json
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import WorkFlags
from fanwise.cli.options import RunOptions, environment, read_options
from fanwise.cli.profiles import parameters_and_profile
from fanwise.cli.run import PromptFlags, job_of, read_ask
from fanwise.progress.words import duration, money, number

if TYPE_CHECKING:
    from fanwise.engine.planning import Gain, Outlook, Plan, Spread

_FLAGS = {
    "concurrency": "-j",
    "rpm": "--rpm",
    "tpm": "--tpm",
    "input_tpm": "input tokens a minute",
    "output_tpm": "output tokens a minute",
}
_OF_PROVIDER = {
    "provider's requests": "the provider's requests a minute",
    "provider's tokens": "the provider's tokens a minute",
    "provider's input_tokens": "the provider's input tokens a minute",
    "provider's output_tokens": "the provider's output tokens a minute",
    "provider's slots": "how many calls the provider works on at once",
    "this machine": "this machine's processor",
}


def plan(*, prompts: PromptFlags, work: WorkFlags) -> int:
    """Estimate time, tokens and cost of a run; sends nothing.

    Takes the arguments of fanwise run. The input is read through, so that what is wrong with it is
    found too. What earlier runs measured of a model is used, of a simulated one its profile; else
    typical answers are assumed, and the ranges are wide. For a scan: fanwise scan --plan.
    """
    from fanwise.cli.loop import run_loop
    from fanwise.pipelines.prompts.execute import plan as planned

    options = read_options(work)
    job = job_of(options, read_ask(prompts, options))
    put_plan(run_loop(planned(job, **opening(options))), as_json=options.json)
    return ExitCode.OK


def opening(options: RunOptions) -> dict[str, Any]:
    """What of a command's options says how its run would go."""
    from fanwise.cli.work import budget_of
    from fanwise.journal.home import open_home
    from fanwise.limits.settings import Limits
    from fanwise.retry.policy import Retry

    return {
        "journal": open_home(options.journal),
        "limits": Limits(concurrency=options.max_concurrency, rpm=options.rpm, tpm=options.tpm),
        "budget": budget_of(options),
        "retry": Retry(max_attempts=options.max_attempts),
        "base_url": options.base_url,
        "simulator": parameters_and_profile(options)[1],
        "env": environment(),
    }


def put_plan(found: Plan, *, as_json: bool) -> None:
    """A plan on standard output, for people or as one JSON object."""
    if as_json:
        put_json(asdict(found))
        return
    at_least = "at least " if found.at_least else ""
    put_facts(
        [
            ("items", number(found.items)),
            ("calls", at_least + number(found.calls)),
            *((f"  {model}", number(calls)) for model, calls in found.models.items()),
            ("tokens in", _spread(found.input_tokens)),
            ("tokens out", _spread(found.output_tokens)),
            ("cost", _cost(found)),
            *(("budget", _budget(kind, share)) for kind, share in found.of_budget.items()),
            *_time(found.outlook, at_least),
            *(("known from", words) for words in found.known.values()),
            ("failing", f"{plural(found.failures, 'item')}: {found.first_failure}")
            if found.failures
            else ("failing", ""),
        ]
    )


def _cost(found: Plan) -> str:
    if found.cost_usd is not None:
        low, likely, high = (money(value) for value in found.cost_usd)
        return f"{likely}, between {low} and {high} (prices of {found.price_date} or newer)"
    return f"? (no price is known for {', '.join(found.unpriced)})" if found.unpriced else "?"


def _budget(kind: str, share: float) -> str:
    flag = f"--budget-{kind}"
    if share <= 1.0:
        return f"{share:.0%} of {flag}"
    return f"{share:.0%} of {flag}: it would last for about {1 / share:.0%} of the work"


def _time(outlook: Outlook | None, at_least: str) -> Iterator[tuple[str, str]]:
    if outlook is None:
        return
    low, high = duration(outlook.low_s), duration(outlook.high_s)
    yield "time", f"{at_least}{duration(outlook.likely_s)}, between {low} and {high}"
    if outlook.failures >= 0.001:
        yield "", f"about {outlook.failures:.1%} of the items will fail"
    if outlook.refusals >= 0.001:
        yield "", f"about {outlook.refusals:.1%} of what is sent will be refused and sent again"
    yield "limited by", _limit(outlook.binds)
    for gain in outlook.gains:
        yield "if raised", _raised(gain)


def _limit(name: str | None) -> str:
    if name is None:
        return "nothing that could be raised: answers take their time"
    return _FLAGS.get(name) or _OF_PROVIDER[name]


def _raised(gain: Gain) -> str:
    time = duration(gain.time_s)
    if gain.value is None or gain.raised is None:
        return f"{_limit(gain.limit)} twice as quick: {time}"
    return f"{_limit(gain.limit)} {number(gain.raised)} instead of {number(gain.value)}: {time}"


def _spread(spread: Spread) -> str:
    likely, low, high = number(spread.likely), number(spread.low), number(spread.high)
    return f"{likely}, between {low} and {high}"
