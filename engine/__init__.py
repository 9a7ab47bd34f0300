"""What assets are, what is stale, and running it."""
