"""The `deltaworks` command: parse, call, render. Decisions are the engine's."""

from deltaworks.cli.app import main

__all__ = ["main"]
