"""How fast: quotas, concurrency, and the one permit behind which both stand."""
