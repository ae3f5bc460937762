"""What is known for certain: runs, calls, outcomes and events on disk."""
