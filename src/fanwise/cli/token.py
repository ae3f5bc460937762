"""``fanwise token``: who may use the service, and how much of it in a month."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from typer import Argument, Option

from fanwise.cli.display import ago, put, put_json, put_table, say
from fanwise.cli.failures import ExitCode
from fanwise.cli.flags import HomeFlags, with_flags
from fanwise.cli.homes import home_of
from fanwise.cli.loop import run_loop
from fanwise.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    import fanwise as fw
    from fanwise.service.tokens import TokenRecord, Tokens
    from fanwise.service.usage import Month

T = TypeVar("T")

NameArgument = Annotated[str, Argument(metavar="NAME", help="Whose it is: a person or a program.")]
CallsFlag = Annotated[
    str | None,
    Option(metavar="N", help="Calls a calendar month (UTC); none bounds nothing."),
]
UsdFlag = Annotated[
    str | None,
    Option(metavar="X", help="US dollars a calendar month (UTC); none bounds nothing."),
]

token = typer.Typer(
    help="""Make, list, limit and revoke tokens of the service.

    A running service notices a change within two seconds.""",
    no_args_is_help=True,
    add_completion=False,
)


def create(
    name: NameArgument, *, calls: CallsFlag = None, usd: UsdFlag = None, home: HomeFlags
) -> int:
    """Make a token and print it: the only time that it can be seen."""
    monthly_calls, monthly_usd = _calls(calls), _usd(usd)

    async def make(tokens: Tokens, _: fw.Store) -> str:
        return await tokens.create(name, monthly_calls=monthly_calls, monthly_usd=monthly_usd)

    made = run_loop(_with_tokens(home, make, noting=("token.created", name)))
    if home.json:
        put_json({"name": name, "token": made})
    else:
        put(made)
        say("It cannot be shown again. Programs send it as Authorization: Bearer TOKEN.")
    return ExitCode.OK


def list_tokens(*, home: HomeFlags) -> int:
    """List all tokens with their limits and what they used of this month."""
    found = run_loop(_with_tokens(home, _listed, noting=None))
    if home.json:
        put_json([_row_json(record, month) for record, month in found])
        return ExitCode.OK
    put_table(
        ("name", "made", "calls", "limit", "usd", "limit usd", "state"),
        [_row(record, month) for record, month in found],
        right=("calls", "limit", "usd", "limit usd"),
    )
    return ExitCode.OK


def revoke(name: NameArgument, *, home: HomeFlags) -> int:
    """End a token and the logins that came of it; runs it has started go on."""

    async def end(tokens: Tokens, _: fw.Store) -> None:
        await tokens.revoke(name)

    run_loop(_with_tokens(home, end, noting=("token.revoked", name)))
    if home.json:
        put_json({"name": name, "revoked": True})
    else:
        say(f"Token {name} is good for nothing any more.")
    return ExitCode.OK


def limit(
    name: NameArgument, *, calls: CallsFlag = None, usd: UsdFlag = None, home: HomeFlags
) -> int:
    """Bound what a token may spend in a calendar month; what is left out stays as it is."""
    if calls is None and usd is None:
        raise ConfigError("no limit was given", hint="give --calls N, --usd X, or both")
    wanted_calls, wanted_usd = _calls(calls), _usd(usd)

    async def change(tokens: Tokens, _: fw.Store) -> TokenRecord:
        before = {record.name: record for record in await tokens.list()}.get(name)
        kept_calls = before.monthly_calls if before is not None else None
        kept_usd = before.monthly_usd if before is not None else None
        await tokens.limit(
            name,
            monthly_calls=kept_calls if calls is None else wanted_calls,
            monthly_usd=kept_usd if usd is None else wanted_usd,
        )
        return {record.name: record for record in await tokens.list()}[name]

    record = run_loop(_with_tokens(home, change, noting=("token.limited", name)))
    if home.json:
        put_json({"name": name, **_limits_json(record)})
    else:
        bounds = f"{_number(record.monthly_calls)} calls and {_money(record.monthly_usd)}"
        say(f"Token {name} may spend {bounds} a month.")
    return ExitCode.OK


for _name, _command in (
    ("create", create),
    ("list", list_tokens),
    ("revoke", revoke),
    ("limit", limit),
):
    token.command(_name)(with_flags(_command))


async def _with_tokens(
    flags: HomeFlags,
    work: Callable[[Tokens, fw.Store], Awaitable[T]],
    *,
    noting: tuple[str, str] | None,
) -> T:
    """Works on the tokens of a journal's service; what is changed is written down."""
    from sqlalchemy import insert

    import fanwise as fw
    from fanwise.clock import SystemClock
    from fanwise.service.hub import STORE
    from fanwise.service.tables import audit, metadata
    from fanwise.service.tokens import Tokens

    clock = SystemClock()
    with home_of(flags) as home:
        async with fw.Store(home, STORE, metadata) as store:
            done = await work(Tokens(store, clock=clock), store)
            if noting is not None:
                row = {
                    "at": clock.wall(),
                    "caller": "command line",
                    "action": noting[0],
                    "subject": noting[1],
                    "detail": "",
                }

                def note(connection: Connection) -> object:
                    return connection.execute(insert(audit), row)

                await store.write(note)
            return done


async def _listed(tokens: Tokens, store: fw.Store) -> list[tuple[TokenRecord, Month]]:
    from fanwise.clock import SystemClock
    from fanwise.service.usage import months

    records = await tokens.list()
    found = await months(store, [record.name for record in records], now=SystemClock().wall())
    return [(record, found[record.name]) for record in records]


def _calls(text: str | None) -> int | None:
    if text is None or text == "none":
        return None
    if not text.isascii() or not text.isdigit():
        raise ConfigError(f"--calls is {text}", hint="give 0 or more calls, or none")
    return int(text)


def _usd(text: str | None) -> Decimal | None:
    if text is None or text == "none":
        return None
    try:
        usd = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        usd = Decimal(-1)
    if not usd.is_finite() or usd < 0:
        raise ConfigError(f"--usd is {text}", hint="give 0 or more US dollars, or none")
    return usd


def _number(calls: int | None) -> str:
    return "any number of" if calls is None else f"{calls:,}"


def _money(usd: Decimal | None) -> str:
    return "any sum" if usd is None else f"${usd:,.2f}"


def _row(record: TokenRecord, month: Month) -> tuple[str, ...]:
    return (
        record.name,
        f"{ago(record.created_at)} ago",
        f"{month.calls_used + month.calls_reserved:,}",
        "" if record.monthly_calls is None else f"{record.monthly_calls:,}",
        f"{month.usd_used + month.usd_reserved:.2f}",
        "" if record.monthly_usd is None else f"{record.monthly_usd:.2f}",
        "valid" if record.revoked_at is None else "revoked",
    )


def _row_json(record: TokenRecord, month: Month) -> dict[str, object]:
    return {
        "name": record.name,
        "created_at": record.created_at,
        "revoked_at": record.revoked_at,
        **_limits_json(record),
        "month": month.month,
        "calls": {"used": month.calls_used, "reserved": month.calls_reserved},
        "usd": {"used": month.usd_used, "reserved": month.usd_reserved},
    }


def _limits_json(record: TokenRecord) -> dict[str, object]:
    return {"monthly_calls": record.monthly_calls, "monthly_usd": record.monthly_usd}
