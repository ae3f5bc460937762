"""What to do about a failure: classify it, decide, wait."""
