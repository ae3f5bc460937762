"""Steering a run from another process: orders, their socket, and who carries them out."""
