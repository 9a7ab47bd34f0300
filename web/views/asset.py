"""Asset: what the pages of one asset show."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.documents.history import commit_json, committed_at
from deltaworks.engine.documents.partitions import ranges_json
from deltaworks.engine.execution.opening import open_history
from deltaworks.engine.planning.causes import status_ranges
from deltaworks.engine.planning.graph import Node
from deltaworks.io.history import changes_data
from deltaworks.io.log import Commit
from deltaworks.web import urls
from deltaworks.web.draw.spark import Spark, draw_spark
from deltaworks.web.views.catalog import AssetRow, asset_row
from deltaworks.web.views.linked import Piece, linked
from deltaworks.web.views.partitions import HeatView, heat_view, last_week, shades, within
from deltaworks.web.words import number, plural
from deltaworks.web.workspace import Sight

SHOWN_RANGES = 200
"""How many ranges of partitions stand on a page."""

_SPARKED = 90


@dataclass(frozen=True, slots=True)
class Tab:
    """One of the pages of an asset."""

    word: str
    label: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class AssetHead:
    """What stands above every page of an asset."""

    row: AssetRow
    description: str
    code: str | None
    where: str
    """The file and line of its definition."""
    tags: Mapping[str, str]
    is_made: bool
    """Whether runs can make it."""
    is_partitioned: bool
    partitions: str
    """Its partitions in words."""
    last_week: tuple[str, str] | None
    """Keys of the first and the last partition of its last seven days; none: it has none of days or hours."""
    tabs: tuple[Tab, ...]


@dataclass(frozen=True, slots=True)
class CommitRow:
    """A commit in a line."""

    version: int
    at: dt.datetime | None
    run_id: str | None
    kind: str
    """What was done; `outside` if it was not the engine."""
    by: str
    """What asked for it, and who; of an outside write the program."""
    ranges: tuple[tuple[str, str], ...]
    """The first of the ranges of partitions that it changed."""
    partitions: int
    rows: int | None
    left_out: int
    inputs: Mapping[str, int]
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An asset that this one is made from, or that is made from it."""

    key: str
    status: str


@dataclass(frozen=True, slots=True)
class RangeRow:
    """Partitions one after the other that have the same status for the same reasons."""

    status: str
    first: str
    last: str
    count: int
    reasons: tuple[tuple[Piece, ...], ...]


@dataclass(frozen=True, slots=True)
class AssetView:
    """The first page of an asset."""

    head: AssetHead
    heat: HeatView | None
    """None: there is nothing to map."""
    commits: tuple[CommitRow, ...]
    spark: Spark | None
    spark_sentence: str
    checks: tuple[tuple[str, bool, str], ...]
    """Each check: its name, whether it blocks, and its description."""
    upstream: tuple[Neighbour, ...]
    downstream: tuple[Neighbour, ...]


@dataclass(frozen=True, slots=True)
class PartitionsView:
    """The partitions of an asset."""

    head: AssetHead
    heat: HeatView | None
    ranges: tuple[RangeRow, ...]
    more: int
    """How many ranges are not shown."""
    status: str
    """Only these are listed; empty: all."""
    asked: Mapping[str, str]
    """What part of them is shown, and how it is cut, as the address says it."""

    def address(self, **changed: str | None) -> str:
        """Return the address of this page with something of that changed."""
        return urls.asset(self.head.row.key, "partitions", **{**self.asked, "status": self.status, **changed})


@dataclass(frozen=True, slots=True)
class HistoryView:
    """The commits of an asset's table, newest first."""

    head: AssetHead
    commits: tuple[CommitRow, ...]
    before: int | None
    """The version before which the next page begins; none: this is the last one."""
    shows_all: bool
    """Whether commits that change no data are shown too."""


def asset_head(sight: Sight, node: Node) -> AssetHead:
    """Return what stands above every page of an asset."""
    asset = node.asset
    has_table = node.key in sight.project.graph.nodes
    words = ["", "partitions", "history", "schema", "checks", "lineage", "data", "metrics"]
    labels = ["Overview", "Partitions", "History", "Schema", "Checks", "Lineage", "Data", "Metrics"]
    shown = {"", "schema", "lineage", "data"} if not has_table else set(words)
    return AssetHead(
        row=asset_row(sight, node),
        description=asset.description,
        code=node.code,
        where=sight.from_folder(asset.where),
        tags=asset.tags,
        is_made=has_table and asset.kind.is_made,
        is_partitioned=node.is_partitioned,
        partitions=str(node.partitions),
        last_week=last_week(node.partitions, sight.at),
        tabs=tuple(
            Tab(word, label, len(node.checks) if word == "checks" else 0)
            for word, label in zip(words, labels, strict=True)
            if word in shown
        ),
    )


def asset_view(sight: Sight, node: Node, shown: int = 14) -> AssetView:
    """Return the first page of an asset."""
    graph, has_table = sight.project.graph, node.key in sight.project.graph.nodes
    commits = commits_of(sight, node, _SPARKED) if has_table else []
    rows = [commit_row(sight, node, each) for each in commits]
    counted = [row.rows for row in reversed(rows) if row.rows is not None]
    below = {edge.downstream: None for edge in graph.downstream.get(node.key, ())}
    return AssetView(
        head=asset_head(sight, node),
        heat=_heat(sight, node, {}) if has_table else None,
        commits=tuple(rows[:shown]),
        spark=draw_spark(counted) if len(counted) > 1 else None,
        spark_sentence=_spark_sentence(counted),
        checks=tuple((each.check.name, each.check.blocking, each.check.description) for each in node.checks),
        upstream=tuple(_neighbours(sight, [edge.upstream for edge in node.reads], node.key)),
        downstream=tuple(_neighbours(sight, list(below), node.key)),
    )


def partitions_view(sight: Sight, node: Node, status: str, asked: Mapping[str, str]) -> PartitionsView:
    """Return the partitions of an asset: a map, and a list of ranges with the reasons."""
    found = sight.status(node.key)
    shade = shades(found, sight.running.get(node.key))
    rows: list[RangeRow] = []
    more = 0
    part = within(node.partitions, asked) if node.is_partitioned else None
    for each in status_ranges(found, sight.observation.status, part, by_failure=True):
        word = "failed" if each.failure is not None else each.status.word
        if status not in ("", word):
            continue
        if len(rows) >= SHOWN_RANGES:
            more += 1
            continue
        reasons = tuple(linked(sight, each) for each in each.reasons)
        for first, last in ranges_json([(each.first, each.last)], node.partitions)["ranges"]:
            rows.append(RangeRow(word, first, last, each.last - each.first + 1, reasons))
    heat = heat_view(node.partitions, shade, asked) if node.is_partitioned else None
    kept = {name: value for name, value in asked.items() if name not in ("status", "part", "select")}
    return PartitionsView(asset_head(sight, node), heat, tuple(reversed(rows)), more, status, kept)


def history_view(sight: Sight, node: Node, before: int | None, *, shows_all: bool, size: int = 50) -> HistoryView:
    """Return commits of an asset's table, those before a version."""
    found = commits_of(sight, node, size + 1, before=before, shows_all=shows_all)
    more = found[size - 1].version if len(found) > size else None
    rows = tuple(commit_row(sight, node, each) for each in found[:size])
    return HistoryView(asset_head(sight, node), rows, more, shows_all)


def commit_row(sight: Sight, node: Node, commit: Commit) -> CommitRow:
    """Return a commit in a line."""
    document = commit_json(node, commit)
    ranges: Sequence[Sequence[str]] = document["partitions"]["ranges"]
    kind = document["kind"] or "outside"
    return CommitRow(
        version=commit.version,
        at=committed_at(commit) if commit.timestamp_ms else None,
        run_id=document["run_id"] if kind != "outside" else None,
        kind=kind,
        by=f"{commit.operation} by {commit.engine_info}" if kind == "outside" else _cause(sight, document["run_id"]),
        ranges=tuple((first, last) for first, last in ranges[:3]),
        partitions=document["partitions"]["count"],
        rows=document["rows"],
        left_out=(document["dropped"] or 0) + (document["quarantined"] or 0),
        inputs=document["inputs"],
        metadata=document["metadata"],
    )


def _cause(sight: Sight, run_id: str) -> str:
    """Return what asked for a run, and who; nothing, if the ledger has no such run any more."""
    run = sight.run(run_id)
    if run is None:
        return ""
    return " · ".join(filter(None, (run.tick or run.job or run.command.partition(" ")[0], run.user)))


def commits_of(
    sight: Sight, node: Node, most: int, *, before: int | None = None, shows_all: bool = False
) -> list[Commit]:
    """Return commits of an asset's table, newest first: those before a version, if it is given."""
    found = open_history(sight.project.store, node.asset, before=before)
    kept = (commit for commit in found if shows_all or changes_data(commit))
    return list(islice(kept, most))


def _heat(sight: Sight, node: Node, asked: Mapping[str, str]) -> HeatView | None:
    if not node.is_partitioned:
        return None
    return heat_view(node.partitions, shades(sight.status(node.key), sight.running.get(node.key)), asked)


def _neighbours(sight: Sight, keys: Sequence[AssetKey], own: AssetKey) -> list[Neighbour]:
    every = sight.project.graph.every
    return [Neighbour(str(key), asset_row(sight, every[key]).status) for key in dict.fromkeys(keys) if key != own]


def _spark_sentence(counted: Sequence[int]) -> str:
    if not counted:
        return "No commit of it tells its rows."
    middle = sorted(counted)[len(counted) // 2]
    low, high = number(min(counted)), number(max(counted))
    return f"Last {plural(len(counted), 'commit')}: median {number(middle)}, low {low}, high {high}"
