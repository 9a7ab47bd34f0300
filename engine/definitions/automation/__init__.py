"""Schedules and sensors: what asks for runs by itself."""
