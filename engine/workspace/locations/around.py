"""Around: what a code location works in, when some of its assets are needed: those, and what they read of others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.partitions.resolution import DynamicKeys
from deltaworks.engine.definitions.policies import RetryPolicy
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.engine.workspace.environments import Environment
from deltaworks.engine.workspace.loading import load_modules
from deltaworks.engine.workspace.locations.stubs import without_asking
from deltaworks.errors import RequestError


@dataclass(frozen=True)
class Surroundings:
    """What a location is to work in: its own assets by name, and those of others that they read, as values."""

    own: tuple[str, ...]
    """The assets of the location that are needed; the others are not related to anything."""
    judged: tuple[str, ...]
    """Those of them whose checks are needed, too."""
    others: tuple[Asset[..., Any], ...]
    now: dt.datetime
    keys: DynamicKeys | None
    retries: Mapping[str, RetryPolicy | None]
    """By asset, how often it is tried again in this run."""

    def related(self, definitions: Definitions) -> tuple[Definitions, AssetGraph]:
        """Return what a location defines with what it reads, and their graph.

        Raises:
            RequestError: it does not define an asset any more.
            DefinitionError: they do not fit together.
        """
        known = {str(asset.key): asset for asset in definitions.assets}
        gone = [name for name in self.own if name not in known]
        if gone:
            raise RequestError(f"It does not define {', '.join(gone)} any more; run the command again.")
        own = [replace(known[name], retry=self.retries.get(name, known[name].retry)) for name in self.own]
        checks = [check for check in definitions.checks if str(check.asset) in self.judged]
        related = Definitions([*own, *map(without_asking, self.others)], definitions.resources, checks)
        return related, build_graph(related, self.now, self.keys)


@dataclass(frozen=True, slots=True)
class PartRecipe:
    """How a worker process of a location loads what its part needs. It pickles."""

    modules: tuple[str, ...]
    folder: Path
    environment: Environment | None
    around: Surroundings

    @property
    def now(self) -> dt.datetime:
        """When partitions without an end are taken to end."""
        return self.around.now

    @property
    def keys(self) -> DynamicKeys | None:
        """Those of dynamic partitions."""
        return self.around.keys

    def load(self) -> tuple[Definitions, AssetGraph]:
        """Import the location's modules, and relate what they define as it was."""
        definitions = load_modules(self.modules, self.folder)
        return self.around.related(
            definitions if self.environment is None else self.environment.applied_to(definitions)
        )
