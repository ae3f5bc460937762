"""Tracking numbers in text: formats, check digits, and the words around a number."""
