"""Ticks: when a schedule or a sensor was asked, and what it answered, as one small JSON object a tick.

A tick is claimed, asked about, decided and carried out, by any of several daemons:

1. claimed: `_deltaworks/claims/ticks/<name>/<tick id>/<number>.json` is put if it is not there. It says who is at it,
   and a tick is open as long as it is there. Whoever takes a tick over, or tries it again, puts the next number.
2. decided: `_deltaworks/ledger/ticks/<name>/<group>/<tick id>.json` is put if it is not there, with every run that is
   asked for, its id among it, and the cursor. So the two advance together, and whatever happens to claims, clocks and
   daemons, there is one decision about a tick. What another attempt would have answered is forgotten.
3. marked: how far the schedule or sensor is, and its cursor, is kept beside the ledger (`io.marks`).
4. carried out: what the decision asks for is started unless it is there, by the ids that it names; the claims are
   deleted when all of it is over.

Only the puts that must not find anything carry this; no clock does.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Any

from deltaworks.errors import StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.failpoints import Step, hit
from deltaworks.io.process import Process
from deltaworks.io.run_plan import PlannedTable
from deltaworks.io.store import ENGINE_FOLDER, Store
from deltaworks.io.together import together

LEDGER = f"{ENGINE_FOLDER}/ledger/ticks"
CLAIMS = f"{ENGINE_FOLDER}/claims/ticks"

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{4}Z")
_NUMBER_DIGITS = 12
_GROUP_DIGITS = 9
"""Numbered ticks lie in folders of a thousand."""
_NOTE = ".note"


class TickKind(StrEnum):
    """What a tick is one of."""

    SCHEDULE = "schedule"
    """Its ticks are instants."""
    SENSOR = "sensor"
    """Its ticks are numbers, one after the other, so that each goes on from the cursor that the one before it left."""


class TickOutcome(StrEnum):
    """What has come of a tick."""

    REQUESTED = "requested"
    """It is decided which runs it asks for; not all of them are known to have begun."""
    STARTED = "started"
    """All of them have begun, or were there already."""
    SKIPPED = "skipped"
    """It asks for nothing; `skip_reason` says why."""
    FAILED = "failed"
    """Nothing is known of what it asks for; `error` says why."""


@dataclass(frozen=True, slots=True)
class AskedRun:
    """A run that a tick asks for."""

    run_id: str
    job: str
    partition: str | None = None
    run_key: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    answered_by: str | None = None
    """The earlier tick that asked with the same run key, so that this run is not started; none: there is none, or this
    has not been looked for yet."""
    error: str | None = None
    """Why it was given up; none: it was not."""
    held_up_by: str | None = None
    """Why it could not begin yet; it is tried again. None: it has begun, or has not been tried."""
    assets: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict[str, tuple[tuple[str, str], ...]])
    """What conditions ask for, in place of a job: by asset, first and last keys of ranges; the empty key is the whole
    of an asset that has no partitions."""
    tables: Mapping[str, PlannedTable] = field(default_factory=dict[str, PlannedTable])
    """The tables of these assets as the tick found them; none of those that an older engine asked for."""


@dataclass(frozen=True, slots=True)
class TickEntry:
    """A tick as the ledger keeps it."""

    name: str
    """Of the schedule or sensor."""
    kind: TickKind
    tick_id: str
    scheduled_at: str
    started_at: str
    outcome: TickOutcome
    ended_at: str | None = None
    """When it was decided, or its last attempt failed."""
    attempt: int = 1
    """Which attempt decided it, or failed last."""
    requests: tuple[AskedRun, ...] = ()
    new_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Keys of dynamic partitions that are to be there before the runs start, by the name of the partitions."""
    gone_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Keys that are to be gone before that."""
    are_keys_changed: bool = False
    """Whether that was done; what others change after that is theirs."""
    skip_reason: str | None = None
    error: str | None = None
    cursor: str | None = None
    """What it leaves for the next tick. A long one is forgotten when all is over: the mark has it."""
    is_decided: bool = True
    """Whether nothing changes any more what it asks for. What is not decided is a note: an attempt that failed and is
    tried again, or a sensor that found nothing and is asked the same again later."""
    retry_at: str | None = None
    """When a failed attempt is tried again."""
    is_catchup: bool = False
    """Whether it was due while no daemon ran."""
    left: Mapping[str, int] = field(default_factory=dict[str, int])
    """Of conditions: how many partitions wait, by asset."""


@dataclass(frozen=True, slots=True)
class TickClaim:
    """Who is at a tick that is open."""

    name: str
    tick_id: str
    kind: TickKind
    number: int
    """Of the claim: one more than the one before it."""
    daemon_id: str
    """Nothing: whoever had it has left it to others."""
    process: Process | None
    """None: the claim does not say."""
    failed: int = 0
    """How many attempts had been answered by an error by then."""


def instant_id(instant: dt.datetime) -> str:
    """Return the id of a schedule's tick; ids sort as instants do."""
    return f"{instant.astimezone(dt.UTC):%Y-%m-%dT%H%MZ}"


def instant_of(tick_id: str) -> dt.datetime:
    """Return the instant, in UTC, of a schedule's tick."""
    return dt.datetime.strptime(tick_id, "%Y-%m-%dT%H%MZ").replace(tzinfo=dt.UTC)


def kind_of(tick_id: str) -> TickKind | None:
    """Return what a tick is one of, as its id tells; none: it is no id."""
    if tick_id.isdecimal():
        return TickKind.SENSOR
    try:
        instant_of(tick_id)
    except ValueError:
        return None
    return TickKind.SCHEDULE


def id_of(path: str) -> str:
    """Return the id of the tick that an object of the ledger is about."""
    return path.rpartition("/")[2].removesuffix(".json").removesuffix(_NOTE)


def number_id(number: int) -> str:
    """Return the id of a sensor's tick, counted from 1; ids sort as numbers do."""
    return f"{number:0{_NUMBER_DIGITS}d}"


def tick_run_id(name: str, tick_id: str, scheduled_at: dt.datetime, run_key: str | None, ordinal: int) -> str:
    """Return the id of a run that a tick asks for; without a run key, its place among the tick's requests tells it."""
    what = json.dumps([name, tick_id, ordinal if run_key is None else run_key])
    stamp = f"{scheduled_at.astimezone(dt.UTC):%Y%m%dT%H%M%S}"
    return f"{stamp}-{hashlib.blake2b(what.encode(), digest_size=8).hexdigest()}"


def claim_tick(store: Store, claim: TickClaim) -> bool:
    """Claim a tick, and return whether nobody else has that claim.

    Raises:
        StorageError: the lake cannot be written.
    """
    who = {
        "daemon_id": claim.daemon_id,
        "kind": claim.kind,
        "process": claim.process and asdict(claim.process),
        "failed": claim.failed,
    }
    is_mine = store.put_new_surely(_claim_path(claim.name, claim.tick_id, claim.number), json.dumps(who).encode())
    hit(Step.CLAIMED)
    return is_mine


def claim_is_there(store: Store, name: str, tick_id: str, number: int) -> bool:
    """Return whether a tick was not closed since it was claimed.

    Raises:
        StorageError: the lake cannot be read.
    """
    return store.exists(_claim_path(name, tick_id, number))


def tick_is_open(store: Store, name: str, tick_id: str) -> bool:
    """Return whether somebody has claimed a tick and not all of it is over.

    Raises:
        StorageError: the lake cannot be read.
    """
    return _last_claim(store, name, tick_id) is not None


def open_ticks(store: Store, is_known: Callable[[tuple[str, str]], bool] | None = None) -> list[TickClaim]:
    """Return the last claim of every tick that is open, the oldest tick of each name first.

    Args:
        store: the lake.
        is_known: tells which ticks, by name and id, are left out; none are, if it is not given.

    Cost: a listing a name that has claims, and a listing and a read a tick that is returned; an idle lake has none.

    Raises:
        StorageError: the lake cannot be read.
    """
    found = (
        read_claim(store, name, tick_id)
        for name in sorted(store.names(CLAIMS))
        for tick_id in sorted(store.names(f"{CLAIMS}/{name}"))
        if is_known is None or not is_known((name, tick_id))
    )
    return [claim for claim in found if claim is not None]


def read_claim(store: Store, name: str, tick_id: str) -> TickClaim | None:
    """Return the last claim of a tick; none if it is not open. One that cannot be read is nobody's.

    Raises:
        StorageError: the lake cannot be read.
    """
    number = _last_claim(store, name, tick_id)
    content = None if number is None else store.read(_claim_path(name, tick_id, number))
    if number is None or content is None:
        return None
    kind = TickKind.SCHEDULE if _INSTANT.fullmatch(tick_id) else TickKind.SENSOR
    try:
        who = json.loads(content)
        process = None if who["process"] is None else Process(**who["process"])
        return TickClaim(name, tick_id, kind, number, str(who["daemon_id"]), process, int(who.get("failed", 0)))
    except (ValueError, KeyError, TypeError):
        return TickClaim(name, tick_id, kind, number, "somebody unknown", None)


def leave_tick(store: Store, name: str, tick_id: str) -> None:
    """Leave an open tick to whoever goes on with it.

    Raises:
        StorageError: the lake cannot be read or written.
    """
    claim = read_claim(store, name, tick_id)
    if claim is not None:
        claim_tick(store, replace(claim, number=claim.number + 1, daemon_id="", process=None))


def open_ids(store: Store, name: str) -> list[str]:
    """Return the ids of the ticks of a name that are open, the oldest first.

    Raises:
        StorageError: the lake cannot be read.
    """
    folder = f"{CLAIMS}/{name}/"
    return sorted({path.removeprefix(folder).partition("/")[0] for path in store.list(folder.rstrip("/"))})


def close_tick(store: Store, name: str, tick_id: str) -> None:
    """Delete the claims of a tick of which everything is over, the first one last.

    Raises:
        StorageError: the lake cannot be written.
    """
    hit(Step.BEFORE_CLOSE)
    folder = f"{CLAIMS}/{name}/{tick_id}"
    for path in sorted(store.list(folder), reverse=True):
        store.delete(path)
    store.drop_empty_folders(folder)


def decide_tick(store: Store, entry: TickEntry) -> TickEntry:
    """Record what a tick asks for unless that is recorded, and return what is.

    Raises:
        StorageError: the lake cannot be read or written, or what is recorded is damaged.
    """
    assert entry.is_decided, "what is tried again is no decision"
    hit(Step.BEFORE_DECISION)
    if store.put_new_surely(_path(entry.name, entry.tick_id), _content(entry)):
        hit(Step.DECIDED)
        return entry
    found = read_tick(store, entry.name, entry.tick_id)
    return entry if found is None else found


def note_tick(store: Store, entry: TickEntry) -> None:
    """Write what has come of a tick: how far its runs are, or what is no decision.

    The requests and the cursor of a decision stay as they are; only who has the decision from the lake may note it.

    Raises:
        StorageError: the lake cannot be written.
    """
    store.put(_path(entry.name, entry.tick_id, "" if entry.is_decided else _NOTE), _content(entry))


def read_tick(store: Store, name: str, tick_id: str) -> TickEntry | None:
    """Return the decision about a tick; none if there is none.

    Raises:
        StorageError: it is damaged.
    """
    return _read(store, _path(name, tick_id))


def read_ticks(store: Store, name: str, most: int | None = None, before: str | None = None) -> list[TickEntry]:
    """Return the ticks of a name, the latest first; of one that was noted before it was decided, the decision.

    Args:
        store: the lake.
        name: of the schedule or sensor.
        most: how many; none: all.
        before: the id of a tick; only ticks before it are returned.

    Raises:
        StorageError: one of them is damaged.
    """
    paths = sorted((path for path in store.list(f"{LEDGER}/{name}") if path.endswith(".json")), reverse=True)
    latest: dict[str, str] = {}
    for path in paths:
        if before is not None and id_of(path) >= before:
            continue
        if not path.endswith(f"{_NOTE}.json") or id_of(path) not in latest:
            latest[id_of(path)] = path
    with closing(together(store, partial(_read, store), latest.values(), eager=most is None)) as found:
        return list(islice((entry for entry in found if entry is not None), most))


def _path(name: str, tick_id: str, suffix: str = "") -> str:
    group = tick_id.partition("T")[0] if _INSTANT.fullmatch(tick_id) else tick_id[:_GROUP_DIGITS]
    return f"{LEDGER}/{name}/{group}/{tick_id}{suffix}.json"


def _content(entry: TickEntry) -> bytes:
    return json.dumps(asdict(entry), indent=1).encode()


def _read(store: Store, path: str) -> TickEntry | None:
    content = store.read(path)
    if content is None:
        return None
    try:
        document: Json = json.loads(content)
        values = {each.name: document[each.name] for each in fields(TickEntry) if each.name in document}
        values["requests"] = tuple(map(_asked, document["requests"]))
        for what in ("new_keys", "gone_keys"):
            by_name: dict[str, list[str]] = document.get(what) or {}
            values[what] = {name: tuple(keys) for name, keys in by_name.items()}
        values |= {"kind": TickKind(document["kind"]), "outcome": TickOutcome(document["outcome"])}
        return TickEntry(**values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            f"ledger entry {store.uri(path)} is damaged ({type(error).__name__}: {error}); delete it: only this tick's "
            "history is lost"
        ) from error


def _asked(document: Json) -> AskedRun:
    values = {each.name: document[each.name] for each in fields(AskedRun) if each.name in document}
    made: dict[str, list[list[str]]] = document.get("assets") or {}
    values["assets"] = {asset: tuple((first, last) for first, last in ranges) for asset, ranges in made.items()}
    found: dict[str, Json] = document.get("tables") or {}
    values["tables"] = {asset: PlannedTable(**table) for asset, table in found.items()}
    return AskedRun(**values)


def _last_claim(store: Store, name: str, tick_id: str) -> int | None:
    """Return the number of the last claim of a tick; by number, since the ten-thousandth has a digit more."""
    stems = (file.removesuffix(".json") for file in store.names(f"{CLAIMS}/{name}/{tick_id}"))
    return max((int(stem) for stem in stems if stem.isdecimal()), default=None)


def _claim_path(name: str, tick_id: str, number: int) -> str:
    return f"{CLAIMS}/{name}/{tick_id}/{number:04d}.json"
