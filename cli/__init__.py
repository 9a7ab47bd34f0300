"""The deltaworks command."""
