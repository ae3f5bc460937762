"""Fanwise as a service: work is started over HTTP, watched live, steered and read.

``app`` puts the parts together. ``guard`` decides who comes in, ``supervisor`` carries accepted
work out, ``views`` and ``feeds`` show runs, whoever works on them, and ``routes`` is HTTP alone.
"""
