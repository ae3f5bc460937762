"""What people are asked for: a recording and the notes they want of it."""

from __future__ import annotations

from typing import get_args

from fanwise.pipelines import MODEL_PARAMETERS, Field
from fanwise.pipelines.fields import RULES_MODEL
from fanwise.pipelines.notes.catalogue import NAMES
from fanwise.pipelines.notes.job import Mode, Strategy, Verbosity

FIELDS = (
    Field(
        name="source",
        label="Recording",
        kind="file",
        link=True,
        required=True,
        accept=".vtt,.srt,.json,.txt",
        help="A transcript (VTT, SRT, JSON or text), or the address of a YouTube video.",
    ),
    Field(
        name="templates",
        label="Notes",
        kind="some",
        choices=NAMES,
        default=["basic-summary"],
    ),
    Field(
        name="verbosity",
        label="Depth",
        kind="choice",
        choices=get_args(Verbosity),
        default="standard",
    ),
    Field(
        name="models",
        label="Model",
        kind="models",
        default=[RULES_MODEL],
        help="As provider/model; each further one is asked where those before it have failed.",
    ),
    Field(
        name="strategy",
        label="Calls",
        kind="choice",
        choices=get_args(Strategy),
        default="per_depth",
        extra=True,
        help="One for each depth, or one for all of them.",
    ),
    Field(
        name="mode",
        label="Made from",
        kind="choice",
        choices=get_args(Mode),
        default="transcript",
        extra=True,
        help="What was said, or only what the publisher wrote about it.",
    ),
    Field(
        name="language",
        label="Language of the captions",
        extra=True,
        help="A code such as de; English where it is empty.",
    ),
    Field(
        name="video",
        label="Video of the transcript",
        extra=True,
        help="Its address: times in the notes then link to it.",
    ),
    Field(
        name="part_tokens",
        label="Tokens of a part",
        kind="number",
        default=6000,
        extra=True,
        help="A longer transcript is condensed in parts of about so many; 500 to 200 000.",
    ),
    Field(
        name="force",
        label="Write notes anew that are there already",
        kind="bool",
        default=False,
        extra=True,
    ),
    MODEL_PARAMETERS,
)
