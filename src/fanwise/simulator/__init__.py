"""A provider of our own making, as a real server."""
