"""How each provider counts: its quotas, what a request takes from them, what its answers tell."""
