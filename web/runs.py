"""Runs: what people ask of one that is there: to stop, or to go on; as the commands do it."""

from __future__ import annotations

import shlex
from typing import Any

from deltaworks.errors import RequestError
from deltaworks.io.ledger import RunEntry
from deltaworks.io.stop_request import StopKind, StopRequest, ask_run_to_stop
from deltaworks.web.launching import Launcher
from deltaworks.web.workspace import Sight


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
