"""Protocol: what a table asks of its readers and writers, and what of it this engine does not do.

Source: Delta protocol, "Requirements for Writers" and "Requirements for Readers".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from deltaworks.io.dtypes import Json

_READER_FEATURES = frozenset(
    {"timestampNtz", "deletionVectors", "columnMapping", "v2Checkpoint", "vacuumProtocolCheck"}
)
"""Features that ask nothing of a reader of commits, or are looked at table by table or file by file."""

_WRITER_FEATURES = frozenset({"timestampNtz", "appendOnly", "invariants"})
"""Features that ask nothing of a writer, or are looked at table by table."""

_NTZ = "timestampNtz"
"""The feature that instants without a time zone ask for."""

_IMPLIED: Mapping[int, tuple[str, ...]] = {1: (), 2: ("appendOnly", "invariants"), 7: ()}
"""What the writer versions that are written here stand for."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """The versions and features that a table's readers and writers must know."""

    min_reader_version: int
    min_writer_version: int
    reader_features: frozenset[str]
    writer_features: frozenset[str]


def reader_demand(protocol: Protocol, configuration: Mapping[str, str]) -> str | None:
    """Say what a table asks of its readers that is not done here, or none if it can be read."""
    if protocol.min_reader_version > 3:
        return f"asks for reader version {protocol.min_reader_version}"
    features = protocol.reader_features - _READER_FEATURES
    if features:
        return f"asks its readers for {', '.join(sorted(features))}"
    if configuration.get("delta.columnMapping.mode", "none").lower() != "none":
        return "maps its columns to other names in its files"
    return None


def writer_demand(
    protocol: Protocol, configuration: Mapping[str, str], schema_string: str, *, changes_data: bool = True
) -> str | None:
    """Say what a table asks of its writers that is not done here, or none if it can be written.

    An append-only table may have its rows moved from file to file, which changes no data.
    """
    features = protocol.writer_features - _WRITER_FEATURES
    if features:
        return f"asks its writers for {', '.join(sorted(features))}"
    if protocol.min_writer_version not in (1, 2, 7):
        return f"asks for writer version {protocol.min_writer_version}"
    if changes_data and configuration.get("delta.appendOnly", "").lower() == "true":
        return "is append-only, so its partitions cannot be replaced"
    required, has_invariants = _rules(schema_string)
    if has_invariants:
        return "has column invariants"
    return f"demands that {', '.join(required)} be not null" if required else None


def upgrade(protocol: Protocol, schema_string: str) -> Json | None:
    """Return the protocol action that lets a table have the columns of a schema, or none if it may as it is.

    A feature that is named by itself takes the place of the versions that stood for several, which are named then too.
    """
    if _NTZ in protocol.writer_features or not _has_ntz(schema_string):
        return None
    return {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": sorted({*protocol.reader_features, _NTZ}),
        "writerFeatures": sorted({*protocol.writer_features, *_IMPLIED[protocol.min_writer_version], _NTZ}),
    }


def _has_ntz(schema_string: str) -> bool:
    found: list[bool] = []

    def note(document: dict[str, Json]) -> dict[str, Json]:
        found.append("timestamp_ntz" in map(document.get, ("type", "elementType", "keyType", "valueType")))
        return document

    json.loads(schema_string, object_hook=note)
    return any(found)


def _rules(schema_string: str) -> tuple[list[str], bool]:
    """Return the fields that the schema does not allow to be null, nested ones included, and if any has invariants."""
    required: list[str] = []
    invariants: list[Json] = []

    def note(document: dict[str, Json]) -> dict[str, Json]:
        if "delta.invariants" in document:
            invariants.append(document["delta.invariants"])
        if document.get("nullable") is False:
            required.append(repr(document["name"]))
        if document.get("containsNull") is False:
            required.append("the elements of a list")
        return document

    json.loads(schema_string, object_hook=note)
    return required, bool(invariants)
