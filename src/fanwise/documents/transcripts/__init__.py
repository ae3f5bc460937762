"""Transcripts of speech: captions, their JSON forms, and plain text with or without times."""

from __future__ import annotations

from fanwise.documents.transcripts.read import parse_transcript, read_transcript
from fanwise.documents.transcripts.records import Cue, Transcript

__all__ = ["Cue", "Transcript", "parse_transcript", "read_transcript"]
