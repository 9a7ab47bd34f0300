"""Project settings and loading."""
