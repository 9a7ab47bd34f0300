"""Ops, graphs and jobs: work that is not a table, and what puts it together."""
