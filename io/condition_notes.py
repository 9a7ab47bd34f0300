"""ConditionNotes: what the conditions of a lake remember, and what they last decided, as one JSON object.

It lies in `_deltaworks/state/automation.json`. Whoever deletes it lets conditions begin anew; what is missing or stale
is in the logs.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass

from deltaworks.errors import StorageError
from deltaworks.io.dtypes import Json
from deltaworks.io.store import ENGINE_FOLDER, Store

PATH = f"{ENGINE_FOLDER}/state/automation.json"


@dataclass(frozen=True, slots=True)
class DecisionNote:
    """What was decided about partitions of an asset."""

    asset: str
    ranges: tuple[tuple[str, str], ...]
    """First and last keys; the empty key is the whole of an asset that has no partitions."""
    count: int
    sentence: str


@dataclass(frozen=True, slots=True)
class ConditionNotes:
    """What one evaluation of all conditions left."""

    at: dt.datetime
    memory: str
    """As `Memory.to_text` writes it."""
    decisions: tuple[DecisionNote, ...]


def write_condition_notes(store: Store, notes: ConditionNotes) -> None:
    """Put notes in the place of those of the evaluation before.

    Raises:
        StorageError: the lake cannot be written.
    """
    document = {"format": 1, **asdict(notes), "at": notes.at.isoformat()}
    store.put(PATH, json.dumps(document, separators=(",", ":")).encode())


def read_condition_notes(store: Store) -> ConditionNotes | None:
    """Return what the last evaluation left; none: there has been none.

    Raises:
        StorageError: it is damaged.
    """
    content = store.read(PATH)
    if content is None:
        return None
    try:
        document: Json = json.loads(content)
        decisions = tuple(_decision(each) for each in document["decisions"])
        return ConditionNotes(dt.datetime.fromisoformat(document["at"]), str(document["memory"]), decisions)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            f"{store.uri(PATH)} is damaged ({type(error).__name__}: {error}); delete it: conditions begin anew, and "
            "what is missing or stale is found in the logs"
        ) from error


def _decision(document: Json) -> DecisionNote:
    ranges = tuple((first, last) for first, last in document["ranges"])
    return DecisionNote(document["asset"], ranges, int(document["count"]), document["sentence"])
