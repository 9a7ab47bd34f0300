"""Attempts: the numbers of a run's attempts, each taken by one process only.

A number is an object, put only if it is not there yet, that says whose it is. Of two processes that begin the same run
at the same time the one with the lower number goes on.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import asdict

from deltaworks.errors import RunGoesOn
from deltaworks.io.dtypes import Json
from deltaworks.io.process import Process
from deltaworks.io.run_entry import LOST_AFTER_S
from deltaworks.io.store import ENGINE_FOLDER, Store

FOLDER = f"{ENGINE_FOLDER}/claims/attempts"


def take_attempt(store: Store, run_id: str, first: int) -> int:
    """Take the least number from `first` on that nobody has taken yet, and return it.

    Numbers that processes took which are gone are passed over: they died before the ledger knew of their attempt.

    Raises:
        RunGoesOn: another process has taken one and is about to begin.
        StorageError: the lake cannot be written.
    """
    here, number = Process.current(), first
    # Two attempts in one process have to be told apart, too.
    content = json.dumps({**asdict(here), "nonce": uuid.uuid4().hex}).encode()
    while not store.put_new_surely(_path(run_id, number), content):
        number += 1
    for other in range(first, number):
        holder = _holder(store.read(_path(run_id, other)))
        if holder is None or holder == here or holder.is_gone():
            continue
        is_elsewhere = holder.host != here.host
        if is_elsewhere and _is_older(store, _path(run_id, other), _path(run_id, number)):
            continue
        store.delete(_path(run_id, number))
        raise RunGoesOn(
            f"Run {run_id} is just being begun by process {holder.pid} on {holder.host}; `deltaworks runs show "
            f"{run_id}` tells how far it is."
        )
    return number


def _is_older(store: Store, theirs: str, own: str) -> bool:
    """Return whether an object was put so long before one's own that whoever put it would have begun, or died."""
    put_at, now = store.modified_at(theirs), store.modified_at(own)
    return put_at is None or now is None or now - put_at > dt.timedelta(seconds=LOST_AFTER_S)


def _holder(content: bytes | None) -> Process | None:
    """Return whose a number is; none: an older engine took it, and did not say."""
    try:
        who: Json = json.loads(content or b"")
        return Process(who["host"], who["pid"], who.get("born"))
    except (ValueError, KeyError, TypeError):
        return None


def _path(run_id: str, number: int) -> str:
    return f"{FOLDER}/{run_id}/{number:04d}.json"
