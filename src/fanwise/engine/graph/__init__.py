"""Graphs: steps that depend on each other, each started the moment its own inputs are there."""
