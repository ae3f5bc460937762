"""A provider in virtual time: limits, latencies and faults as events, without any waiting."""
