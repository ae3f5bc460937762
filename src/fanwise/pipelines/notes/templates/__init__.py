"""The six templates, as files."""
