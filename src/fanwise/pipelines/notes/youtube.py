"""Transcripts and descriptions of videos from YouTube, through ``youtube-transcript-api``."""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import Any, cast

import fanwise as fw
from fanwise.errors import ConfigError, InputError
from fanwise.pipelines.notes.guard import MAX_BYTES, check_url, is_public
from fanwise.pipelines.notes.links import watch_url
from fanwise.pipelines.notes.records import Source
from fanwise.pipelines.notes.video import NoSuchVideo

_TIMEOUT_S = (10.0, 30.0)
_CHUNK = 65536
_DETAILS = re.compile(r'"videoDetails"\s*:\s*')
_MISSING = frozenset({"VideoUnavailable", "InvalidVideoId"})
_HINT = "save its captions as .vtt or .srt and give the file"


def fetch_source(video: str, *, language: str, mode: str) -> Source:
    """A video's transcript or description. Blocks: to be called in a thread.

    Args:
        video: Its id.
        language: The code of the captions that are wanted; empty for English, else whatever there
            is.
        mode: ``transcript`` or ``metadata``.

    Raises:
        ConfigError: The extra ``transcripts`` is not installed.
        InputError: There is no such video, it has no such captions, or YouTube did not answer.
    """
    api = _library()
    with _session() as session:
        if mode == "metadata":
            return _described(session, video)
        try:
            listed = api.YouTubeTranscriptApi(http_client=session).list(video)
            chosen = _chosen(api, listed, language)
            fetched = chosen.fetch()
        except fw.errors.FanwiseError:
            raise
        except Exception as error:
            missing = type(error).__name__ in _MISSING
            raise (NoSuchVideo if missing else InputError)(
                f"its transcript could not be fetched: {_reason(error)}",
                source=watch_url(video),
                hint=_HINT,
            ) from error
        entries = fetched.to_raw_data()
        found = fw.documents.parse_transcript(json.dumps(entries), "json", source=watch_url(video))
        about = _quietly_described(session, video)
        return Source(
            id=video,
            transcript=found,
            title=about.title,
            author=about.author,
            description=about.description,
            language=str(fetched.language_code),
            video=video,
            duration_s=found.duration_s,
        )


def _library() -> Any:
    try:
        return import_module("youtube_transcript_api")
    except ImportError as error:
        raise ConfigError(
            "fetching a transcript needs the extra 'transcripts'",
            hint="pip install 'fanwise[transcripts]', or give a transcript file",
        ) from error


def _chosen(api: Any, listed: Any, language: str) -> Any:
    if language:
        return listed.find_transcript([language])
    try:
        return listed.find_transcript(["en"])
    except api.NoTranscriptFound:
        return next(iter(listed))


def _reason(error: Exception) -> str:
    """The library's reason in one line: its own text is a page long."""
    cause = getattr(error, "cause", "") or str(error) or type(error).__name__
    return " ".join(str(cause).split())[:300]


def _quietly_described(session: Any, video: str) -> Source:
    """A description, which is welcome and not needed."""
    try:
        return _described(session, video)
    except InputError:
        return Source(id=video, video=video)


def _described(session: Any, video: str) -> Source:
    requests: Any = import_module("requests")
    address = watch_url(video)
    try:
        page = session.get(address)
        page.raise_for_status()
    except requests.RequestException as error:
        raise InputError(
            f"its page could not be fetched: {_reason(error)}", source=address
        ) from error
    return source_of_page(video, page.text)


def source_of_page(video: str, page: str) -> Source:
    """What a video's page says of it.

    Raises:
        InputError: It says nothing.
    """
    details: Any = None
    for opening in _DETAILS.finditer(page):
        try:
            details, _ = json.JSONDecoder().raw_decode(page, opening.end())
            break
        except ValueError:
            continue
    found = cast("dict[str, Any]", details) if isinstance(details, dict) else {}
    if not found.get("title"):
        raise NoSuchVideo(
            "its page says nothing of it: removed, private, or not shown to this machine",
            source=watch_url(video),
            hint=_HINT,
        )
    length = str(found.get("lengthSeconds", ""))
    return Source(
        id=video,
        title=str(found["title"]),
        author=str(found.get("author", "")),
        description=str(found.get("shortDescription", "")),
        video=video,
        duration_s=float(length) if length.isdigit() else None,
    )


def _session() -> Any:
    """A session that asks no other host than YouTube, and none at an address that is not public."""
    requests: Any = import_module("requests")
    adapters: Any = import_module("requests.adapters")
    connection: Any = import_module("urllib3.connection")
    pools: Any = import_module("urllib3.connectionpool")

    base: Any = connection.HTTPSConnection

    def reached(self: Any) -> Any:
        """Connects, and closes the connection again unless it has reached a public address."""
        made: Any = base._new_conn(self)  # noqa: SLF001 - the one place where the peer is known
        peer = str(made.getpeername()[0])
        if not is_public(peer):
            made.close()
            raise InputError(f"{self.host} was reached at {peer}, no public address")
        return made

    connecting = type("Connection", (base,), {"_new_conn": reached})
    pool = type("Pool", (pools.HTTPSConnectionPool,), {"ConnectionCls": connecting})
    plain: Any = adapters.HTTPAdapter

    def make_pools(self: Any, *args: Any, **kwargs: Any) -> None:
        plain.init_poolmanager(self, *args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"https": pool}

    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        """Checks each request, those that follow a redirect too, and reads no endless answer."""
        check_url(request.url)
        kwargs |= {"stream": True, "timeout": kwargs.get("timeout") or _TIMEOUT_S}
        return _bounded(plain.send(self, request, **kwargs))

    adapter: Any = type("Adapter", (plain,), {"init_poolmanager": make_pools, "send": send})
    session = requests.Session()
    session.trust_env = False  # no proxy, no .netrc: the peer that is checked is the host itself
    session.max_redirects = 5
    session.mount("https://", adapter())
    session.mount("http://", adapter())
    return session


def _bounded(response: Any) -> Any:
    data = bytearray()
    for chunk in response.iter_content(_CHUNK):
        data += chunk
        if len(data) > MAX_BYTES:
            response.close()
            raise InputError(f"the answer is larger than {MAX_BYTES >> 20} MB", source=response.url)
    response._content = bytes(data)  # noqa: SLF001 - where requests keeps a body that was read
    return response
