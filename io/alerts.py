"""Alerts: messages that are to be sent, or were, as one small JSON object a message.

`_deltaworks/ledger/alerts/<id>.json` is put if it is not there, so whichever daemon decided it, a message is there
once. An attempt to send it is claimed by `_deltaworks/claims/alerts/<id>.<attempt>.json`, which only one can put.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

from deltaworks.errors import StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.process import Process
from deltaworks.io.silence import silence_of
from deltaworks.io.store import ENGINE_FOLDER, Store

FOLDER = f"{ENGINE_FOLDER}/ledger/alerts"
CLAIMS = f"{ENGINE_FOLDER}/claims/alerts"

KEPT = 200
"""How many messages are kept that are settled."""

ABANDONED = dt.timedelta(minutes=10)
"""After how long an attempt counts as failed whose process is on another host: sending takes a minute at most."""


class Outcome(StrEnum):
    """What has come of a message."""

    WAITING = "waiting"
    """It is sent, or tried again, as soon as it is due."""
    SENT = "sent"
    GIVEN_UP = "given up"
    """It failed too often; `error` says why the last time."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is told somebody."""

    alert: str
    """Who is told: the name of an alert in the settings."""
    on: str
    """What it is about: `run_failure`, `check_failure`, `late_freshness`, `automation_error`, or `test`."""
    key: str
    """What tells the problem from others."""
    title: str
    lines: tuple[str, ...]
    command: str
    """What shows more; empty: nothing does."""
    at: dt.datetime
    """When it was decided."""
    is_over: bool = False
    keys: tuple[str, ...] = ()
    """The problems, if it is about several; `key` is then what they have in common."""

    def to_json(self) -> Json:
        """Return it for another process."""
        return asdict(self) | {"at": self.at.isoformat()}

    @classmethod
    def from_json(cls, document: Json) -> Message:
        """Return what `to_json` has written."""
        at = dt.datetime.fromisoformat(document["at"])
        several = {name: tuple(document.get(name) or ()) for name in ("lines", "keys")}
        return cls(**(document | several | {"at": at}))


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far a message is."""

    message_id: str
    message: Message
    outcome: Outcome = Outcome.WAITING
    attempts: int = 0
    """How many have failed, or the one that did not among them."""
    error: str | None = None
    """Why the last one failed."""
    retry_at: dt.datetime | None = None
    """From when on it is tried again; none: at once."""


def put_message(store: Store, message_id: str, message: Message) -> None:
    """Have a message sent, unless it is there.

    Raises:
        StorageError: the lake cannot be written.
    """
    store.put_new_surely(_path(message_id), _content(Delivery(message_id, message)))


def note_delivery(store: Store, delivery: Delivery) -> None:
    """Write how far a message is; only who has claimed the attempt may.

    Raises:
        StorageError: the lake cannot be written.
    """
    store.put(_path(delivery.message_id), _content(delivery))


def deliveries(store: Store, settled: frozenset[str] = frozenset()) -> Iterator[Delivery]:
    """Yield the messages that are kept, the oldest first, but for those of which it is known that they are settled.

    Raises:
        StorageError: one is damaged.
    """
    for path in sorted(store.list(FOLDER)):
        message_id = path.rpartition("/")[2].removesuffix(".json")
        found = None if message_id in settled else _read(store, message_id)
        if found is not None:
            yield found


def claim_attempt(store: Store, delivery: Delivery, now: dt.datetime) -> bool:
    """Claim the next attempt to send a message, and return whether nobody else has it.

    Raises:
        StorageError: the lake cannot be written.
    """
    who = {"process": asdict(Process.current()), "at": now.isoformat(), "nonce": uuid.uuid4().hex}
    return store.put_new_surely(_claim_path(delivery.message_id, delivery.attempts + 1), json.dumps(who).encode())


def is_abandoned(store: Store, delivery: Delivery, now: dt.datetime) -> bool:
    """Return whether who claimed the next attempt is gone.

    Raises:
        StorageError: the lake cannot be read.
    """
    path = _claim_path(delivery.message_id, delivery.attempts + 1)
    content = store.read(path)
    if content is None:
        return False
    try:
        who = json.loads(content)
        process, at = Process(**who["process"]), dt.datetime.fromisoformat(who["at"])
        silence = silence_of(store, path, process)
        silent_s = (now - at).total_seconds() if silence is None else silence.seconds
        return process.is_gone() or silent_s > ABANDONED.total_seconds()
    except (ValueError, KeyError, TypeError):
        return True  # whoever it was


def forget_settled(store: Store) -> None:
    """Delete the messages that are settled, but for the latest ones, and their claims.

    Until then the claims stay: who has read a message before it was sent must not find it free.

    Raises:
        StorageError: the lake cannot be written.
    """
    paths = sorted(store.list(FOLDER))
    for path in paths[: max(0, len(paths) - KEPT)]:
        found = _read(store, path.rpartition("/")[2].removesuffix(".json"))
        if found is not None and found.outcome is not Outcome.WAITING:
            store.delete(path)
            for attempt in range(1, found.attempts + 1):
                store.delete(_claim_path(found.message_id, attempt))


def _path(message_id: str) -> str:
    return f"{FOLDER}/{message_id}.json"


def _claim_path(message_id: str, attempt: int) -> str:
    return f"{CLAIMS}/{message_id}.{attempt:04d}.json"


def _content(delivery: Delivery) -> bytes:
    retry_at = None if delivery.retry_at is None else delivery.retry_at.isoformat()
    return json.dumps(asdict(delivery) | {"message": delivery.message.to_json(), "retry_at": retry_at}).encode()


def _read(store: Store, message_id: str) -> Delivery | None:
    content = store.read(_path(message_id))
    if content is None:
        return None
    try:
        document: Json = json.loads(content)
        retry_at = document["retry_at"]
        return Delivery(
            message_id,
            Message.from_json(document["message"]),
            Outcome(document["outcome"]),
            int(document["attempts"]),
            document["error"],
            None if retry_at is None else dt.datetime.fromisoformat(retry_at),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            f"{store.uri(_path(message_id))} is damaged ({type(error).__name__}: {error}); delete it: only this "
            "message is lost"
        ) from error
