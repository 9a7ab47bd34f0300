"""Alerts: who is told of what goes wrong, once, and that it is over."""
