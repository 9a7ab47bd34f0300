"""Earlier: what a run of a job of ops goes on from: another run that failed, or its own earlier attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deltaworks.engine.execution.jobs.step_journal import Recorded, read_journal
from deltaworks.engine.execution.jobs.step_values import StepValues
from deltaworks.engine.planning.step_graph import StepGraph, StepId
from deltaworks.errors import RequestError
from deltaworks.io.dtypes import Json
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.step_records import StepRecords


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known of what was done before."""

    config: Mapping[str, Any]
    partition: str | None
    versions: Mapping[str, int]
    """Of the tables that it read."""
    first_run_id: str | None
    """The run from whose failure it went on itself, and so on back to the first; none: there is none."""
    ends: Mapping[StepId, Recorded]
    retry_of: str | None
    """The run that is gone on from, if that is another one."""

    def values(self, records: StepRecords | None) -> StepValues:
        """Return the values of the run that goes on from there; what was stored is among them."""
        found = StepValues(records)
        for step, recorded in self.ends.items():
            found.recorded(step, recorded.stored)
        return found

    def document(
        self, entry: RunEntry, steps: StepGraph, config: Mapping[str, Any], versions: Mapping[str, int]
    ) -> Json:
        """Return what is recorded of the run that goes on from there."""
        return {
            "job": entry.job,
            "partition": entry.job_partition,
            "config": dict(config),
            "versions": dict(versions),
            "retry_of": self.retry_of,
            "first_run_id": self.first_run_id or entry.run_id,
            "ops": [node.address(()) for node in steps.nodes.values()],
        }


NOTHING = Earlier({}, None, {}, None, {}, None)
"""A run that is new goes on from nothing."""


def read_earlier(records: StepRecords, job: str, partition: str | None, *, is_new: bool) -> Earlier:
    """Read what a run goes on from.

    Args:
        records: those of the run that is gone on from.
        job: the job that goes on.
        partition: what it is asked for; none: whatever it was before.
        is_new: whether it goes on as another run; else as the next attempt of the same one, of which nothing may be
            recorded yet.

    Raises:
        RequestError: nothing is recorded, or it was another job or another partition.
        StorageError: what is recorded is damaged.
    """
    if not is_new and not records.has_run():
        return NOTHING
    document = records.read_run()
    if document["job"] != job:
        raise RequestError(f"Run {records.run_id} is of job {document['job']!r}, not of {job!r}.")
    if partition not in (None, document["partition"]):
        raise RequestError(f"Run {records.run_id} is for partition {document['partition']}; leave the partition out.")
    return Earlier(
        document["config"],
        document["partition"],
        document["versions"],
        document["first_run_id"],
        read_journal(records),
        records.run_id if is_new else document["retry_of"],
    )
