"""From names to endpoints: keys, base URLs, and errors that say how to go on."""

import asyncio
import logging

import pytest

from fanwise.errors import ConfigError
from fanwise.models.endpoint import CallableEndpoint
from fanwise.models.registry import Registry
from fanwise.models.rules import RulesEndpoint
from fanwise.records import Failure, Request, Response, Timeouts, user
from support.fake_transport import FakeTransport, reply

KEY = "sk-live-1234567890"
ANSWER = reply({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]})
ASKED = Request(model="openai/gpt-4o-mini", messages=[user("hello")])


def registry(*, env=None, transport=None, **options):
    transport = transport or FakeTransport(ANSWER)
    env = {"OPENAI_API_KEY": KEY} if env is None else env
    return Registry(lambda: transport, env=env, **options)


def wire(model="openai/gpt-4o-mini", *, env=None, base_urls=None, **options):
    """The request that a resolved endpoint sends."""
    transport = FakeTransport(ANSWER)
    found = registry(env=env, transport=transport, base_urls=base_urls or {})
    endpoint = found.resolve(model, **options)
    answer = asyncio.run(endpoint.send(ASKED, timeouts=Timeouts()))
    assert isinstance(answer, Response)
    return transport.sent[0], transport.body()


def refused(model, *, env=None, **options):
    with pytest.raises(ConfigError) as caught:
        registry(env={} if env is None else env).resolve(model, **options)
    return str(caught.value)


def test_a_name_leads_to_its_provider():
    request, body = wire()
    assert request.url == "https://api.openai.com/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert body["model"] == "gpt-4o-mini"


@pytest.mark.parametrize(
    ("model", "variable", "url", "name"),
    [
        ("groq/llama-3.1-8b-instant", "GROQ", "https://api.groq.com/openai/v1", None),
        ("openrouter/openai/gpt-4o", "OPENROUTER", "https://openrouter.ai/api/v1", "openai/gpt-4o"),
        ("together/m", "TOGETHER", "https://api.together.xyz/v1", None),
        ("mistral/m", "MISTRAL", "https://api.mistral.ai/v1", None),
        ("deepseek/m", "DEEPSEEK", "https://api.deepseek.com/v1", None),
        ("fireworks/m", "FIREWORKS", "https://api.fireworks.ai/inference/v1", None),
        ("cerebras/m", "CEREBRAS", "https://api.cerebras.ai/v1", None),
        ("xai/m", "XAI", "https://api.x.ai/v1", None),
    ],
)
def test_compatible_providers_are_known_by_name(model, variable, url, name):
    request, body = wire(model, env={f"{variable}_API_KEY": "k"})
    assert request.url == f"{url}/chat/completions"
    assert request.headers["authorization"] == "Bearer k"
    assert body["model"] == (name or model.partition("/")[2])


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("ollama/llama3:8b", "http://localhost:11434/v1/chat/completions"),
        ("vllm/m", "http://localhost:8000/v1/chat/completions"),
        ("llamacpp/m", "http://localhost:8080/v1/chat/completions"),
        ("lmstudio/m", "http://localhost:1234/v1/chat/completions"),
    ],
)
def test_local_servers_need_no_key(model, url):
    request, _ = wire(model, env={})
    assert request.url == url
    assert "authorization" not in request.headers


def test_azure_is_where_its_base_url_says():
    env = {
        "AZURE_OPENAI_API_KEY": "k",
        "AZURE_OPENAI_BASE_URL": "https://mine.openai.azure.com/openai/v1/",
    }
    request, _ = wire("azure/my-deployment", env=env)
    assert request.url == "https://mine.openai.azure.com/openai/v1/chat/completions"
    assert request.headers["api-key"] == "k"
    assert "AZURE_OPENAI_BASE_URL" in refused("azure/my-deployment")


def test_a_base_url_comes_from_the_call_then_the_settings_then_the_environment():
    env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "https://env.example/v1"}
    settings = {"openai": "https://settings.example/v1"}
    assert "//env.example/" in wire(env=env)[0].url
    assert "//settings.example/" in wire(env=env, base_urls=settings)[0].url
    given = wire(env=env, base_urls=settings, base_url="https://call.example/v1")
    assert "//call.example/" in given[0].url


def test_the_origin_is_the_provider_or_the_place_that_was_set():
    found = registry()
    assert found.resolve("openai/m").origin == "openai"
    assert found.resolve("openai/m", base_url="https://api.openai.com/v1/").origin == "openai"
    assert found.resolve("openai/m", base_url="HTTP://LocalHost:8000/v1/").origin == (
        "http://localhost:8000/v1"
    )
    assert found.resolve("openai/m", base_url="https://h:443/v1").origin == "https://h/v1"


def test_the_simulated_provider_has_one_origin_on_any_port():
    found = registry(env={}, base_urls={"sim": "http://127.0.0.1:40123/v1"})
    endpoint = found.resolve("sim/gpt-4o-mini", base_url="https://elsewhere.example/v1")
    assert (endpoint.origin, endpoint.provider, endpoint.name) == ("sim", "sim", "sim/gpt-4o-mini")
    assert endpoint.base_url == "http://127.0.0.1:40123/v1"
    assert "fanwise simulate" in refused("sim/gpt-4o-mini")


def test_a_key_belongs_to_its_host():
    env = {"OPENAI_API_KEY": KEY, "GROQ_API_KEY": "groq-key"}
    request, _ = wire(env=env, base_url="https://api.groq.com/openai/v1")
    assert request.headers["authorization"] == "Bearer groq-key"
    message = refused(
        "openai/m", env={"OPENAI_API_KEY": KEY}, base_url="https://api.groq.com/openai/v1"
    )
    assert "GROQ_API_KEY is not set" in message


def test_another_variable_may_hold_the_key():
    env = {"OPENAI_API_KEY": KEY, "TEAM_KEY": "team"}
    request, _ = wire(env=env, api_key_env="TEAM_KEY")
    assert request.headers["authorization"] == "Bearer team"
    message = refused("openai/m", env=env, api_key_env="NO_SUCH")
    assert "the environment variable NO_SUCH holds no key" in message


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000/v1",
        "http://127.0.0.1:8000",
        "http://[::1]:8000/v1",
        "http://10.1.2.3:8000/v1",
        "http://gpu-box:8000/v1",
        "http://vllm.internal/v1",
    ],
)
def test_a_server_of_ones_own_needs_no_key(url):
    request, _ = wire(env={}, base_url=url)
    assert "authorization" not in request.headers


def test_a_server_of_ones_own_is_sent_a_key_that_is_there():
    request, _ = wire(base_url="http://localhost:8000/v1")
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_a_missing_key_names_its_variable():
    assert refused("openai/gpt-4o-mini") == (
        "openai/… needs a key for OpenAI, and OPENAI_API_KEY is not set "
        "(set it: export OPENAI_API_KEY=… (or name another variable with --api-key-env); without "
        "a key, try -m sim/gpt-4o-mini, the simulated provider)"
    )
    assert "GROQ_API_KEY is not set" in refused("groq/m", env={"OPENAI_API_KEY": KEY})
    assert "GROQ_API_KEY is not set" in refused("groq/m", env={"GROQ_API_KEY": "  "})
    message = refused("openai/m", base_url="https://llm.example.com/v1")
    assert "a key for the server at https://llm.example.com/v1" in message


@pytest.mark.parametrize("key", ["sk\nx: y", "sk-ключ", "sk abc", "sk-\x7f", "“sk-1”"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(key):
    message = refused("openai/m", env={"OPENAI_API_KEY": key})
    assert "the key in OPENAI_API_KEY holds a character that no key has" in message
    assert key not in message


def test_blanks_around_a_key_are_dropped():
    assert wire(env={"OPENAI_API_KEY": f" {KEY}\n"})[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_key_shows_nowhere(caplog):
    caplog.set_level(logging.DEBUG)
    transport = FakeTransport(reply({"error": {"message": KEY}}, status=401))
    found = registry(transport=transport)
    endpoint = found.resolve("openai/m")
    failure = asyncio.run(endpoint.send(ASKED, timeouts=Timeouts()))
    assert isinstance(failure, Failure)
    shown = [repr(found), repr(endpoint), endpoint.origin, repr(failure), caplog.text]
    shown += [repr(listed) for listed in found.listing()]
    shown.append(refused("openai/m", env={"OPENAI_API_KEY": KEY}, api_key_env="OTHER"))
    assert [text for text in shown if KEY in text] == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("api.openai.com/v1", "does not begin with http"),
        ("ftp://h/v1", "does not begin with http"),
        ("file:///etc/passwd", "does not begin with http"),
        ("https://", "names no host"),
        ("https:///v1", "names no host"),
        ("http://h:0/v1", "names no host"),
        ("http://h:99999/v1", "cannot be read"),
        ("http://h:x/v1", "cannot be read"),
        ("http://[::1/v1", "cannot be read"),
        ("http://h/v 1", "names no host"),
        ("http://h\r\nx/v1", "names no host"),
        ("http://höst/v1", "names no host"),
        ("http://h/v1#x", "fragment"),
    ],
)
def test_a_base_url_that_cannot_be_used_is_refused(url, words):
    message = refused("openai/m", env={"OPENAI_API_KEY": KEY}, base_url=url)
    assert words in message
    assert "--base-url" in message


def test_credentials_in_a_base_url_are_refused_and_not_shown():
    for url in ("https://user:hunter2@h/v1", "https://hunter2@h/v1"):
        message = refused("openai/m", base_url=url)
        assert "carries a user name or a password" in message
        assert "hunter2" not in message


def test_a_bad_base_url_names_where_it_came_from():
    message = refused("openai/m", env={"OPENAI_BASE_URL": "localhost:8000"})
    assert "from OPENAI_BASE_URL" in message


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("opnai/gpt-4o", "did you mean openai/gpt-4o?"),
        ("gpt-4o", "did you mean openai/gpt-4o?"),
        ("grok/grok-4", "there is no provider 'grok'"),
        ("builtin/rule", "the only built-in model is builtin/rules"),
        ("nonsense/x", "known: anthropic, azure, builtin,"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(model, words):
    assert words in refused(model)


@pytest.mark.parametrize(
    ("model", "variable", "url", "header"),
    [
        (
            "anthropic/claude-sonnet-4-5",
            "ANTHROPIC_API_KEY",
            "https://api.anthropic.com/v1/messages",
            "x-api-key",
        ),
        (
            "gemini/gemini-2.5-flash",
            "GEMINI_API_KEY",
            "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
            "x-goog-api-key",
        ),
        (
            "google/gemini-2.5-flash",
            "GOOGLE_API_KEY",
            "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
            "x-goog-api-key",
        ),
    ],
)
def test_a_provider_with_a_dialect_of_its_own_is_spoken_to_in_it(model, variable, url, header):
    transport = FakeTransport(reply({}))
    endpoint = registry(env={variable: KEY}, transport=transport).resolve(model)
    asyncio.run(endpoint.send(ASKED, timeouts=Timeouts()))
    [sent] = transport.sent
    assert sent.url == url
    assert [name for name, value in sent.headers.items() if KEY in value] == [header]
    assert endpoint.origin == endpoint.provider


@pytest.mark.parametrize(
    ("name", "url", "variable"),
    [
        ("claude-sonnet-4-5", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
        (
            "gemini-2.5-flash",
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "GEMINI_API_KEY",
        ),
    ],
)
def test_the_compatible_address_of_another_provider_has_that_providers_key(name, url, variable):
    request, _ = wire(f"openai/{name}", env={variable: "k"}, base_url=url)
    assert request.headers["authorization"] == "Bearer k"


def test_several_keys_are_several_endpoints_of_one_place():
    env = {"OPENAI_API_KEY": "k-a", "OPENAI_API_KEY_2": "k-c", "OPENAI_API_KEY_1": "k-b"}
    transport = FakeTransport(ANSWER)
    found = registry(env=env, transport=transport).resolve_all("openai/gpt-4o-mini")
    for endpoint in found:
        asyncio.run(endpoint.send(ASKED, timeouts=Timeouts()))
    sent = [request.headers["authorization"] for request in transport.sent]
    assert sent == ["Bearer k-a", "Bearer k-b", "Bearer k-c"]
    assert {endpoint.origin for endpoint in found} == {"openai"}
    names = [endpoint.key_name for endpoint in found]
    assert names == ["OPENAI_API_KEY", "OPENAI_API_KEY_1", "OPENAI_API_KEY_2"]


def test_keys_of_one_provider_never_go_to_another():
    env = {"OPENAI_API_KEY": "k-a", "OPENAI_API_KEY_1": "k-b", "GROQ_API_KEY": "k-g"}
    transport = FakeTransport(ANSWER)
    found = registry(env=env, transport=transport).resolve_all(
        "openai/m", base_url="https://api.groq.com/openai/v1"
    )
    for endpoint in found:
        asyncio.run(endpoint.send(ASKED, timeouts=Timeouts()))
    assert [request.headers["authorization"] for request in transport.sent] == ["Bearer k-g"]


def test_a_users_own_model_goes_before_all_others():
    async def mine(request):
        return Response(text="mine")

    found = registry(env={}, callables={"openai/gpt-4o": mine, "mine": mine})
    for name in ("openai/gpt-4o", "openai:gpt-4o", "mine"):
        endpoint = found.resolve(name)
        assert isinstance(endpoint, CallableEndpoint)
        assert asyncio.run(endpoint.send(ASKED, timeouts=Timeouts())).text == "mine"


def test_a_users_own_model_is_suggested():
    with pytest.raises(ConfigError, match=r"did you mean lab/scorer\?"):
        registry(env={}, callables={"lab/scorer": None}).resolve("lab/scorers")


def test_builtin_rules_are_what_the_call_brings():
    found = registry(env={})
    one = found.resolve("builtin/rules", rules=lambda _: "one")
    two = found.resolve("builtin:rules", rules=lambda _: "two")
    assert isinstance(one, RulesEndpoint)
    answers = [asyncio.run(rules.send(ASKED, timeouts=Timeouts())).text for rules in (one, two)]
    assert answers == ["one", "two"]
    assert "brings none" in refused("builtin/rules")


def test_an_endpoint_is_made_once_and_shares_the_transport():
    transports = []

    def make():
        transports.append(FakeTransport(ANSWER))
        return transports[-1]

    found = Registry(make, env={"OPENAI_API_KEY": KEY})
    assert transports == []
    assert found.resolve("openai/a") is found.resolve("openai/a")
    assert found.resolve("openai/b") is not found.resolve("openai/a")
    assert len(transports) == 1
    asyncio.run(found.aclose())
    asyncio.run(found.aclose())
    assert transports[0].closed


def test_nothing_is_opened_for_a_name_that_cannot_be_used():
    found = Registry(lambda: pytest.fail("a transport was opened"), env={})
    for model in ("openai/m", "nonsense/x", "anthropic/c"):
        with pytest.raises(ConfigError):
            found.resolve(model)
    asyncio.run(found.aclose())


def test_the_listing_says_which_keys_are_there():
    env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "https://env.example/v1"}
    listing = {listed.name: listed for listed in registry(env=env).listing()}
    assert listing["openai"].has_key
    assert listing["openai"].base_url == "https://env.example/v1"
    assert not listing["groq"].has_key
    assert (listing["ollama"].needs_key, listing["ollama"].note) == (False, "needs no key")
    assert listing["anthropic"].dialect == "messages"
    assert listing["openai"].keys == ("OPENAI_API_KEY",)
    assert listing["azure"].note == "set AZURE_OPENAI_BASE_URL"
