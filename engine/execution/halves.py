"""Halves: a range whose call failed is called again in two parts, until the partitions are known that make it fail."""

from __future__ import annotations

from collections.abc import Sequence

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.execution.agenda import Agenda
from deltaworks.engine.execution.events import EventSink, RunNoted
from deltaworks.engine.execution.task import Outcome


class Halves:
    """Of one run."""

    def __init__(self, agenda: Agenda, tell: EventSink) -> None:
        self._agenda, self._tell = agenda, tell
        self._known: set[tuple[AssetKey, int, int]] = set()

    def split(self, failed: Sequence[Outcome]) -> None:
        """Call both halves of the range of a call that failed; the partitions that are not at fault land.

        A range of n partitions costs 2n - 1 calls at most, all of them failing.

        Args:
            failed: what came of the assets that the call did not make; they share the range.
        """
        task, keys = failed[0].task, [each.task.asset for each in failed]
        middle = (task.first + task.last) // 2
        if (task.asset, task.first, task.last) not in self._known:
            self._tell(RunNoted(f"made again in halves, since it failed: {failed[0].failures[task.first]}"))
        for first, last in ((task.first, middle), (middle + 1, task.last)):
            self._known.add((task.asset, first, last))
            self._agenda.call_again(keys, first, last)
