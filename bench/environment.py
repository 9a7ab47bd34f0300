"""Environments of the others: interpreters that have them installed, and none of this engine."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BENCH = Path(__file__).parent
FOLDER = BENCH / ".environments"
QUIET = {"DAGSTER_DISABLE_TELEMETRY": "1", "PYTHONWARNINGS": "ignore"}
VERSIONS = "import json, sys; from rows import installed; print(json.dumps(installed(sys.argv[1:])))"


@dataclass(frozen=True, slots=True)
class Environment:
    """A folder with an interpreter and what is installed for it."""

    name: str

    def program(self, name: str) -> str:
        """Return the path of one of its programs.

        Raises:
            SystemExit: the environment was not made.
        """
        found = FOLDER / self.name / "bin" / name
        if not found.exists():
            raise SystemExit(f"there is no {name} in bench/.environments/{self.name}: run `make bench-peers`")
        return str(found)

    def answer(self, *arguments: str) -> Any:
        """Return what its interpreter prints as its last line, read as JSON.

        Raises:
            SystemExit: it failed, and the sentence has what it printed.
        """
        command = [self.program("python"), *arguments]
        environ = {**os.environ, **QUIET, "PYTHONPATH": str(BENCH)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])

    def versions(self, *packages: str) -> Mapping[str, str]:
        """Return the versions of its interpreter and of packages that it has."""
        versions: Mapping[str, str] = self.answer("-c", VERSIONS, *packages)
        return versions
