"""Where recordings come from: files, and videos that are fetched once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import fanwise as fw
from fanwise.pipelines.notes.records import Source
from fanwise.pipelines.notes.tables import keep_source, known_source
from fanwise.pipelines.notes.video import video_id


class Fetch(Protocol):
    """Fetches what there is of a video; called in a thread."""

    def __call__(self, video: str, *, language: str, mode: str) -> Source:
        """Its transcript or description.

        Raises:
            InputError: There is none, or it cannot be fetched.
        """
        ...


class Videos:
    """Videos by id, each fetched once, however many ask for it at the same time.

    One for several jobs at once lets these share their fetches. What was fetched is kept in the
    store and not fetched again.

    Args:
        store: The pipeline's tables; ``None`` keeps nothing.
        fetch: What fetches; from YouTube by default.
        now: The time in epoch seconds.
    """

    def __init__(
        self,
        store: fw.Store | None = None,
        *,
        fetch: Fetch | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._fetch = fetch
        self._now = now
        self._loader: fw.Loader[tuple[str, str, str], Source] = fw.Loader(self._all, max_batch=1)

    async def __aenter__(self) -> Self:
        await self._loader.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._loader.__aexit__(kind, error, trace)

    async def load(self, video: str, *, language: str, mode: str) -> Source:
        """What there is of a video.

        Raises:
            InputError: There is none, or it cannot be fetched.
            ConfigError: What fetches it is not installed.
        """
        return await self._loader.load((video, language, mode))

    async def _all(
        self, keys: Sequence[tuple[str, str, str]]
    ) -> Mapping[tuple[str, str, str], Source]:
        return {key: await self._one(*key) for key in keys}

    async def _one(self, video: str, language: str, mode: str) -> Source:
        key = sha256(f"{video} {language} {mode}".encode()).hexdigest()
        if self._store is not None:
            found = await self._store.read(lambda connection: known_source(connection, key))
            if found is not None:
                return source_from_json(found)
        fetch = self._fetch
        if fetch is None:
            from fanwise.pipelines.notes.youtube import fetch_source as fetch
        source = await asyncio.to_thread(fetch, video, language=language, mode=mode)
        if self._store is not None:
            kept, at = asdict(source), self._now()
            await self._store.write(lambda c: keep_source(c, key, kept, at=at))
        return source


def source_from_json(found: Mapping[str, Any]) -> Source:
    """A source as the store keeps it."""
    kept: Any = found.get("transcript")
    fields: dict[str, Any] = {**found, "transcript": None}
    if kept is not None:
        spoken: dict[str, Any] = dict(kept)
        spoken["cues"] = [fw.documents.Cue(**cue) for cue in kept["cues"]]
        fields["transcript"] = fw.documents.Transcript(**spoken)
    return Source(**fields)


def read_file(path: str, *, video: str = "") -> Source:
    """The recording in a file. Blocks.

    Args:
        path: A ``.vtt``, ``.srt``, ``.json`` or ``.txt`` file.
        video: Address or id of the video it belongs to.

    Raises:
        InputError: It cannot be read.
    """
    found = fw.documents.read_transcript(path)
    linked = video_id(video) if video else _id_or_nothing(found.video)
    said = "\n".join(f"{cue.start_s} {cue.speaker} {cue.text}" for cue in found.cues)
    digest = sha256(said.encode("utf-8", "replace")).hexdigest()[:16]
    return Source(
        id=f"{linked}:{digest}" if linked else digest,
        transcript=found,
        title=found.title or _title_of(path),
        author=found.author,
        description=found.description,
        language=found.language,
        video=linked,
        duration_s=found.duration_s,
    )


def _id_or_nothing(text: str) -> str:
    try:
        return video_id(text) if text else ""
    except fw.errors.ConfigError:
        return ""


def _title_of(path: str) -> str:
    return " ".join(Path(path).stem.replace("_", " ").replace("-", " ").split()).capitalize()
