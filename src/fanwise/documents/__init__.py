"""Text and rows out of files."""
