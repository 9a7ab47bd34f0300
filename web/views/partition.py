"""Partition: one of them, and the chain of causes that made it what it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.documents.explanations import Why, find_why
from deltaworks.engine.documents.partitions import partitions_json
from deltaworks.engine.planning.explain import Explanation, Made
from deltaworks.engine.planning.graph import Node
from deltaworks.engine.planning.request import request
from deltaworks.engine.planning.state import AssetState
from deltaworks.engine.planning.status import Status
from deltaworks.web import urls
from deltaworks.web.views.asset import AssetHead, asset_head
from deltaworks.web.views.linked import Piece, linked
from deltaworks.web.words import number
from deltaworks.web.workspace import Sight

MOST_SHOWN = 50
"""How many causes, runs or failures stand beside each other."""


@dataclass(frozen=True, slots=True)
class MadeBy:
    """Who made content, and from what."""

    run_id: str | None
    """None: an outside writer."""
    versions: tuple[int, int]
    inputs: tuple[tuple[str, int, int], ...]
    """The oldest and newest version of each upstream that was read."""
    code: str | None


@dataclass(frozen=True, slots=True)
class Cause:
    """A piece of the chain: some partitions, their status, and why; then what lies above."""

    asset: str
    href: str
    """Where it is looked at more closely."""
    partitions: str
    status: str
    lines: tuple[tuple[Piece, ...], ...]
    code: str | None
    """Where the code is that changed."""
    columns: tuple[str, ...]
    """Which columns that changed."""
    made: tuple[MadeBy, ...]
    failed: tuple[tuple[str, str], ...]
    """The run of each failed attempt, and the error."""
    above: tuple[Cause, ...]
    elsewhere: tuple[str, ...]
    """Upstreams that are explained further up, or are too far to be explained here."""


@dataclass(frozen=True, slots=True)
class PartitionView:
    """One partition."""

    head: AssetHead
    key: str
    status: str
    version: int | None
    """Of the commit that changed it last."""
    at: dt.datetime | None
    rows: int | None
    size_bytes: int | None
    files: int
    causes: tuple[Cause, ...]
    automation: str | None
    """Its condition; none: nothing makes it by itself."""
    decisions: tuple[str, ...]
    before: str | None
    after: str | None
    command: str


def partition_view(sight: Sight, node: Node, key: str) -> PartitionView:
    """Return a partition, or a whole table if the key is empty, with why it is as it is.

    Raises:
        UnknownPartition: it has no such partition.
    """
    graph, state = sight.project.graph, sight.status(node.key).state
    within = request(graph, (node.key,), (key,) if key else ()).partitions[node.key]
    ordinal = next(iter(within), 0)
    why = find_why(graph, sight.project.store, sight.observation, node.key, within, sight.at)
    version: int | None = state.columns["version"][ordinal] if len(within) else None
    row = state.columns.row(ordinal, named=True) if len(within) else {"rows": None}
    sizes = [size for place, size in _files(sight, node) if place == ordinal]
    return PartitionView(
        head=asset_head(sight, node),
        key=node.partitions.key(ordinal) if node.is_partitioned else "",
        status=_status(sight, node, ordinal, state),
        version=version,
        at=_at(state, version),
        rows=row["rows"],
        size_bytes=sum(sizes) if sizes else None,
        files=len(sizes),
        causes=tuple(_causes(why.explanations, sight, why)),
        automation=None if why.automation is None else why.automation.condition,
        decisions=tuple(each.sentence for each in why.automation.decisions) if why.automation is not None else (),
        before=node.partitions.key(ordinal - 1) if node.is_partitioned and ordinal > 0 else None,
        after=node.partitions.key(ordinal + 1) if node.is_partitioned and ordinal + 1 < within.size else None,
        command=f"deltaworks why {node.key}{f' --partition {key}' if key else ''}",
    )


def why_document(sight: Sight, node: Node, keys: Sequence[str]) -> dict[str, object]:
    """Return why partitions of an asset are as they are, as `why --json`."""
    graph = sight.project.graph
    within = request(graph, (node.key,), keys).partitions[node.key]
    return find_why(graph, sight.project.store, sight.observation, node.key, within, sight.at).json(graph)


def _causes(explanations: Sequence[Explanation], sight: Sight, why: Why) -> Iterator[Cause]:
    for each in explanations[:MOST_SHOWN]:
        node = sight.project.graph.nodes[each.asset]
        ranges = partitions_json(each.partitions, node.partitions)["ranges"]
        first = ranges[0][0] if ranges else ""
        yield Cause(
            asset=str(each.asset),
            href=urls.asset(each.asset, "partitions", first) if first else urls.asset(each.asset, "partitions"),
            partitions=_named(each.partitions, ranges),
            status=each.status.word,
            lines=tuple(linked(sight, line) for line in each.own_causes),
            code=None if each.code is None else sight.from_folder(each.code.where),
            columns=why.columns.get(each.asset, ()),
            made=tuple(map(_made, each.made[:MOST_SHOWN])),
            failed=tuple((attempt.run_id, sight.from_folder(attempt.error)) for attempt in each.attempts[:MOST_SHOWN]),
            above=tuple(_causes(each.upstream, sight, why)),
            elsewhere=tuple(map(str, (*each.above, *each.deeper))),
        )


def _named(partitions: PartitionSet, ranges: Sequence[Sequence[str]]) -> str:
    if not ranges or not ranges[0][0]:
        return ""
    first, last = ranges[0]
    told = first if first == last else f"{first} \N{HORIZONTAL ELLIPSIS} {last}"
    return told if len(ranges) == 1 else f"{told} and others, {number(len(partitions))} in all"


def _made(made: Made) -> MadeBy:
    inputs = tuple((asset, least, most) for asset, (least, most) in made.inputs.items())
    return MadeBy(made.run_id, made.versions, inputs, made.code)


def _status(sight: Sight, node: Node, ordinal: int, state: AssetState) -> str:
    running = sight.running.get(node.key)
    if running is not None and ordinal in running:
        return "running"
    if ordinal in state.failures:
        return "failed"
    return Status(sight.status(node.key).status[ordinal]).word


def _at(state: AssetState, version: int | None) -> dt.datetime | None:
    writer = None if version is None else state.writers.get(version)
    return None if writer is None else dt.datetime.fromtimestamp(writer.timestamp_ms / 1000, dt.UTC)


def _files(sight: Sight, node: Node) -> Iterator[tuple[int | None, int]]:
    """Yield the place of each live file of a table, by ordinal, and its size."""
    table = sight.observation.tables[node.key]
    files = list(table.live_files()) if table.exists else []
    ordinals = node.partitions.ordinals(pl.Series([key for key, _ in files], dtype=pl.String))
    for ordinal, (_, file) in zip(ordinals, files, strict=True):
        yield ordinal, file.size_bytes
