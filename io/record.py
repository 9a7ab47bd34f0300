"""Record: what a commit says about the materializations in it, kept in the commit itself.

It stands under one key of the commit's `commitInfo`, so data and record appear together or not at all. From the
records of a table's log come its status, its history and what a run still has to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from deltaworks.errors import StorageError
from deltaworks.io.dtypes import Json

RECORD_KEY = "deltaworks"
FORMAT = 1
"""The format that this engine writes, and the newest one that it knows."""


class Kind(StrEnum):
    """What a commit was made for."""

    MATERIALIZE = "materialize"
    """Partitions were computed and replaced."""
    OBSERVE = "observe"
    """It was noted which version there is now of data that is no table."""
    ROLLBACK = "rollback"
    """Partitions were given back the content that they had at an earlier version."""
    WIPE = "wipe"
    """Partitions were deleted."""
    MAINTAIN = "maintain"
    """Rows were moved from file to file, or the table was described anew: no partition changed, so it has no group."""

    @property
    def deed(self) -> str:
        """What a commit of this kind did to its partitions, for a sentence."""
        return {
            Kind.MATERIALIZE: "made",
            Kind.OBSERVE: "observed",
            Kind.ROLLBACK: "rolled back",
            Kind.WIPE: "wiped",
            Kind.MAINTAIN: "maintained",
        }[self]

    @property
    def noun(self) -> str:
        """What a commit of this kind is, for a sentence."""
        return {
            Kind.MATERIALIZE: "a materialization",
            Kind.OBSERVE: "an observation",
            Kind.ROLLBACK: "a rollback",
            Kind.WIPE: "a wipe",
            Kind.MAINTAIN: "maintenance",
        }[self]


@dataclass(frozen=True, slots=True)
class Pin:
    """The version of an upstream table that was read."""

    asset: str
    version: int
    members: tuple[tuple[str, str], ...] = ()
    """An argument and a digest of the keys that it read, for each that reads the same for every partition."""


@dataclass(frozen=True, slots=True)
class Restored:
    """The change of the same table that brought about the content that a rollback gave back."""

    version: int
    run_id: str | None
    """None: it was written from outside."""


@dataclass(frozen=True, slots=True)
class Group:
    """Partitions of one commit that were made by the same code from the same upstream versions."""

    keys: tuple[str, ...] | None
    """None: the table is not partitioned."""
    rows: tuple[int | None, ...]
    """One count for each key; none for what a rollback gave back and others had written."""
    source: str | None
    """The hash of the code that made them; none: others wrote them, they were observed, or nothing is left of them."""
    override: str | None = None
    """The code version that the author set instead."""
    inputs: Mapping[str, Pin] = field(default_factory=dict[str, Pin])
    """By Delta table id: what can make the partitions stale."""
    restored_from: Restored | None = None
    """Where a rollback took their content from."""
    columns: Mapping[str, str] | None = None
    """What each column was made of, in a hash: it explains a change of code and decides nothing. None: unknown."""
    rejects: tuple[str | None, ...] | None = None
    """Below the asset's folder of rejects, the file with the rows that were kept out of each partition."""
    is_external: bool = False
    """Whether somebody else chose part of their content, so that no code and no inputs tell it."""
    reads: Mapping[str, Pin] = field(default_factory=dict[str, Pin])
    """By Delta table id: what only checks read, which is no cause of anything."""
    config_hash: str | None = None
    """What stands for the config that their function was given; none: it takes none."""

    @property
    def is_gone(self) -> bool:
        """Whether the commit left the partitions without content; what was observed has rows and nothing made it."""
        return self.source is None and self.restored_from is None and not any(self.rows)


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that a commit says about itself."""

    run_id: str
    asset: str
    engine: str
    started_at: str
    groups: tuple[Group, ...]
    checks: Mapping[str, Json]
    kind: Kind = Kind.MATERIALIZE
    needs_format: int = FORMAT
    """An engine that knows no format as new as this may read the table and not write to it."""
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """What else is to be remembered of it."""
    is_foreign: bool = False
    """Whether it is of another lake, so that nothing but the run is read of it."""

    def to_json(self) -> Json:
        """Return the record as it stands in a commit."""
        return {
            "format": FORMAT,
            "min_engine_format": self.needs_format,
            "engine": self.engine,
            "run_id": self.run_id,
            "asset": self.asset,
            "kind": self.kind.value,
            "started_at": self.started_at,
            "groups": [_group_to_json(group) for group in self.groups],
            "checks": dict(self.checks),
            "metadata": dict(self.metadata),
        }


def read_record(document: Json, table: str) -> Record:
    """Read a record; keys that this engine does not know are ignored.

    Raises:
        StorageError: it is damaged, or not written in a form that this engine knows.
    """
    try:
        return Record(
            run_id=document["run_id"],
            asset=document["asset"],
            engine=document["engine"],
            started_at=document["started_at"],
            groups=tuple(_group_from_json(group) for group in document["groups"]),
            checks=document.get("checks") or {},
            kind=Kind(document["kind"]),
            needs_format=int(document["min_engine_format"]),
            metadata=document.get("metadata") or {},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StorageError(
            f"{table}: a record of its log cannot be read ({type(error).__name__}: {error}). If a newer deltaworks "
            "wrote it, upgrade this one; else move the table away and materialize it anew."
        ) from error


def foreign_record(document: Json) -> Record | None:
    """Return who wrote by a record of another lake, in whatever form it is; none if it does not tell.

    What it says of partitions concerns that lake.
    """
    try:
        run_id = document["run_id"]
    except (KeyError, TypeError):
        return None
    return Record(str(run_id), asset="", engine="", started_at="", groups=(), checks={}, is_foreign=True)


def _group_to_json(group: Group) -> Json:
    external = {"external": True} if group.is_external else {}
    return {
        "keys": None if group.keys is None else list(group.keys),
        "rows": list(group.rows),
        "code": {
            "source": group.source,
            "columns": None if group.columns is None else dict(group.columns),
            "override": group.override,
        },
        "config_hash": group.config_hash,
        "inputs": {table_id: _pin_to_json(pin) for table_id, pin in group.inputs.items()},
        "reads": {table_id: _pin_to_json(pin) for table_id, pin in group.reads.items()},
        "rejects": None if group.rejects is None else list(group.rejects),
        "restored_from": None if group.restored_from is None else asdict(group.restored_from),
        **external,
    }


def _pin_to_json(pin: Pin) -> Json:
    members = {"members": dict(pin.members)} if pin.members else {}
    return {"asset": pin.asset, "version": pin.version, **members}


def _group_from_json(document: Json) -> Group:
    keys, rows, code = document["keys"], document["rows"], document["code"]
    if len(rows) != (1 if keys is None else len(keys)):
        raise ValueError(f"{len(rows)} row counts do not fit its keys")
    inputs: dict[str, Json] = document.get("inputs") or {}
    reads: dict[str, Json] = document.get("reads") or {}
    restored, rejects = document.get("restored_from"), document.get("rejects")
    return Group(
        keys=None if keys is None else tuple(keys),
        rows=tuple(rows),
        source=code["source"],
        override=code.get("override"),
        columns=code.get("columns"),
        inputs={table_id: _pin_from_json(pin) for table_id, pin in inputs.items()},
        reads={table_id: _pin_from_json(pin) for table_id, pin in reads.items()},
        restored_from=None if restored is None else Restored(int(restored["version"]), restored.get("run_id")),
        rejects=None if rejects is None else tuple(rejects),
        is_external=bool(document.get("external")),
        config_hash=document.get("config_hash"),
    )


def _pin_from_json(document: Json) -> Pin:
    members: dict[str, str] = document.get("members") or {}
    return Pin(document["asset"], int(document["version"]), tuple(members.items()))
