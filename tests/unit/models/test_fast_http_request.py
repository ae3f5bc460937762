"""From a URL and headers to the bytes of a request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanwise import __version__
from fanwise.errors import ConfigError
from fanwise.models.http.fast_request import request_head, target_of


@pytest.mark.parametrize(
    ("url", "tls", "host", "port", "authority", "path"),
    [
        ("http://h/v1", False, "h", 80, "h", "/v1"),
        ("https://h/v1/", True, "h", 443, "h", "/v1/"),
        ("HTTPS://H.Example:8443", True, "h.example", 8443, "h.example:8443", "/"),
        ("http://h:80/x", False, "h", 80, "h", "/x"),
        ("http://h:443/x", False, "h", 443, "h:443", "/x"),
        ("http://h?a=1", False, "h", 80, "h", "/?a=1"),
        ("http://h/a?b=c#part", False, "h", 80, "h", "/a?b=c"),
        ("http://[::1]:11434/api", False, "::1", 11434, "[::1]:11434", "/api"),
        ("http://[::1]/api", False, "::1", 80, "[::1]", "/api"),
        (
            "http://bücher.example/x",
            False,
            "xn--bcher-kva.example",
            80,
            "xn--bcher-kva.example",
            "/x",
        ),
        ("http://h/a b/é?q=ü%20x", False, "h", 80, "h", "/a%20b/%C3%A9?q=%C3%BC%20x"),
        ("http://h/a:b@c;d,e(1)*'!$&+~", False, "h", 80, "h", "/a:b@c;d,e(1)*'!$&+~"),
    ],
)
def test_urls(url: str, *, tls: bool, host: str, port: int, authority: str, path: str) -> None:
    target = target_of(url)
    assert (target.tls, target.host, target.port) == (tls, host, port)
    assert (target.authority, target.path) == (authority, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h/v1",
        "//h/v1",
        "ftp://h/x",
        "http://",
        "http:///x",
        "http://h:0x50/",
        "http://h:70000/",
        "http://h h/",
        "http://[::1/",
        "http://a..b/",
        "http://" + "a" * 64 + "/",
        "http://h/\ud800",
        "http://user@h/",
        "http://user:secret@h/",
        "https://" + "ü" * 80 + ".example/",
    ],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        target_of(url)
    assert caught.value.hint
    assert "secret" not in str(caught.value)


@given(st.text())
def test_any_text_is_a_url_or_an_error_of_ours(text: str) -> None:
    for url in (text, f"http://{text}", f"http://h/{text}"):
        try:
            target = target_of(url)
        except ConfigError:
            continue
        head = request_head(target, method="POST", headers={}, body_bytes=0)
        assert head.count(b"\r\n") == 6
        assert head.count(b"\n") == 6
        assert head.split(b"\r\n")[0].count(b" ") == 2


def head_of(headers: dict[str, str], *, method: str = "POST", body_bytes: int = 2) -> bytes:
    return request_head(
        target_of("http://h:8/p"), method=method, headers=headers, body_bytes=body_bytes
    )


def test_what_is_added_to_the_headers() -> None:
    assert head_of({"Authorization": "Bearer k"}) == (
        b"POST /p HTTP/1.1\r\nAuthorization: Bearer k\r\nhost: h:8\r\n"
        b"accept-encoding: gzip, deflate\r\nuser-agent: fanwise/%b\r\ncontent-length: 2\r\n\r\n"
        % __version__.encode()
    )
    own = {"HOST": "other", "Accept-Encoding": "identity", "User-agent": "me"}
    assert head_of(own) == (
        b"POST /p HTTP/1.1\r\nHOST: other\r\nAccept-Encoding: identity\r\nUser-agent: me\r\n"
        b"content-length: 2\r\n\r\n"
    )
    assert b"content-length: 0" in head_of({}, body_bytes=0)
    assert b"content-length" not in head_of({}, method="GET", body_bytes=0)


@pytest.mark.parametrize(
    "headers",
    [
        {"": "v"},
        {"a b": "v"},
        {"a:b": "v"},
        {"a\r\nb": "v"},
        {"a\nb": "v"},
        {"é": "v"},
        {"a": "v\r\nb: w"},
        {"a": "v\n"},
        {"a": "v\r"},
        {"a": "v\0"},
        {"a": "\ud800"},
        {"a": "x", "b": "\r\n\r\nGET / HTTP/1.1"},
        {"content-length": "9"},
        {"Transfer-Encoding": "chunked"},
        {"CONNECTION": "close"},
        {"Expect": "100-continue"},
    ],
)
def test_headers_that_would_break_the_message_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        head_of(headers)


def test_a_key_with_a_line_end_is_named_by_its_header_and_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        head_of({"Authorization": "Bearer sk-secret\n"})
    assert "Authorization" in caught.value.message
    assert "sk-secret" not in str(caught.value)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4))
def test_any_headers_make_one_head_or_an_error_of_ours(headers: dict[str, str]) -> None:
    try:
        head = head_of(headers)
    except ConfigError:
        return
    lines = head.split(b"\r\n")
    assert lines[-2:] == [b"", b""]
    assert b"" not in lines[:-2]
    assert b"\n" not in head.replace(b"\r\n", b"")
    assert b"\r" not in head.replace(b"\r\n", b"")
    assert len(lines) - 2 == 1 + len(headers) + 4 - len(
        {"host", "accept-encoding", "user-agent"} & {name.lower() for name in headers}
    )


@pytest.mark.parametrize("method", ["PUT", "get", "", "POST /x HTTP/1.1\r\nGET"])
def test_other_methods_are_refused(method: str) -> None:
    with pytest.raises(ConfigError):
        head_of({}, method=method)
