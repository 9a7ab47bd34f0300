"""Run keys: which tick of a schedule or sensor asked for a run first, so that no later one asks for it again.

`_deltaworks/state/run_keys/<name>/<hash of the key>.json` is put if it is not there. It is a record: nothing else knows
what was asked for before.
"""

from __future__ import annotations

import hashlib
import json

from deltaworks.errors import StorageError
from deltaworks.io.store import ENGINE_FOLDER, Store

FOLDER = f"{ENGINE_FOLDER}/state/run_keys"


def own_run_key(store: Store, name: str, run_key: str, tick_id: str) -> str:
    """Give a run key to a tick unless another one has it, and return the one that has it, for ever.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    path = f"{FOLDER}/{name}/{hashlib.blake2b(run_key.encode(), digest_size=16).hexdigest()}.json"
    if store.put_new_surely(path, json.dumps({"run_key": run_key, "tick_id": tick_id}).encode()):
        return tick_id
    try:
        return str(json.loads(store.read(path) or b"")["tick_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{store.uri(path)} is damaged ({type(error).__name__}: {error}); delete it: its run key {run_key!r} of "
            f"{name} is then free again"
        ) from error
