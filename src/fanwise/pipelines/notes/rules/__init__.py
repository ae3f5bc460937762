"""What ``builtin/rules`` answers: notes in the recording's own sentences, chosen by counting."""

from __future__ import annotations

from fanwise.pipelines.notes.rules.answer import RULES_VERSION, note_rules, part_rules

__all__ = ["RULES_VERSION", "note_rules", "part_rules"]
