"""Automation conditions: which partitions they ask for at a tick, and why not the others."""
