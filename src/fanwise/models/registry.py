"""From a model's name to the endpoint that serves it."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fanwise.clock import Clock, LoopClock
from fanwise.errors import ConfigError
from fanwise.models.anthropic_messages import MessagesDialect
from fanwise.models.credentials import Credential, credentials_in
from fanwise.models.dialect import Dialect
from fanwise.models.endpoint import CallableEndpoint, Endpoint
from fanwise.models.gemini import GeminiDialect
from fanwise.models.names import canonical_model, split_model
from fanwise.models.openai_chat import chat_dialects
from fanwise.models.providers import (
    ALIASES,
    BY_NAME,
    PROVIDERS,
    Provider,
    checked_base_url,
    is_loopback,
    is_private,
    provider_at,
)
from fanwise.models.remote import RemoteEndpoint
from fanwise.models.rules import RULES_MODEL, Rules, RulesEndpoint
from fanwise.records import NOTHING, Request, Response

if TYPE_CHECKING:
    from fanwise.models.http.transport import Transport

SIM = "sim"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderListing:
    """One provider as ``fanwise models`` lists it.

    Args:
        name: What stands before the slash.
        title: Its name for people.
        base_url: Where its models are now; empty where that has to be set.
        key_env: The environment variable of its key; empty where it takes none.
        has_key: Whether there is a key.
        needs_key: Whether it answers nobody without a key.
        dialect: What is spoken with it: ``chat``, ``messages`` or ``gemini``.
        keys: Names of the variables (and lines of a file) that hold its keys; never the keys.
        note: What there is to know before using it.
    """

    name: str
    title: str
    base_url: str
    key_env: str
    has_key: bool
    needs_key: bool
    dialect: str = "chat"
    keys: Sequence[str] = ()
    note: str = ""


class Registry:
    """Finds the endpoint of a model by name, and holds the transport that all of them share.

    An endpoint is made once and then handed out again. Keys are read from ``env`` when an endpoint
    is made; they show in no repr, no error and no origin.

    Args:
        transport: Makes the transport; called when the first endpoint needs one.
        env: The environment: keys and base URLs.
        callables: The user's own models by name.
        base_urls: Base URLs by provider, such as the simulated provider's under ``sim``.
        clock: For the time to the first token.
    """

    def __init__(
        self,
        transport: Callable[[], Transport],
        *,
        env: Mapping[str, str] = NOTHING,
        callables: Mapping[str, Callable[[Request], Awaitable[Response]]] = NOTHING,
        base_urls: Mapping[str, str] = NOTHING,
        clock: Clock | None = None,
    ) -> None:
        self._open_transport = transport
        self._transport: Transport | None = None
        self._env = env
        self._callables = {canonical_model(name): model for name, model in callables.items()}
        self._base_urls = base_urls
        self._clock = clock or LoopClock()
        self._endpoints: dict[tuple[str, str | None, str | None], tuple[Endpoint, ...]] = {}

    def __repr__(self) -> str:
        return f"Registry({len(self._endpoints)} endpoints, {len(self._callables)} callables)"

    def resolve(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key_env: str | None = None,
        rules: Rules | None = None,
    ) -> Endpoint:
        """The endpoint of a model.

        Args:
            model: ``provider/model`` or ``provider:model``, or a name among the callables.
            base_url: Where the provider is, instead of its usual place. The simulated provider
                keeps its own.
            api_key_env: The environment variable that holds the key, instead of the usual one.
            rules: What ``builtin/rules`` runs.

        Raises:
            ConfigError: The name is unknown, the base URL is unusable, or the key is missing or
                cannot be sent. Nothing was spent.
        """
        return self.resolve_all(model, base_url=base_url, api_key_env=api_key_env, rules=rules)[0]

    def resolve_all(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key_env: str | None = None,
        rules: Rules | None = None,
    ) -> tuple[Endpoint, ...]:
        """The endpoints of a model, one for each key; see :meth:`resolve`.

        All of them go to the same address and have the same origin: which key was used makes no
        difference to a call's identity.
        """
        if rules is not None and model == RULES_MODEL:
            return (RulesEndpoint(rules),)
        key = (model, base_url, api_key_env)
        endpoints = self._endpoints.get(key)
        if endpoints is None:
            endpoints = self._make(canonical_model(model), base_url, api_key_env, rules)
            if not isinstance(endpoints[0], RulesEndpoint):
                self._endpoints[key] = endpoints
        return endpoints

    async def aclose(self) -> None:
        """Closes the transport, if one was opened."""
        transport, self._transport = self._transport, None
        self._endpoints.clear()
        if transport is not None:
            await transport.aclose()

    def listing(self) -> Sequence[ProviderListing]:
        """Every provider known by name, and whether its key is there."""
        return [self._listed(provider) for provider in PROVIDERS]

    def _make(
        self, model: str, base_url: str | None, api_key_env: str | None, rules: Rules | None
    ) -> tuple[Endpoint, ...]:
        function = self._callables.get(model)
        if function is not None:
            return (CallableEndpoint(model, function),)
        provider, name = split_model(model)
        if provider == "builtin":
            return (_builtin(model, rules),)
        if provider == SIM:
            return (self._sim(model, name, base_url),)
        known = BY_NAME.get(ALIASES.get(provider, provider))
        if known is None:
            raise self._unknown(model, provider)
        return self._served(model, name, known, base_url, api_key_env)

    def _sim(self, model: str, name: str, base_url: str | None) -> Endpoint:
        url = self._base_urls.get(SIM) or base_url
        if url is None:
            raise ConfigError(
                f"{model} needs the simulated provider, and none is running",
                hint="start one with `fanwise simulate` and give its --base-url",
            )
        usual, others = chat_dialects(name)
        return RemoteEndpoint(
            model,
            dialect=usual,
            others=others,
            provider=SIM,
            origin=SIM,
            base_url=checked_base_url(url, named_by=SIM),
            transport=self._shared(),
            clock=self._clock,
        )

    def _served(
        self, model: str, name: str, known: Provider, base_url: str | None, api_key_env: str | None
    ) -> tuple[Endpoint, ...]:
        url, explicit = self._base_url(known, base_url)
        usual = checked_base_url(known.base_url, named_by=known.name) if known.base_url else ""
        credentials = self._keys(known, url, explicit=explicit, api_key_env=api_key_env)
        dialect, others = _dialects(known, name)
        return tuple(
            RemoteEndpoint(
                model,
                dialect=dialect,
                others=others,
                provider=known.name,
                origin=url if explicit and url != usual else known.name,
                base_url=url,
                key=credential.key,
                key_name=credential.name,
                transport=self._shared(),
                clock=self._clock,
            )
            for credential in credentials
        )

    def _shared(self) -> Transport:
        if self._transport is None:
            self._transport = self._open_transport()
        return self._transport

    def _base_url(self, known: Provider, given: str | None) -> tuple[str, bool]:
        """The base URL, and whether it was set by somebody."""
        if given:
            return checked_base_url(given, named_by="--base-url"), True
        configured = self._base_urls.get(known.name)
        if configured:
            return checked_base_url(configured, named_by=f"base_urls[{known.name!r}]"), True
        from_env = self._env.get(known.base_url_env, "").strip()
        if from_env:
            return checked_base_url(from_env, named_by=known.base_url_env), True
        if not known.base_url:
            raise ConfigError(
                f"{known.title} has no fixed address, and none was given for {known.name}/…",
                hint=f"set {known.base_url_env} or --base-url, such as "
                "https://RESOURCE.openai.azure.com/openai/v1",
            )
        return checked_base_url(known.base_url, named_by=known.name), False

    def _keys(
        self, known: Provider, url: str, *, explicit: bool, api_key_env: str | None
    ) -> tuple[Credential, ...]:
        """The keys for a base URL: those of the host's own provider where that is known."""
        owner = provider_at(url) if explicit else known
        variable = api_key_env or (owner or known).key_env
        more = () if api_key_env else (owner or known).more_key_envs
        for candidate in (variable, *more):
            found = credentials_in(self._env, candidate)
            if found:
                return found
        if api_key_env is not None:
            raise ConfigError(
                f"the environment variable {api_key_env} holds no key",
                hint=f"set it: export {api_key_env}=…",
            )
        if not known.needs_key or is_loopback(url) or (explicit and is_private(url)):
            return (Credential(name="", key=""),)
        title = (owner or known).title if owner or not explicit else f"the server at {url}"
        raise ConfigError(
            f"{known.name}/… needs a key for {title}, and {variable} is not set",
            hint=f"set it: export {variable}=… (or name another variable with --api-key-env); "
            "without a key, try -m sim/gpt-4o-mini, the simulated provider",
        )

    def _unknown(self, model: str, provider: str) -> ConfigError:
        names = [*BY_NAME, "builtin", SIM]
        wholes = [*self._callables, RULES_MODEL]
        near = difflib.get_close_matches(model, wholes, n=1, cutoff=0.75)
        if not near:
            rest = model.partition("/")[2]
            near = [
                f"{name}/{rest}"
                for name in difflib.get_close_matches(provider, names, n=1, cutoff=0.6)
            ]
        question = f"did you mean {near[0]}? " if near else ""
        return ConfigError(
            f"there is no provider {provider!r} (in the model name {model!r})",
            hint=f"{question}known: {', '.join(sorted(names))}; any OpenAI-compatible server is "
            "openai/MODEL with --base-url",
        )

    def _listed(self, provider: Provider) -> ProviderListing:
        note = ""
        if not provider.base_url:
            note = f"set {provider.base_url_env}"
        elif not provider.needs_key:
            note = "needs no key"
        elif provider.name == "openai":
            note = "or any compatible server, with --base-url"
        base_url = self._base_urls.get(provider.name) or self._env.get(provider.base_url_env)
        keys: tuple[str, ...] = ()
        for variable in (provider.key_env, *provider.more_key_envs):
            keys = keys or tuple(found.name for found in credentials_in(self._env, variable))
        return ProviderListing(
            name=provider.name,
            title=provider.title,
            base_url=base_url or provider.base_url,
            key_env=provider.key_env,
            has_key=bool(keys),
            needs_key=provider.needs_key,
            dialect=provider.dialect,
            keys=keys,
            note=note,
        )


def _builtin(model: str, rules: Rules | None) -> Endpoint:
    if model != RULES_MODEL:
        raise ConfigError(f"there is no {model}", hint=f"the only built-in model is {RULES_MODEL}")
    if rules is None:
        raise ConfigError(
            f"{RULES_MODEL} runs rules that a pipeline brings, and this work brings none",
            hint="choose a model such as openai/gpt-4o-mini, or pass rules=… to the call",
        )
    return RulesEndpoint(rules)


def _dialects(known: Provider, model: str) -> tuple[Dialect, Mapping[str, Dialect]]:
    if known.dialect == "messages":
        return MessagesDialect(model), NOTHING
    if known.dialect == "gemini":
        return GeminiDialect(model), NOTHING
    return chat_dialects(model, key_header=known.key_header, stream_usage=known.stream_usage)
