"""StopRequest: an object by which a run is asked to stop, from any process that can write to the lake.

It is put only if it is not there yet. The run looks for it every second and deletes it when it has ended.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from deltaworks.errors import RequestError
from deltaworks.io.run_entry import RunEntry
from deltaworks.io.store import ENGINE_FOLDER, Store

FOLDER = f"{ENGINE_FOLDER}/claims/stop"


class StopKind(StrEnum):
    """How a run is to stop."""

    CANCEL = "cancel"
    """Within seconds: what still runs by then is left, and nothing of it is committed."""
    PAUSE = "pause"
    """When what has begun is finished and committed, however long that takes."""

    @property
    def participle(self) -> str:
        """What has become of the run, for a sentence."""
        return {StopKind.CANCEL: "canceled", StopKind.PAUSE: "paused"}[self]


@dataclass(frozen=True, slots=True)
class StopRequest:
    """What somebody asked of a run."""

    kind: StopKind
    by: str

    def __str__(self) -> str:
        return f"{self.kind.participle} by {self.by}"


def ask_to_stop(store: Store, run_id: str, request: StopRequest) -> bool:
    """Ask a run to stop; return whether nobody had asked for the same before.

    Raises:
        StorageError: the lake cannot be written.
    """
    return store.put_new_surely(_path(run_id, request.kind), json.dumps(asdict(request)).encode())


def ask_run_to_stop(store: Store, run: RunEntry, request: StopRequest, now: dt.datetime) -> None:
    """Ask a run to stop that waits or goes on.

    Raises:
        RequestError: it is over.
        StorageError: the lake cannot be written.
    """
    status = run.status_at(now)
    if status.is_over:
        how = "its process is gone" if status == "lost" else f"it has ended as {status}"
        raise RequestError(f"Run {run.run_id} cannot be {request.kind.participle}: {how}.")
    ask_to_stop(store, run.run_id, request)


def find_stop_request(store: Store, run_id: str) -> StopRequest | None:
    """Return what a run was asked, the more urgent one if that is two things.

    Cost: looks for two names.

    Raises:
        StorageError: the lake cannot be read.
    """
    for kind in StopKind:
        content = store.read(_path(run_id, kind))
        if content is not None:
            try:
                return StopRequest(kind, str(json.loads(content)["by"]))
            except (ValueError, KeyError, TypeError):
                return StopRequest(kind, "somebody unknown")
    return None


def forget_stop_requests(store: Store, run_id: str) -> None:
    """Delete what a run was asked.

    Raises:
        StorageError: the lake cannot be written.
    """
    for kind in StopKind:
        store.delete(_path(run_id, kind))


def _path(run_id: str, kind: StopKind) -> str:
    return f"{FOLDER}/{run_id}.{kind.value}.json"
