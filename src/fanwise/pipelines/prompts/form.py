"""What people are asked for: a table, prompts, models."""

from __future__ import annotations

from fanwise.pipelines import MODEL_PARAMETERS, Field

FIELDS = (
    Field(
        name="file",
        label="Table",
        kind="file",
        required=True,
        accept=".csv,.jsonl,.ndjson,.json,.parquet",
        help="JSONL, CSV or Parquet: each row is an item. OpenAI Batch lines go out as they are.",
    ),
    Field(
        name="prompts",
        label="Prompt",
        kind="texts",
        help="What to ask of each row; {{ column }} stands for its value. Empty for Batch lines.",
    ),
    Field(
        name="models",
        label="Model",
        kind="models",
        help="As provider/model; every row goes to each of them. sim/… is a rehearsal.",
    ),
    Field(
        name="limit",
        label="Most rows",
        kind="number",
        help="Takes so many rows from the beginning; all where it is empty.",
    ),
    Field(
        name="schema",
        label="Shape of the answers",
        kind="json",
        extra=True,
        help="A JSON Schema; without one answers are text.",
    ),
    MODEL_PARAMETERS,
)
