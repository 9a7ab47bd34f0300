"""StepJournal: how the steps of a run ended, written down so that a later run can go on from there."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from deltaworks.engine.execution.jobs.step_values import lost_in
from deltaworks.engine.planning.step_agenda import Fate, StepEnd
from deltaworks.engine.planning.step_graph import StepId
from deltaworks.io.dtypes import Json
from deltaworks.io.step_records import StepRecords

_EVERY_S = 0.5
"""Ends that come faster are written together: a run of ten thousand small steps would else write ten thousand files."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a step ended, with what is written down beside that."""

    end: StepEnd
    stored: Json = field(default_factory=dict[str, Json])
    """Where what it gave is, by output."""
    tries: int = 0
    took_s: float = 0.0
    """How long its last try took."""


class StepJournal:
    """The ends of one attempt's steps, on their way to the lake."""

    def __init__(self, records: StepRecords | None) -> None:
        self._records = records
        self._waiting: list[Json] = []
        self._written = 0
        self._written_s = 0.0

    def note(self, step: StepId, address: str, recorded: Recorded, *, is_kept: bool) -> None:
        """Note how a step ended, in this attempt or in what it goes on from."""
        end = recorded.end
        self._waiting.append(
            {
                "step": address,
                "path": list(step.path),
                "keys": list(step.keys),
                "fate": end.fate.value,
                "reason": end.reason,
                "given": sorted(end.given),
                "fans": {output: list(keys) for output, keys in end.keys.items()},
                "values": recorded.stored,
                "tries": recorded.tries,
                "took_s": round(recorded.took_s, 6),
                "kept": is_kept,
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


def read_journal(records: StepRecords) -> dict[StepId, Recorded]:
    """Return how the steps of an earlier attempt ended.

    A step that gave something which could not be stored counts as not run.

    Raises:
        StorageError: what was recorded is damaged.
    """
    found: dict[StepId, Recorded] = {}
    for each in records.read_ends():
        step = StepId(tuple(each["path"]), tuple(each["keys"]))
        keys = {output: tuple(names) for output, names in each["fans"].items()}
        end = StepEnd(Fate(each["fate"]), frozenset(each["given"]), keys, each["reason"])
        found[step] = Recorded(end, each["values"], each["tries"], each["took_s"])
    return {step: each for step, each in found.items() if not any(lost_in(each.stored))}
