"""Settings from everywhere, in order of precedence, with errors that name their place.

Flag > ``FANWISE_*`` > ``.env`` > ``fanwise.toml`` > the user's own ``fanwise.toml``.
pydantic-settings reads each place; the layers are laid here, because an error has to say which of
them is wrong.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Annotated, Any, Literal, cast

import orjson
from platformdirs import user_config_path
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from fanwise.errors import ConfigError
from fanwise.limits.settings import read_concurrency
from fanwise.records import Json
from fanwise.retry.hedge import read_hedge

PREFIX = "FANWISE_"
FILE_NAME = "fanwise.toml"
_MOST_AT_ONCE = 100_000
_UNIT_S = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)")
_KEY_OR_ADDRESS = re.compile(r"[A-Z][A-Z0-9_]*_(API_KEY|API_KEY_FILE|BASE_URL)")


def duration_s(value: object) -> float:
    """Seconds of ``90``, ``"90s"``, ``"15m"``, ``"2h"``; more than zero."""
    match = _DURATION.fullmatch(str(value).strip().lower())
    if match is None or float(match[1]) == 0:
        raise ValueError("has to be a time, such as 90, 90s, 15m or 2h")
    return float(match[1]) * _UNIT_S[match[2]]


def _concurrency(value: object) -> object:
    try:
        found = read_concurrency(value)
    except ConfigError as error:
        reason = f"has to be possible: {error.hint}"
        raise ValueError(reason) from None
    parts = found if isinstance(found, tuple) else (found,)
    if any(part != "adaptive" and part > _MOST_AT_ONCE for part in parts):
        reason = f"has to be at most {_MOST_AT_ONCE}"
        raise ValueError(reason)
    return found


def _list(value: object) -> object:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _mapping(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value  # the validation says what it should have been


def _hedge(value: str) -> str:
    try:
        read_hedge(value)
    except ConfigError as error:
        raise ValueError(f"has to be a time or a percentile: {error.hint}") from None
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("has to be a finite number; leave it out for no limit")
    return value


Duration = Annotated[float, BeforeValidator(duration_s)]
Rate = Annotated[float, Field(gt=0), AfterValidator(_finite)]


class Settings(BaseSettings):
    """What can be set by flag, environment or file; names are those of the flags."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, dotenv_filtering="only_existing"
    )

    model: Annotated[list[str], NoDecode, BeforeValidator(_list)] = []
    base_url: str | None = None
    api_key_env: str | None = None
    opt: Annotated[dict[str, Any], NoDecode, BeforeValidator(_mapping)] = {}
    max_concurrency: Annotated[
        int | Literal["adaptive"] | tuple[int, int, int], NoDecode, BeforeValidator(_concurrency)
    ] = "adaptive"
    rpm: Rate | None = None
    tpm: Rate | None = None
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    timeout: Duration | None = None
    attempt_timeout: Duration | None = None
    deadline: Duration | None = None
    hedge: Annotated[str, AfterValidator(_hedge)] | None = None
    budget_usd: Rate | None = None
    budget_tokens: Annotated[int, Field(ge=1)] | None = None
    budget_calls: Annotated[int, Field(ge=1)] | None = None
    ordered: bool = False
    cache: bool = False
    quiet: bool = False
    journal: Annotated[str, Field(min_length=1)] = ".fanwise"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings passes all of them
        init_settings: PydanticBaseSettingsSource,
        *others: PydanticBaseSettingsSource,  # noqa: ARG003
        **named: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed in: the layers are laid by :func:`read_settings`."""
        return (init_settings,)


Kind = Literal["flag", "environment", "file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """One place's values; ``place`` is empty for flags and the process's environment."""

    kind: Kind
    place: str
    values: Mapping[str, Any]

    def name_of(self, key: str) -> str:
        """How an error calls a key of this place."""
        if self.kind == "flag":
            return "--" + key.replace("_", "-")
        name = PREFIX + key.upper() if self.kind == "environment" else key
        return f"{self.place}: {name}" if self.place else name


def read_settings(flags: Mapping[str, Any], *, directory: Path | None = None) -> Settings:
    """Settings for a command that was called with these flags.

    Args:
        flags: Flags by name; those that are ``None`` were not given.
        directory: Where ``.env`` and ``fanwise.toml`` are looked for; the working directory.

    Raises:
        ConfigError: A file cannot be read, has an unknown key, or a value is impossible.
    """
    layers = _layers(flags, directory=directory or Path())
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        for key, value in layer.values.items():
            merged[key] = _over(merged.get(key), value) if key == "opt" else value
    try:
        return Settings(**merged)
    except ValidationError as error:
        raise _impossible(error, layers=layers) from None


def _over(below: Any, above: Any) -> Any:
    """Sampling parameters are laid over each other one by one."""
    under: Any = _mapping(below)
    over: Any = _mapping(above)
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return cast("dict[str, Any]", under) | cast("dict[str, Any]", over)


def _layers(flags: Mapping[str, Any], *, directory: Path) -> list[_Layer]:
    dotenv = directory / ".env"
    given = {key: value for key, value in flags.items() if value is not None}
    layers = [
        _Layer(kind="flag", place="", values=given),
        _Layer(kind="environment", place="", values=EnvSettingsSource(Settings)()),
    ]
    if dotenv.is_file():
        try:
            values = DotEnvSettingsSource(Settings, env_file=dotenv)()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{dotenv}: cannot be read: {_reason(error)}") from None
        layers.append(_Layer(kind="environment", place=str(dotenv), values=values))
    files = [path for path in (directory / FILE_NAME, user_file()) if path.is_file()]
    return layers + [_Layer(kind="file", place=str(path), values=_toml(path)) for path in files]


def user_file() -> Path:
    """The user's own settings file; it need not exist."""
    return user_config_path("fanwise", appauthor=False) / FILE_NAME


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        values = TomlConfigSettingsSource(Settings, toml_file=path)()
    except TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}", hint="it has to be TOML: rpm = 500") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {_reason(error)}") from None
    known = list(Settings.model_fields)
    for key in values:
        if key in known:
            continue
        near = get_close_matches(key.replace("-", "_").lower(), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        raise ConfigError(f"{path}: unknown key {key!r}", hint=hint)
    return values


def _impossible(error: ValidationError, *, layers: list[_Layer]) -> ConfigError:
    first = error.errors()[0]
    key = str(first["loc"][0])
    name = next((layer.name_of(key) for layer in layers if key in layer.values), key)
    reason = first["msg"].removeprefix("Value error, ")
    reason = reason.replace("Input should be", "has to be")
    reason = reason.replace("a valid dictionary", "a JSON object")
    return ConfigError(
        f"{name} is {first['input']!r}: it {reason}", hint=f"mend {name}, or leave it out"
    )


def environment(
    *, wanted: Collection[str] = (), directory: Path | None = None
) -> Mapping[str, str]:
    """The process's environment, with the keys and addresses that ``.env`` and key files add.

    Of ``.env`` only names count that end in ``_API_KEY``, ``_API_KEY_FILE`` or ``_BASE_URL``, and
    those in ``wanted``: a file that lies in a directory by chance sets nothing else. A variable
    ``X_API_KEY_FILE`` names a file that holds the value of ``X_API_KEY``.

    Args:
        wanted: Names of the key variables that this command will need.
        directory: Where ``.env`` is looked for; the working directory.

    Raises:
        ConfigError: The file of a wanted key cannot be read.
    """
    known = dict(os.environ)
    for name, value in _dotenv((directory or Path()) / ".env").items():
        if value and (name in wanted or _KEY_OR_ADDRESS.fullmatch(name)):
            known.setdefault(name, value)
    for name in [name for name in known if name.endswith("_FILE")]:
        variable = name.removesuffix("_FILE")
        needed = variable in wanted
        if known.get(variable) or not (needed or variable.endswith("_API_KEY")):
            continue
        try:
            known[variable] = Path(known[name]).expanduser().read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            if needed:
                message = f"{name}: the key file {known[name]} cannot be read: {_reason(error)}"
                raise ConfigError(message, hint=f"mend {name}, or set {variable}") from None
    return known


def _dotenv(path: Path) -> Mapping[str, str | None]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        return dotenv_values(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {_reason(error)}") from None


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8"


def parse_opt(pairs: list[str] | None) -> dict[str, Json] | None:
    """``--opt`` flags as a mapping: a value that is JSON counts as JSON, else as text.

    Raises:
        ConfigError: One of them is no ``NAME=VALUE``.
    """
    if pairs is None:
        return None
    parsed: dict[str, Json] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ConfigError(
                f"--opt {pair!r} has no NAME=VALUE", hint="write it like --opt temperature=0"
            )
        try:
            parsed[name.strip()] = orjson.loads(value)
        except orjson.JSONDecodeError:
            parsed[name.strip()] = value
    return parsed
