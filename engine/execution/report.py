"""RunReport: what came of a run, for whoever started it; the ledger keeps less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.events import PartitionBlocked, PartitionSkipped
from deltaworks.engine.execution.look import Observed
from deltaworks.engine.execution.task import Broken
from deltaworks.io.rejects import LeftOut
from deltaworks.io.run_entry import RunEntry


@dataclass(frozen=True)
class RunReport:
    """How a run ended."""

    entry: RunEntry
    """As the ledger keeps it."""
    blocked: tuple[PartitionBlocked, ...]
    """What was not tried, since something that it is made from failed or is not there any more."""
    skipped: tuple[PartitionSkipped, ...]
    """What somebody else made meanwhile."""
    observed: tuple[Observed, ...] = ()
    """What came of the sources that were observed before it was planned."""
    broken: Mapping[tuple[str, str | None], Broken] = field(default_factory=dict[tuple[str, str | None], Broken])
    """By asset and partition as a failure names them, what is known of those whose rows were judged."""
    left_out: Mapping[AssetKey, LeftOut] = field(default_factory=dict[AssetKey, LeftOut])
    """How many rows the commits left out."""
    left_calls: int = 0
    """How many calls still ran when the run was canceled and went without them; they end with the process."""
