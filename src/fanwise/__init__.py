"""Runs thousands of model and API calls at once and never loses an answer that was paid for."""

__version__ = "0.1.0"
