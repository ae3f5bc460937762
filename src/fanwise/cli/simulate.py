"""``fanwise simulate``: the simulated provider as a server of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from fanwise.cli.display import plural, put, put_json, say
from fanwise.cli.failures import ExitCode
from fanwise.cli.loop import run_loop
from fanwise.cli.signals import Interrupts, obeying
from fanwise.errors import ConfigError

if TYPE_CHECKING:
    from fanwise.pipelines import Pipeline
    from fanwise.records import Json, Request
    from fanwise.simulator.ledger import LedgerStatistics
    from fanwise.simulator.profile import SimProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFlags:
    """What of the profile is to be different."""

    latency: Annotated[float | None, Option(metavar="SECONDS", help="Mean time to an answer.")] = (
        None
    )
    rpm: Annotated[float | None, Option(metavar="N", help="Requests a minute.")] = None
    tpm: Annotated[float | None, Option(metavar="N", help="Tokens a minute.")] = None
    burst: Annotated[float | None, Option(metavar="N", help="Requests that may come at once.")] = (
        None
    )
    slots: Annotated[float | None, Option(metavar="N", help="Requests in work at once.")] = None
    seed: Annotated[int | None, Option(metavar="N", help="Same seed, same latencies.")] = None
    opt: Annotated[
        list[str] | None,
        Option(
            metavar="NAME=VALUE",
            help="Any other part of the profile: error-500=2%, stall=0.01, retry-after=absent, "
            "api-key=…; give it again for several.",
        ),
    ] = None


def simulate(
    *,
    profile: Annotated[
        str, Argument(metavar="PROFILE", help="A profile that `fanwise models` lists.")
    ] = "default",
    host: Annotated[str, Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
    shape: ProfileFlags,
    json: Annotated[
        bool, Option("--json", help="Say the address, and at the end the counts, as JSON.")
    ] = False,
) -> int:
    """Serve the simulated provider (OpenAI-compatible).

    Its answers are computed from each request; its latency, limits and faults follow the profile
    and the flags. Serves until Ctrl-C.
    """
    from fanwise.simulator.profile import named_profile, profile_from_options

    chosen = profile_from_options(_given(shape), base=named_profile(profile))
    counts = run_loop(_serve(chosen, host=host, port=port, as_json=json))
    if json:
        put_json({"statistics": counts})
    else:
        say(f"Served {counts.served} of {plural(counts.seen, 'request')}.")
    return ExitCode.OK


def _given(shape: ProfileFlags) -> dict[str, str]:
    """The profile's options by name, as texts."""
    given: dict[str, str] = {}
    for text in shape.opt or []:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"--opt {text!r} has no NAME=VALUE", hint="write --opt error-500=2%")
        given[name.strip()] = value
    for name in ("latency", "rpm", "tpm", "burst", "slots", "seed"):
        value = getattr(shape, name)
        if value is not None:
            given[name] = str(value)
    return given


async def _serve(profile: SimProfile, *, host: str, port: int, as_json: bool) -> LedgerStatistics:
    from fanwise.simulator.answers import answers_by_schema
    from fanwise.simulator.provider import SimulatedProvider

    answer = answers_by_schema(pipeline_answers())
    ended = asyncio.Event()
    with obeying(Interrupts(drain=ended.set, stop=ended.set)):
        async with SimulatedProvider(profile, answer=answer, host=host, port=port) as provider:
            _announce(provider.base_url, profile, as_json=as_json)
            await ended.wait()
    return provider.statistics()


def pipeline_answers() -> dict[str, Callable[[Request], Json]]:
    """What the installed pipelines' own rules answer, by the name of the schema asked for."""
    answers: dict[str, Callable[[Request], Json]] = {}
    for entry in entry_points(group="fanwise.pipelines"):
        pipeline: Pipeline = entry.load()
        answers |= pipeline.answers
    return answers


def _announce(base_url: str, profile: SimProfile, *, as_json: bool) -> None:
    if as_json:
        put_json({"base_url": base_url, "profile": _shown(profile)})
        return
    put(base_url)
    key = "OPENAI_API_KEY=… " if profile.api_key else ""
    say("Serving a simulated, OpenAI-compatible provider. In another terminal:")
    say(f'  {key}fanwise run table.csv -m openai/gpt-4o-mini --base-url {base_url} -p "…"')
    say("Ctrl-C ends it.")


def _shown(profile: SimProfile) -> dict[str, Any]:
    settings: dict[str, Any] = asdict(profile)
    del settings["api_key"]
    return {name: None if value == float("inf") else value for name, value in settings.items()}
