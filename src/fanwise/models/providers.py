"""The providers that are known by name: where they are and where their keys come from."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from fanwise.errors import ConfigError

DialectName = Literal["chat", "messages", "gemini"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider.

    Args:
        name: What stands before the slash of a model's name.
        title: Its name for people.
        base_url: Where it is; empty where it has no fixed place.
        prefix: Environment variables are ``<prefix>_API_KEY`` and ``<prefix>_BASE_URL``.
        needs_key: Whether it answers nobody without a key.
        key_header: The header that carries the key; ``authorization`` sends it as a bearer.
        stream_usage: Whether it knows ``stream_options.include_usage``.
        dialect: What is spoken with it.
        more_key_envs: Other variables that may hold its key, after the usual one.
    """

    name: str
    title: str
    base_url: str
    prefix: str
    needs_key: bool = True
    key_header: str = "authorization"
    stream_usage: bool = True
    dialect: DialectName = "chat"
    more_key_envs: tuple[str, ...] = ()

    @property
    def key_env(self) -> str:
        """The environment variable that holds its key."""
        return f"{self.prefix}_API_KEY"

    @property
    def base_url_env(self) -> str:
        """The environment variable that sets its base URL."""
        return f"{self.prefix}_BASE_URL"


def _remote(name: str, title: str, base_url: str, *, stream_usage: bool = True) -> Provider:
    return Provider(
        name=name, title=title, base_url=base_url, prefix=name.upper(), stream_usage=stream_usage
    )


def _local(name: str, title: str, port: int, *, prefix: str = "") -> Provider:
    return Provider(
        name=name,
        title=title,
        base_url=f"http://localhost:{port}/v1",
        prefix=prefix or name.upper(),
        needs_key=False,
    )


PROVIDERS: tuple[Provider, ...] = (
    _remote("openai", "OpenAI", "https://api.openai.com/v1"),
    Provider(
        name="anthropic",
        title="Anthropic",
        base_url="https://api.anthropic.com/v1",
        prefix="ANTHROPIC",
        dialect="messages",
    ),
    Provider(
        name="gemini",
        title="Google Gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        prefix="GEMINI",
        more_key_envs=("GOOGLE_API_KEY",),
        dialect="gemini",
    ),
    _remote("groq", "Groq", "https://api.groq.com/openai/v1"),
    _remote("openrouter", "OpenRouter", "https://openrouter.ai/api/v1"),
    _remote("together", "Together AI", "https://api.together.xyz/v1"),
    _remote("mistral", "Mistral", "https://api.mistral.ai/v1", stream_usage=False),
    _remote("deepseek", "DeepSeek", "https://api.deepseek.com/v1"),
    _remote("fireworks", "Fireworks AI", "https://api.fireworks.ai/inference/v1"),
    _remote("cerebras", "Cerebras", "https://api.cerebras.ai/v1"),
    _remote("xai", "xAI", "https://api.x.ai/v1"),
    Provider(
        name="azure",
        title="Azure OpenAI",
        base_url="",
        prefix="AZURE_OPENAI",
        key_header="api-key",
    ),
    _local("ollama", "Ollama on this machine", 11434),
    _local("vllm", "vLLM on this machine", 8000),
    _local("llamacpp", "llama.cpp server on this machine", 8080),
    _local("lmstudio", "LM Studio on this machine", 1234),
)
BY_NAME: Mapping[str, Provider] = {provider.name: provider for provider in PROVIDERS}
ALIASES: Mapping[str, str] = {"google": "gemini"}


def provider_at(base_url: str) -> Provider | None:
    """The remote provider whose host a base URL names: its key, and no other, belongs there."""
    host = urlsplit(base_url).hostname
    for provider in PROVIDERS:
        if provider.needs_key:
            home = urlsplit(provider.base_url).hostname
            if home is not None and host == home:
                return provider
    return None


def checked_base_url(text: str, *, named_by: str) -> str:
    """A base URL without its trailing slash, or an error that says what is wrong with it.

    Args:
        text: The URL as it was given.
        named_by: Where it was given, such as ``--base-url`` or ``OPENAI_BASE_URL``.

    Raises:
        ConfigError: It is no ``http`` or ``https`` URL with a host, or carries credentials.
    """
    text = text.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise _bad_url(text, f"it cannot be read ({error})", named_by) from error
    if parts.username is not None or parts.password is not None:
        # The URL is not shown: what it carries is a secret.
        raise ConfigError(
            f"the base URL from {named_by} carries a user name or a password",
            hint="keys come from the environment only, such as OPENAI_API_KEY",
        )
    if parts.scheme not in ("http", "https"):
        raise _bad_url(text, "it does not begin with http:// or https://", named_by)
    host = parts.hostname
    if not host or port == 0 or not text.isascii() or any(c <= " " or c in '\\<>"' for c in text):
        raise _bad_url(text, "it names no host that can be reached", named_by)
    if parts.fragment:
        raise _bad_url(text, "it has a fragment (#…)", named_by)
    return normalised(parts)


def normalised(parts: SplitResult) -> str:
    """A URL in one spelling: lower-case host, no default port, no trailing slash."""
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    default_port = 443 if parts.scheme == "https" else 80
    if parts.port not in (None, default_port):
        host = f"{host}:{parts.port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}{query}"


def _bad_url(text: str, why: str, named_by: str) -> ConfigError:
    return ConfigError(
        f"the base URL {text[:200]!r} from {named_by} cannot be used: {why}",
        hint="give one such as https://api.openai.com/v1 or http://localhost:8000/v1",
    )


def is_loopback(base_url: str) -> bool:
    """Whether a base URL names this machine."""
    host = urlsplit(base_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_private(base_url: str) -> bool:
    """Whether a base URL names a host of a private network, as far as its name tells."""
    host = urlsplit(base_url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".internal", ".home.arpa"))
