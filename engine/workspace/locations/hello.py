"""Hello: the first thing that the process of a code location says, before it loads anything that may be missing."""

from __future__ import annotations

import importlib
import platform
from importlib.metadata import version

from deltaworks.engine.workspace.locations.wire import WIRE, ChildWire


def main() -> None:
    """Say what this process is, and answer what is asked."""
    wire = ChildWire.taken_over()
    wire.tell(
        {
            "wire": WIRE,
            "deltaworks": version("deltaworks"),
            "polars": version("polars"),
            "python": platform.python_version(),
        }
    )
    # Imported here: Polars and pandera take a second, and a host that does not understand this one need not wait.
    importlib.import_module("deltaworks.engine.workspace.locations.child").main(wire)
