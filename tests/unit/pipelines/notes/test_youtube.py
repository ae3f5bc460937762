"""What is fetched from the network, and what never is."""

import socket
from types import SimpleNamespace
from typing import Any

import pytest

from fanwise.errors import ConfigError, InputError
from fanwise.pipelines.notes import youtube
from fanwise.pipelines.notes.guard import check_url, is_public

ID = "dQw4w9WgXcQ"
WATCH = f"https://www.youtube.com/watch?v={ID}"


def public(host: str) -> list[str]:
    return ["142.250.74.14"]


def test_youtube_over_https_at_public_addresses_may_be_asked() -> None:
    check_url(WATCH, look_up=public)


@pytest.mark.parametrize(
    "url",
    [
        f"http://www.youtube.com/watch?v={ID}",
        "https://www.youtube.com:8443/",
        "https://user:secret@www.youtube.com/",
        "https://www.youtube.com@127.0.0.1/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://www.youtube.com.example.com/",
        "https://metadata.google.internal/",
        "file:///etc/passwd",
        "https://www.youtube.com:abc/",
    ],
)
def test_other_schemes_hosts_and_ports_are_never_asked(url: str) -> None:
    with pytest.raises(InputError):
        check_url(url, look_up=public)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1",
     "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1",
     "224.0.0.1", "nonsense"],
)  # fmt: skip
def test_a_name_that_resolves_to_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(InputError, match="no public address"):
        check_url(WATCH, look_up=lambda host: ["142.250.74.14", address])


def test_a_name_that_does_not_resolve_is_told() -> None:
    def fails(host: str) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(InputError, match="cannot be resolved"):
        check_url(WATCH, look_up=fails)


def test_a_redirect_to_this_machines_network_is_not_followed(monkeypatch: Any) -> None:
    requests = pytest.importorskip("requests")
    asked: list[str] = []

    def answered(self: Any, request: Any, **kwargs: Any) -> Any:
        asked.append(request.url)
        response = requests.Response()
        response.status_code = 302
        response.headers["Location"] = "http://169.254.169.254/latest/meta-data"
        response.url = request.url
        response.request = request
        response.raw = SimpleNamespace(read=lambda *a, **k: b"", close=lambda: None, stream=None)
        response._content = b""
        response.iter_content = lambda size: iter(())
        return response

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", answered)
    monkeypatch.setattr(youtube, "check_url", lambda url: check_url(url, look_up=public))
    with youtube._session() as session, pytest.raises(InputError, match="only https"):
        session.get(WATCH)
    assert asked == [WATCH]


def test_a_connection_that_reaches_a_private_peer_is_closed_before_anything_is_sent(
    monkeypatch: Any,
) -> None:
    pytest.importorskip("requests")
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()
        monkeypatch.setattr(
            "urllib3.util.connection.create_connection",
            lambda *args, **kwargs: socket.create_connection(place),
        )
        monkeypatch.setattr(youtube, "check_url", lambda url: check_url(url, look_up=public))
        with youtube._session() as session, pytest.raises(InputError, match=r"reached at 127\.0"):
            session.get(WATCH)
        reached, _ = server.accept()
        with reached:
            assert reached.recv(100) == b""


class Listed:
    """What the library lists of a video."""

    language_code = "de"

    def __init__(self, languages: list[str]) -> None:
        self.languages = languages

    def __iter__(self) -> Any:
        return iter([self])

    def find_transcript(self, wanted: list[str]) -> Any:
        if not set(wanted) & set(self.languages):
            raise LookupError(f"no {wanted}")
        return self

    def fetch(self) -> Any:
        return self

    def to_raw_data(self) -> list[dict[str, Any]]:
        return [{"text": "Hallo &amp; willkommen", "start": 0.0, "duration": 2.0}]


def library(languages: list[str]) -> Any:
    def api(*, http_client: Any) -> Any:
        return SimpleNamespace(list=lambda video: Listed(languages))

    return SimpleNamespace(YouTubeTranscriptApi=api, NoTranscriptFound=LookupError)


def test_captions_are_those_asked_for_else_english_else_any(monkeypatch: Any) -> None:
    monkeypatch.setattr(youtube, "_library", lambda: library(["de"]))
    monkeypatch.setattr(youtube, "_described", lambda session, video: youtube.Source(id=video))
    found = youtube.fetch_source(ID, language="", mode="transcript")
    assert found.transcript.cues[0].text == "Hallo & willkommen"
    assert (found.language, found.video, found.duration_s) == ("de", ID, 2.0)
    with pytest.raises(InputError, match="could not be fetched: no \\['fr'\\]"):
        youtube.fetch_source(ID, language="fr", mode="transcript")


def test_without_the_extra_it_is_named(monkeypatch: Any) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(youtube, "import_module", missing)
    with pytest.raises(ConfigError, match="extra 'transcripts'"):
        youtube.fetch_source(ID, language="", mode="transcript")


def test_a_page_says_what_a_video_is() -> None:
    about = '{"title":"T","lengthSeconds":"61","author":"A","shortDescription":"0:00 a"}'
    page = f'<script>var x = {{"videoDetails":{about},"y":1}};</script>'
    found = youtube.source_of_page(ID, page)
    assert (found.title, found.author, found.description, found.duration_s) == (
        "T",
        "A",
        "0:00 a",
        61.0,
    )
    for nothing in ("", '"videoDetails": {', '"videoDetails": {}'):
        with pytest.raises(InputError, match="says nothing"):
            youtube.source_of_page(ID, nothing)
