"""Handover: a command that needs the code of a location is carried out once more, by the location's own interpreter.

What the host knows of the other locations stands in a file, so that the command there works on the same graph.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deltaworks.engine.workspace.locations.around import Surroundings
from deltaworks.engine.workspace.locations.values import from_json, to_json
from deltaworks.engine.workspace.locations.wire import WIRE
from deltaworks.errors import InvalidSettings

VARIABLE = "DELTAWORKS_HANDOVER"
"""The variable that names the file."""


@dataclass(frozen=True, slots=True)
class Handover:
    """What a command in a location's own interpreter is told."""

    location: str
    around: Surroundings


@contextmanager
def handed_over(handover: Handover) -> Generator[Mapping[str, str]]:
    """Yield the variables that hand over; what they name is gone afterwards."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump({"wire": WIRE, "handover": to_json(handover)}, file)
        file.flush()
        yield {VARIABLE: file.name}


def take_over(environ: Mapping[str, str]) -> Handover | None:
    """Return what this process was handed over; none: it is a host. What it starts is not handed over to.

    Raises:
        InvalidSettings: it does not understand it.
    """
    name = environ.get(VARIABLE)
    if name is None:
        return None
    os.environ.pop(VARIABLE, None)
    try:
        document = json.loads(Path(name).read_text(encoding="utf-8"))
        if document["wire"] != WIRE:
            raise ValueError("another version of deltaworks wrote it")
        handover: Handover = from_json(document["handover"])
    except (OSError, ValueError, KeyError, AttributeError, ImportError) as error:
        raise InvalidSettings(f"{VARIABLE} names a file that cannot be read ({error}); unset it") from error
    return handover
