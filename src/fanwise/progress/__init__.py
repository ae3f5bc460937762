"""From events to a snapshot, from a snapshot to a report."""
