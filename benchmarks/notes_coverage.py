"""How much of a recording the rules' notes cite, and how much of it stands in them.

    python -m benchmarks.notes_coverage [TRANSCRIPT …]

For every template at every depth: the share of the transcript's cue ranges (passages) that some
section cites, the share of them of which a sentence of at least four words stands in the note, and
its words. Without a file, the bundled sample.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence

from fanwise.pipelines.notes import PIPELINE, DepthNote, NotesResult, notes
from fanwise.pipelines.notes.catalogue import NAMES
from fanwise.pipelines.notes.passages import clock, cut
from fanwise.pipelines.notes.records import Passage
from fanwise.pipelines.notes.rules.text import sentences_of


def quoted(depth: DepthNote, passages: Sequence[Passage]) -> float:
    """Share of the passages of which a sentence stands in a note word for word."""
    text = " ".join(section.markdown for section in depth.sections)
    found = {one.passage for one in sentences_of(passages) if one.length >= 4 and one.text in text}
    return len(found) / len(passages)


async def write(path: str) -> NotesResult:
    with tempfile.TemporaryDirectory() as home:
        return await notes(path, templates=NAMES, verbosity="all", journal=home, stagger_s=0.0)


def main() -> None:
    for path in sys.argv[1:] or [str(PIPELINE.sample_path)]:
        begun_s = time.process_time()
        result = asyncio.run(write(path))
        spent_s = time.process_time() - begun_s
        transcript = result.source.transcript
        passages = cut(transcript)
        print(
            f"{result.source.title}: {clock(transcript.duration_s or 0)}, {len(transcript.cues)} "
            f"cues in {len(passages)} passages, {max(1, len(result.parts))} parts, "
            f"{spent_s:.1f} s of processor time"
        )
        last = 0
        for passage in passages:
            assert passage.cues[0] == last
            last = passage.cues[1] + 1
        assert last == len(transcript.cues)
        print(f"{'template':22}{'depth':15}{'cited':>7}{'quoted':>8}{'words':>7}")
        for note in result.notes:
            for depth in note.depths:
                cited = len(depth.cited) / len(passages)
                print(
                    f"{note.template:22}{depth.depth:15}{cited:7.0%}"
                    f"{quoted(depth, passages):8.0%}{depth.words:7,}"
                )


if __name__ == "__main__":
    main()
