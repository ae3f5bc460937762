"""Several things at once, and none of their work left behind: parallel, settle, race, fallback."""
