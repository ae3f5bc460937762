"""What people are asked for: an idea, who writes, who judges."""

from __future__ import annotations

from fanwise.pipelines import MODEL_PARAMETERS, Field
from fanwise.pipelines.fields import RULES_MODEL
from fanwise.pipelines.hooks.criteria import CRITERIA
from fanwise.pipelines.hooks.job import AUDIENCES, CONTENT_TYPES

FIELDS = (
    Field(
        name="post_idea",
        label="Idea of the post",
        kind="long",
        required=True,
        help="What it is about, in 10 to 1000 characters.",
    ),
    Field(name="industry", label="Industry", help="Whose post it is; may be empty."),
    Field(
        name="target_audience",
        label="Readers",
        kind="choice",
        choices=AUDIENCES,
        default="intermediate",
    ),
    Field(
        name="content_type",
        label="Kind of post",
        kind="choice",
        choices=CONTENT_TYPES,
        default="tip",
    ),
    Field(
        name="models",
        label="Writer",
        kind="models",
        default=[RULES_MODEL],
        help="One to six models as provider/model; builtin/rules needs no key.",
    ),
    Field(
        name="judge",
        label="Judge",
        kind="model",
        default=RULES_MODEL,
        help="Who scores every hook.",
    ),
    Field(
        name="focus_skills",
        label="What counts most",
        kind="some",
        choices=tuple(CRITERIA),
        help="At most three; they share 60 % of the weight.",
    ),
    Field(
        name="compare",
        label="Compare the best hooks of the models with each other",
        kind="bool",
        default=False,
    ),
    Field(
        name="validator",
        label="Second judge",
        kind="model",
        extra=True,
        help="Who checks every judgement; nobody where it is empty.",
    ),
    Field(
        name="repeats",
        label="Judgements of each hook",
        kind="number",
        default=1,
        extra=True,
        help="1 to 5. From 2 on the spread of the scores is known; rules take 1.",
    ),
    MODEL_PARAMETERS,
)
