"""Claim: an object that says who does something that only one may do at a time.

It is put only if it is not there yet, and deleted at the end. A process that died leaves its claim behind; it is void
at once where the system tells one process from all others that ever have its id, and after a day on another machine.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from deltaworks.errors import ClaimHeld
from deltaworks.io.dtypes import Json
from deltaworks.io.log import digest
from deltaworks.io.process import Process
from deltaworks.io.silence import silence_of
from deltaworks.io.store import ENGINE_FOLDER, Store

STALE_AFTER = dt.timedelta(hours=1)
"""How old a claim must be, by the store's clock, before it is taken over from a process that seems to be dead, where
only its id tells: another machine of the same name may have it."""

_LONG = dt.timedelta(days=1)
"""Nothing that is claimed takes so long."""

_FOLDER = f"{ENGINE_FOLDER}/claims"


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim that is held."""

    claimed_at: dt.datetime
    """By the store's own clock."""
    taken_over_from: str | None
    """Who left it behind; none: it was free."""


@dataclass(frozen=True, slots=True)
class StaleClaim:
    """A claim that nobody is likely to release."""

    path: str
    holder: str
    claimed_at: dt.datetime
    is_dead: bool
    """Whether its process is seen to be gone; else it is only long ago."""


def stale_claims(store: Store, now: dt.datetime) -> Iterator[StaleClaim]:
    """Yield the claims of processes that are gone, or that have been at it for longer than anything takes."""
    for path in (f"{_FOLDER}/{name}" for name in store.names(_FOLDER) if name.endswith(".json")):
        content, claimed_at = store.read(path), store.modified_at(path)
        if content is None or claimed_at is None:
            continue
        holder, process = _holder(content)
        is_dead = process is not None and process.is_gone()
        if is_dead or now - claimed_at > _LONG:
            yield StaleClaim(path, holder, claimed_at, is_dead)


@contextmanager
def claimed(store: Store, name: str, purpose: str) -> Generator[Claim]:
    """Hold a claim; `purpose` tells others what for.

    Raises:
        ClaimHeld: somebody else holds it, or died so recently that it is not taken over yet.
        StorageError: the lake cannot be written.
    """
    path = f"{_FOLDER}/{name}.json"
    who = {"purpose": purpose, **asdict(Process.current()), "nonce": uuid.uuid4().hex}
    content = json.dumps(who).encode()
    taken_over_from = None
    if not store.put_new_surely(path, content):
        taken_over_from = _take_over(store, path, content)
    try:
        claimed_at = store.modified_at(path)
        assert claimed_at is not None, "nobody deletes a claim of a living process"
        yield Claim(claimed_at, taken_over_from)
    finally:
        store.delete(path)


def _take_over(store: Store, path: str, content: bytes) -> str | None:
    """Replace the claim of a dead process, and return who that was; none if it was released meanwhile."""
    found = store.read(path)
    if found is None:
        if store.put_new_surely(path, content):
            return None
        raise ClaimHeld(store.uri(path), "somebody who was faster")
    holder, process = _holder(found)
    if process is None or not (process.is_gone() or _is_given_up(store, path, process)):
        raise ClaimHeld(store.uri(path), holder)
    # Whoever puts this object may remove this very claim, so that no two take it over.
    right = path.removesuffix(".json") + f".{digest(found).hex()}.json"
    if not store.put_new_surely(right, content):
        raise ClaimHeld(store.uri(path), "somebody who is just taking it over")
    try:
        claimed_at, now = store.modified_at(path), store.modified_at(right)
        is_sure = process.born is not None
        if not is_sure and claimed_at is not None and now is not None and now - claimed_at < STALE_AFTER:
            raise ClaimHeld(store.uri(path), f"{holder}, which is gone", free_at=claimed_at + STALE_AFTER)
        if store.read(path) == found:
            store.delete(path)
        if not store.put_new_surely(path, content):
            raise ClaimHeld(store.uri(path), "somebody who was faster")
    finally:
        store.delete(right)
    return holder


def _is_given_up(store: Store, path: str, process: Process) -> bool:
    """Return whether a process elsewhere, whose end nobody here would see, has claimed it too long ago to be at it."""
    silence = silence_of(store, path, process)
    return silence is not None and silence.seconds > _LONG.total_seconds()


def _holder(content: bytes) -> tuple[str, Process | None]:
    """Name the holder of a claim, and return its process; none: the claim does not say."""
    try:
        who: Json = json.loads(content)
        purpose, process = str(who["purpose"]), Process(str(who["host"]), int(who["pid"]), who.get("born"))
    except (ValueError, KeyError, TypeError):
        return "somebody unknown", None
    return f"{purpose} (process {process.pid} on {process.host})", process
