"""Which proxy an environment names for a URL."""

from __future__ import annotations

import pytest

from fanwise.errors import ConfigError
from fanwise.models.http.proxies import proxy_for, proxy_rules


def named(url: str, **environ: str) -> str | None:
    return proxy_for(url, proxy_rules(environ))


def test_each_scheme_has_its_own_variable() -> None:
    environ = {"HTTP_PROXY": "http://p:1", "HTTPS_PROXY": "http://p:2"}
    assert named("http://h/x", **environ) == "http://p:1"
    assert named("https://h/x", **environ) == "http://p:2"
    assert named("https://h/x", HTTP_PROXY="http://p:1") is None


def test_lower_case_wins_and_empty_means_none() -> None:
    assert named("http://h/", http_proxy="http://low:1", HTTP_PROXY="http://up:1") == "http://low:1"
    assert named("http://h/", http_proxy="", HTTP_PROXY="http://up:1") is None


def test_all_proxy_stands_in_for_both() -> None:
    assert named("http://h/", ALL_PROXY="http://p:1") == "http://p:1"
    assert named("https://h/", all_proxy="http://p:1") == "http://p:1"
    assert named("https://h/", HTTPS_PROXY="http://q:1", ALL_PROXY="http://p:1") == "http://q:1"


def test_a_proxy_without_a_scheme_is_an_http_one() -> None:
    assert named("https://h/", HTTPS_PROXY="proxy.local:3128") == "http://proxy.local:3128"


def test_under_cgi_a_client_cannot_set_the_proxy() -> None:
    assert named("http://h/", HTTP_PROXY="http://evil:1", REQUEST_METHOD="GET") is None
    assert named("http://h/", http_proxy="http://mine:1", REQUEST_METHOD="GET") == "http://mine:1"


@pytest.mark.parametrize(
    ("entry", "url", "direct"),
    [
        ("*", "http://any.example/", True),
        ("h.example", "http://h.example/", True),
        ("h.example", "http://H.Example/", True),
        ("h.example", "http://sub.h.example/", True),
        (".h.example", "http://sub.h.example/", True),
        (".h.example", "http://h.example/", True),
        ("*.h.example", "http://sub.h.example/", True),
        ("h.example", "http://otherh.example/", False),
        ("h.example", "http://h.example.evil/", False),
        ("h.example:8080", "http://h.example:8080/", True),
        ("h.example:8080", "http://h.example/", False),
        ("h.example:80", "http://h.example/", True),
        ("h.example:443", "https://h.example/", True),
        ("h.example:80", "https://h.example/", False),
        ("10.0.0.0/8", "http://10.1.2.3/", True),
        ("10.0.0.0/8", "http://11.1.2.3/", False),
        ("10.0.0.0/8", "http://name.example/", False),
        ("10.0.0.0/99", "http://10.1.2.3/", False),
        ("127.0.0.1", "http://127.0.0.1:5000/", True),
        ("::1", "http://[::1]:5000/", True),
        ("[::1]:5000", "http://[::1]:5000/", True),
        ("[::1]:5001", "http://[::1]:5000/", False),
        ("fd00::/8", "http://[fd00::7]/", True),
        ("", "http://h.example/", False),
        (",, ,", "http://h.example/", False),
        ("a.example b.example", "http://b.example/", True),
    ],
)
def test_no_proxy(entry: str, url: str, *, direct: bool) -> None:
    got = named(url, HTTP_PROXY="http://p:1", HTTPS_PROXY="http://p:1", NO_PROXY=entry)
    assert (got is None) == direct


def test_a_socks_proxy_is_refused_with_a_remedy() -> None:
    with pytest.raises(ConfigError) as caught:
        named("https://h.example/", ALL_PROXY="socks5://user:secret@p:1080")
    assert "NO_PROXY" in caught.value.hint
    assert "secret" not in str(caught.value)
    assert named("https://h.example/", ALL_PROXY="socks5://p:1", NO_PROXY="h.example") is None


def test_rules_show_no_password() -> None:
    assert "secret" not in repr(proxy_rules({"HTTP_PROXY": "http://u:secret@p:1"}))
