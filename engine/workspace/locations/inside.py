"""Inside: what the process of a code location has, once it has imported its code."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.execution.stop import Stop
from deltaworks.engine.workspace.environments import Environment


@dataclass
class Inside:
    """The code of one location."""

    name: str = ""
    modules: tuple[str, ...] = ()
    folder: Path = Path()
    definitions: Definitions = field(default_factory=Definitions)
    among_others: Definitions | None = None
    """These with the assets of the other locations; none: it was not told of them."""
    environment: Environment | None = None
    stops: list[Stop] = field(default_factory=list[Stop])
    """What asks the runs to end that go on here."""

    def stop(self, is_urgent: bool, reason: str | None) -> None:
        """Ask all that goes on here to end."""
        for each in self.stops:
            if is_urgent:
                each.cancel(reason)
            else:
                each.finish(reason)
