"""What people are asked for: resumes, a posting, and the tone."""

from __future__ import annotations

from fanwise.pipelines import MODEL_PARAMETERS, Field
from fanwise.pipelines.fields import RULES_MODEL
from fanwise.pipelines.tailoring.job import LENGTHS, MODES, TONES

FIELDS = (
    Field(
        name="resumes",
        label="Resumes",
        kind="documents",
        required=True,
        accept=".pdf,.docx,.md,.txt,.json",
        help="1 to 100 files: PDF, DOCX, Markdown, text or JSON Resume.",
    ),
    Field(
        name="job_description",
        label="Posting",
        kind="long",
        required=True,
        help="The text of it, 100 to 15 000 characters.",
    ),
    Field(
        name="mode",
        label="How much may change",
        kind="choice",
        choices=MODES,
        default="PARTIAL",
        help="PARTIAL: summary, skills, order, a few lines. FULL: every line.",
    ),
    Field(name="tone", label="Tone", kind="choice", choices=TONES, default="professional"),
    Field(name="length", label="Length", kind="choice", choices=LENGTHS, default="thorough"),
    Field(
        name="models",
        label="Model",
        kind="models",
        default=[RULES_MODEL],
        help="As provider/model; where one fails, the next is asked.",
    ),
    Field(
        name="score_only",
        label="Only score; ask no model",
        kind="bool",
        default=False,
        extra=True,
    ),
    MODEL_PARAMETERS,
)
