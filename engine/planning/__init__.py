"""Decide what is stale and what must run: pure functions over values."""
