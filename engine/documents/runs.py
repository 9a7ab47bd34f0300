"""Runs as documents: what is said of one in a line, and all that is known of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from deltaworks.engine.documents.instants import instant_json

if TYPE_CHECKING:
    from deltaworks.engine.execution.jobs.step_tree import StepBranch
    from deltaworks.io.kept import KeptRows
    from deltaworks.io.run_entry import RunEntry
    from deltaworks.io.store import Store


def run_took(run: RunEntry, now: dt.datetime) -> dt.timedelta:
    """Return how long the latest attempt of a run took, has taken so far, or took until its last sign of life."""
    end = run.ended_at or (run.heartbeat_at or run.started_at if run.status_at(now) == "lost" else None)
    begun = dt.datetime.fromisoformat(run.attempt_started_at or run.started_at)
    return (now if end is None else dt.datetime.fromisoformat(end)) - begun


def summary_json(run: RunEntry, now: dt.datetime) -> dict[str, Any]:
    """Return what is said of a run in a line."""
    return {
        "run_id": run.run_id,
        "status": run.status_at(now).value,
        "started_at": instant_json(run.started_at),
        "ended_at": instant_json(run.ended_at),
        "job": run.job,
        "job_partition": run.job_partition,
        "tick": run.tick,
        "kind": run.kind.value,
        "command": run.command,
        "duration_s": round(run_took(run, now).total_seconds(), 3),
        "totals": totals_json(run),
        "heartbeat_at": instant_json(run.heartbeat_at),
        "host": run.host,
        "pid": run.pid,
        "user": run.user,
        "tags": list(run.tags),
        "priority": run.priority,
        "executor": run.executor,
        "workers": run.workers,
        "memory_mb": run.memory_mb,
        "dashboard": run.dashboard,
        "config": dict(run.config),
        "reason": run.reason,
        "waits_for": None if run.status.is_over else run.waits_for,
        "attempt": run.attempt,
    }


def run_json(
    run: RunEntry, steps: Sequence[StepBranch], kept: Sequence[KeptRows], store: Store, now: dt.datetime
) -> dict[str, Any]:
    """Return all that is known of a run.

    Args:
        run: its entry.
        steps: those of a job of ops.
        kept: the rows that are kept of what it could not make.
        store: the lake.
        now: when it is looked at.
    """
    by_partition = {(each.file.asset, each.partition): each for each in kept}
    failures = [
        {
            "asset": failure.asset,
            "partition": failure.partition,
            "error": failure.error,
            "table_version": None if failure.table_version < 0 else failure.table_version,
            "rules": [] if found is None else list(found.rules),
            "kept": None if found is None else store.uri(found.file.path),
        }
        for failure in run.failures
        for found in [by_partition.get((failure.asset, failure.partition))]
    ]
    return summary_json(run, now) | {
        "failures": failures,
        "kept": [_kept_json(each, store) for each in kept],
        "checks": checks_json(run),
        "steps": [asdict(each) for each in run.steps],
        "step_tree": steps_json(steps),
        "earlier": [asdict(each) for each in run.earlier],
    }


def totals_json(run: RunEntry) -> dict[str, int]:
    """Return what a run came to; rows stand there if it left any out, and partitions if it gave any other content."""
    return {
        "materialized": run.materialized,
        "failed": run.failed,
        "skipped": run.skipped,
        "commits": run.commits,
        **({"dropped": run.dropped, "quarantined": run.quarantined} if run.dropped or run.quarantined else {}),
        **({"replaced": run.replaced} if run.replaced else {}),
    }


def checks_json(run: RunEntry) -> dict[str, Any]:
    """Return what did not pass, and how often a check passed."""
    return {
        "passed": run.checks_passed,
        "failures": [
            {
                "asset": failure.asset,
                "partition": failure.partition,
                "check": failure.check,
                "severity": failure.severity,
                "problem": failure.problem,
                "version": failure.version,
                "metadata": dict(failure.metadata),
            }
            for failure in run.check_failures
        ],
    }


def steps_json(steps: Sequence[StepBranch]) -> list[dict[str, Any]]:
    """Return the steps as a document, each with what is below it."""
    return [
        {
            "name": each.name,
            "step": each.step,
            "status": each.status,
            "tries": each.tries,
            "duration_s": round(each.took_s, 3),
            "reason": each.reason,
            "kept": each.is_kept,
            "steps": steps_json(list(each.below.values())),
        }
        for each in steps
    ]


def _kept_json(kept: KeptRows, store: Store) -> dict[str, Any]:
    return {
        "asset": kept.file.asset,
        "partition": kept.partition,
        "path": store.uri(kept.file.path),
        "bytes": kept.size_bytes,
        "written_at": instant_json(kept.modified_at),
        "damaged": kept.is_damaged,
    }
