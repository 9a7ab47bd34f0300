"""StepJournal: how the steps of a run ended, written down so that a later run can go on from there."""

from __future__ import annotations

import time
from collections.abc import Mapping

from deltaworks.engine.execution.step_values import StepValues
from deltaworks.engine.planning.step_agenda import Fate, StepEnd
from deltaworks.engine.planning.step_graph import StepId
from deltaworks.io.dtypes import Json
from deltaworks.io.step_records import StepRecords

_EVERY_S = 0.5
"""Ends that come faster are written together: a run of ten thousand small steps would else write ten thousand files."""


class StepJournal:
    """The ends of one run's steps, on their way to the lake."""

    def __init__(self, records: StepRecords | None) -> None:
        self._records = records
        self._waiting: list[Json] = []
        self._written = 0
        self._written_s = 0.0

    def note(self, step: StepId, address: str, end: StepEnd, stored: Json, tries: int) -> None:
        """Note how a step ended; `stored`: where what it gave is."""
        self._waiting.append(
            {
                "step": address,
                "path": list(step.path),
                "keys": list(step.keys),
                "fate": end.fate.value,
                "reason": end.reason,
                "given": sorted(end.given),
                "fans": {output: list(keys) for output, keys in end.keys.items()},
                "values": stored,
                "tries": tries,
            }
        )

    def write(self, *, at_once: bool = False) -> None:
        """Write what was noted, unless that was done a moment ago.

        Raises:
            StorageError: the lake cannot be written.
        """
        now_s = time.monotonic()
        if self._records is None or not self._waiting or (now_s - self._written_s < _EVERY_S and not at_once):
            return
        self._written += 1
        self._records.write_ends(self._written, self._waiting)
        self._waiting = []
        self._written_s = now_s


def read_journal(records: StepRecords, values: StepValues) -> dict[StepId, tuple[StepEnd, Json]]:
    """Return how the steps of an earlier run ended, and where it stored what they gave, which `values` takes over.

    A step that gave something which could not be stored counts as not run.

    Raises:
        StorageError: what was recorded is damaged.
    """
    found: dict[StepId, tuple[StepEnd, Json]] = {}
    for each in records.read_ends():
        step = StepId(tuple(each["path"]), tuple(each["keys"]))
        keys = {output: tuple(names) for output, names in each["fans"].items()}
        end = StepEnd(Fate(each["fate"]), frozenset(each["given"]), keys, each["reason"])
        found[step] = end, each["values"]
    whole = {step: each for step, each in found.items() if not _lacks(each[1])}
    for step, (_, stored) in whole.items():
        values.recorded(step, stored)
    return whole


def _lacks(stored: Mapping[str, Json]) -> bool:
    """Return whether something is stored nowhere."""
    return any("lost" in place for where in stored.values() for place in _places(where))


def _places(where: Json) -> list[Json]:
    """Return where an output is; of a dynamic one each key stands with where its value is."""
    fan: list[list[Json]] = where if isinstance(where, list) else [[{}, where]]  # pyright: ignore[reportUnknownVariableType]
    return [each[1] for each in fan]
