"""Runs: what is known of one, and what people ask of it: to stop, or to go on; as the commands do it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from deltaworks.engine.documents.runs import run_json, summary_json
from deltaworks.engine.execution.jobs.step_tree import read_step_tree
from deltaworks.errors import RequestError
from deltaworks.io.kept import find_kept
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.step_records import StepRecords
from deltaworks.io.stop_request import StopKind, StopRequest, ask_run_to_stop
from deltaworks.web.launching import Launcher
from deltaworks.web.workspace import Sight


def run_id_of(run: RunEntry) -> str:
    """Return by what a run is known."""
    return run.run_id


def summaries(sight: Sight, runs: Sequence[RunEntry]) -> list[dict[str, Any]]:
    """Return what is said of runs in a line each, as `runs list --json`."""
    return [summary_json(run, sight.at) for run in runs]


def run_document(sight: Sight, run: RunEntry) -> dict[str, Any]:
    """Return all that is known of a run, as `runs show --json`.

    Raises:
        StorageError: what is recorded of its steps is damaged.
    """
    store, is_over = sight.project.store, sight.run_status(run).is_over
    steps = read_step_tree(StepRecords(store, run.run_id), is_over=is_over) if run.job is not None else ()
    return run_json(run, steps, find_kept(store, run.run_id), store, sight.at)


def cancel_run(sight: Sight, run: RunEntry, by: str) -> dict[str, Any]:
    """Ask a run to stop within seconds, as `runs cancel --no-wait`; the run's entry will say who did.

    Raises:
        RequestError: it is over.
        StorageError: the lake cannot be written.
    """
    ask_run_to_stop(sight.project.store, run, StopRequest(StopKind.CANCEL, f"{by} in the browser"), sight.at)
    typed = ["runs", "cancel", "--no-wait", run.run_id]
    return {"run_id": run.run_id, "status": sight.run_status(run).value, "command": _typed(typed)}


def retry_run(sight: Sight, launcher: Launcher, run: RunEntry, by: str) -> dict[str, Any]:
    """Go on with a run where it stopped, as `runs retry`; a tag of the run says who did.

    Raises:
        RequestError: it still goes on.
    """
    status = sight.run_status(run)
    if not status.is_over:
        raise RequestError(f"Run {run.run_id} still goes on ({status}); cancel it first.")
    launcher.start(run.run_id, ["runs", "retry", f"--tag=by={by}", "--", run.run_id])
    return {"run_id": run.run_id, "status": "starting", "command": _typed(["runs", "retry", run.run_id])}


def _typed(arguments: list[str]) -> str:
    return shlex.join(["deltaworks", *arguments])
