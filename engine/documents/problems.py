"""Problems: what keeps a status from being known: tables that cannot be read, and sources not observed of late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deltaworks.engine.documents.instants import instant_text

if TYPE_CHECKING:
    from deltaworks.engine.definitions.keys import AssetKey
    from deltaworks.engine.execution.observe import Observation
    from deltaworks.engine.planning.graph import AssetGraph


@dataclass(frozen=True, slots=True)
class Problems:
    """Those of a lake, by asset."""

    faults: Mapping[AssetKey, str]
    """The tables of others that cannot be read, and why."""
    lapses: Mapping[AssetKey, str]
    """The sources whose last observation failed: since when, and why."""
    held: Mapping[AssetKey, AssetKey]
    """What is below a table that cannot be read, with that table."""

    @classmethod
    def of(cls, observation: Observation, graph: AssetGraph) -> Problems:
        """Return the problems of a lake as it was read."""
        # Imported here: --help must not load Polars and pandera.
        from deltaworks.engine.planning.left_out import without

        lapses: dict[AssetKey, str] = {}
        for key, found in observation.status.items():
            lapse = found.state.lapse
            if lapse is not None:
                reason = plain_reason(str(key), "", lapse.reason)
                lapses[key] = f"not observed since {instant_text(lapse.since)} UTC: {reason}"
        held = {key: fault for key, fault in without(graph, observation.faults).items() if key != fault}
        return cls(observation.faults, lapses, held)

    def json(self, key: AssetKey) -> dict[str, str]:
        """Return what there is to say of an asset."""
        problem = self.faults.get(key) or self.lapses.get(key)
        held = {"held_by": str(self.held[key])} if key in self.held else {}
        return held if problem is None else {"problem": problem, **held}


def plain_reason(asset: str, key: str, error: str) -> str:
    """Return why a partition failed without its name before it, so that the same reason reads the same."""
    return error.removeprefix(f"{asset} {key}".rstrip() + ": ")
