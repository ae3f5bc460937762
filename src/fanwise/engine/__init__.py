"""The only composer: maps, runs and journalled calls."""
