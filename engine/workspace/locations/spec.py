"""LocationSpec: what the settings say about one code location."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deltaworks.engine.definitions.resources import EnvVar
from deltaworks.errors import LocationFailed

_OF_INTERPRETERS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
"""What tells one interpreter about its modules would mislead another."""


@dataclass(frozen=True, slots=True)
class LocationSpec:
    """One code location. It tells the names of secrets and where they are, and none of their values but its own."""

    name: str
    python: str
    """The interpreter: the path of its program."""
    modules: tuple[str, ...]
    folder: Path
    """Its working directory; its modules are imported from here."""
    environment: Mapping[str, str | EnvVar] = field(default_factory=dict[str, "str | EnvVar"])
    """Variables of its processes; an `EnvVar` is read from those of whoever starts them."""
    environment_file: Path | None = None
    """Where more of them stand, a `NAME=value` a line."""
    withheld: frozenset[str] = frozenset()
    """Variables that other locations take from whoever starts them: this one does not get them."""
    import_timeout_s: float = 60.0
    """How long importing its modules may take."""
    memory_mb: float = 4_000.0
    """How much memory that may take, in millions of bytes."""

    def environ(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of its processes.

        Args:
            base: those of whoever starts them.

        Raises:
            LocationFailed: one is not set, or the file cannot be read.
        """
        found = {
            name: value for name, value in base.items() if name not in self.withheld and name not in _OF_INTERPRETERS
        }
        found |= dict(self._of_file())
        for name, value in self.environment.items():
            if isinstance(value, EnvVar) and value.name not in base:
                raise LocationFailed(
                    self.name, f"it takes {name} from the environment variable {value.name}, which is not set"
                )
            found[name] = base[value.name] if isinstance(value, EnvVar) else value
        return found

    def _of_file(self) -> Iterator[tuple[str, str]]:
        if self.environment_file is None:
            return
        try:
            lines = self.environment_file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise LocationFailed(
                self.name, f"its environment_file {self.environment_file} cannot be read: {reason}"
            ) from error
        for number, line in enumerate(lines, start=1):
            text = line.strip().removeprefix("export ")
            if text and not text.startswith("#"):
                name, equals, value = text.partition("=")
                if not equals or not name.strip().isidentifier():
                    raise LocationFailed(
                        self.name,
                        f"{self.environment_file}:{number} is no NAME=value",  # it may be secret
                    )
                value = value.strip()
                is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
                yield name.strip(), value[1:-1] if is_quoted else value

    def refuse_no_interpreter(self) -> None:
        """Make sure that there is an interpreter and a folder to start it in.

        Raises:
            LocationFailed: there is none.
        """
        if not self.folder.is_dir():
            raise LocationFailed(self.name, f"there is no folder {self.folder}")
        path = Path(self.python)
        if not path.is_file():
            raise LocationFailed(
                self.name,
                f"there is no interpreter {self.python}; make its environment, or correct `python` in the settings",
            )
        if not os.access(path, os.X_OK):
            raise LocationFailed(self.name, f"{self.python} is no program that can be run")
