"""Simulate: what conditions would have had made since some time, by the logs of what really happened.

The commits since then are replayed on tables that exist in memory alone, and the conditions are evaluated as a daemon
would have. What it would have run is made at once, there. So what runs really made of assets with conditions is left
out, and all else is replayed: what others wrote, wipes and rollbacks, and what runs made of other assets.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from deltaworks.engine.automation.conditions.evaluate import Conditions, ConditionTick, evaluate
from deltaworks.engine.automation.conditions.growth import has_grown
from deltaworks.engine.automation.conditions.memory import Memory
from deltaworks.engine.automation.conditions.sight import Sight
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.partitions.partition_set import PartitionSet
from deltaworks.engine.definitions.partitions.resolution import DynamicKeys
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.engine.execution.opening import no_table, open_history
from deltaworks.engine.planning.graph import AssetGraph, Node, build_graph
from deltaworks.engine.planning.state import lake_state
from deltaworks.engine.planning.status import LakeStatus, lake_status
from deltaworks.errors import RequestError
from deltaworks.io.dtypes import Json, to_delta_schema
from deltaworks.io.log import Commit, parse_commit
from deltaworks.io.record import RECORD_KEY, Group, Kind, Pin, Record
from deltaworks.io.store import Store
from deltaworks.io.table import Table

MOST_TICKS = 20_000
"""How many ticks may have something to do."""


@dataclass(frozen=True, slots=True)
class SimulatedTick:
    """A tick at which something would have been made."""

    at: dt.datetime
    graph: AssetGraph
    """The assets as they stood then."""
    requests: Mapping[AssetKey, PartitionSet]


def simulate(
    definitions: Definitions,
    store: Store,
    since: dt.datetime,
    now: dt.datetime,
    every: dt.timedelta,
    keys: DynamicKeys | None = None,
) -> Iterator[SimulatedTick]:
    """Yield what the conditions of today's code would have had made, tick by tick.

    Args:
        definitions: the assets, with the conditions to try.
        store: the lake.
        since: where to begin; the first tick finds what was missing or stale then.
        now: where to end.
        every: how far ticks are apart.
        keys: those that dynamic partitions have now; they count as if they had been there all the time.

    Raises:
        RequestError: `since` is not over yet, or there is too much to do.
        LogGap: a commit is missing or damaged.
    """
    if since >= now:
        raise RequestError(f"--since {since.isoformat()} is not over yet: there is no commit to replay.")
    replay = _Replay(definitions, store, keys or {}, build_graph(definitions, since, keys), every)
    replay.load(since, now)
    at: dt.datetime | None = since
    memory, last, count = Memory(), None, 0
    while at is not None:
        replay.advance(at)
        last = evaluate(replay.graph, Sight(replay.status()), memory, at, last)
        memory, made = last.memory, last.requests
        if made:
            yield SimulatedTick(at, replay.graph, made)
            replay.make(last, at)
        count += 1
        if count > MOST_TICKS:
            raise RequestError(
                f"There are more than {MOST_TICKS:,} ticks with something to do; begin later than {since}."
            )
        at = replay.next_tick(at, now, is_moving=bool(last.moving))


@dataclass(slots=True)
class _Replay:
    """Tables in memory, and the commits that are still to come."""

    definitions: Definitions
    store: Store
    keys: DynamicKeys
    graph: AssetGraph
    every: dt.timedelta
    tables: dict[AssetKey, Table] = field(default_factory=dict[AssetKey, Table])
    coming: list[tuple[dt.datetime, AssetKey, Commit]] = field(
        default_factory=list[tuple[dt.datetime, AssetKey, Commit]]
    )
    """By time; where that is the same, upstreams first."""
    numbers: dict[str, dict[int, int]] = field(default_factory=dict[str, dict[int, int]])
    """By table id: which version here is which one of the log."""
    ticks: list[dt.datetime] = field(default_factory=list[dt.datetime])
    """When conditions look at the clock."""
    known: LakeStatus | None = None
    is_live: bool = False
    """Whether the time to replay has begun."""

    def load(self, since: dt.datetime, now: dt.datetime) -> None:
        """Read all logs, and apply what was committed before the beginning."""
        for key, node in self.graph.nodes.items():
            self.tables[key], at_ms = no_table(self.store, node.asset), 0
            for commit in reversed(list(open_history(self.store, node.asset))):
                at_ms = max(at_ms, commit.timestamp_ms)  # writers' clocks differ, and versions are the order
                at = dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC)
                if at < since:
                    self._apply(key, commit)
                elif at <= now:
                    self.coming.append((at, key, commit))
        self.coming.sort(key=lambda each: each[0])
        self.is_live = True
        crons = {each for ticks in Conditions(self.graph).ticks.values() for each in ticks}
        self.ticks = sorted({at for each in crons for at in each.between(since, now)})

    def next_tick(self, at: dt.datetime, now: dt.datetime, *, is_moving: bool) -> dt.datetime | None:
        """Return the next tick at which a condition may find something; none: there is none before the end."""
        while self.ticks and self.ticks[0] <= at:
            self.ticks.pop(0)
        due = [*self.ticks[:1], *(each[0] for each in self.coming[:1])]
        if is_moving:
            return at + self.every if at + self.every <= now else None
        if not due:
            return None
        steps = max(1, -((at - min(due)) // self.every))  # the first tick that is not before it
        return at + steps * self.every

    def advance(self, at: dt.datetime) -> None:
        """Apply what was committed up to a tick, and let partitions come that are over by then."""
        while self.coming and self.coming[0][0] <= at:
            _, key, commit = self.coming.pop(0)
            self._apply(key, commit)
        if has_grown(self.graph, at):
            self.graph, self.known = build_graph(self.definitions, at, self.keys), None

    def status(self) -> LakeStatus:
        """Return the status of everything, as it would have been."""
        before = None if self.known is None else {key: found.state for key, found in self.known.items()}
        self.known = lake_status(self.graph, lake_state(self.graph, self.tables, (), before=before), self.known)
        return self.known

    def make(self, tick: ConditionTick, at: dt.datetime) -> None:
        """Make what a tick asks for at once, each asset in a commit; what reads its own table, one by one."""
        for key, chosen in tick.requests.items():
            node = self.graph.nodes[key]
            keys = [node.partitions.key(ordinal) for ordinal in chosen]
            is_chain = any(edge.is_own for edge in node.upstream)
            for batch in [[each] for each in keys] if is_chain else [keys]:
                self._commit(node, batch, at)

    def _commit(self, node: Node, keys: Sequence[str], at: dt.datetime) -> None:
        table = self.tables[node.key]
        self._create(node.key)
        read = {edge.upstream: self.tables[edge.upstream] for edge in node.upstream}
        inputs = {each.table_id: Pin(str(key), each.version) for key, each in read.items() if each.table_id is not None}
        group = Group(tuple(keys) if node.is_partitioned else None, (0,) * len(keys), node.code, inputs=inputs)
        record = Record("simulated", str(node.key), "simulated", at.isoformat(), (group,), {})
        actions: list[Json] = [] if table.exists else _creation(node)
        info = {"timestamp": int(at.timestamp() * 1000), "operation": "WRITE", "engineInfo": "simulated"}
        actions.append({"commitInfo": {**info, RECORD_KEY: record.to_json()}})
        content = "\n".join(map(json.dumps, actions)).encode()
        table.apply(parse_commit(table.name, table.version + 1, content, table.places))

    def _create(self, key: AssetKey) -> None:
        """Let a table be there from its own first commit, if that is still to come and does nothing else."""
        first = next((each for each in self.coming if each[1] == key and each[2].version == 0), None)
        if first is not None and first[2].record is None and not first[2].added:
            self.coming.remove(first)
            self._apply(key, first[2])

    def _apply(self, key: AssetKey, commit: Commit) -> None:
        """Apply a commit of the log, under the number that it has here; leave out what is made here anyway."""
        table, record = self.tables[key], commit.record
        is_made = record is not None and record.kind is Kind.MATERIALIZE
        if not (is_made and self.is_live and self.graph.nodes[key].asset.automation is not None):
            told = None if record is None else self._told(record)
            table.apply(replace(commit, version=table.version + 1, record=told))
        for table_id in {table.table_id, None if commit.metadata is None else commit.metadata.table_id}:
            self.numbers.setdefault(table_id or "", {})[commit.version] = table.version

    def _told(self, record: Record) -> Record:
        groups = tuple(
            replace(group, inputs={table_id: self._pin(table_id, pin) for table_id, pin in group.inputs.items()})
            for group in record.groups
        )
        return replace(record, groups=groups)

    def _pin(self, table_id: str, pin: Pin) -> Pin:
        return replace(pin, version=self.numbers.get(table_id, {}).get(pin.version, pin.version))


def _creation(node: Node) -> list[Json]:
    """Return what creates a table that is cut as an asset says."""
    columns = {
        column.name: _dtype(dimension)
        for column, dimension in zip(node.asset.partition_columns, node.partitions.dimensions, strict=True)
    }
    metadata: Json = {
        "id": f"simulated {node.key}",
        "schemaString": json.dumps(to_delta_schema(columns)),
        "partitionColumns": list(columns),
        "configuration": {},
    }
    return [{"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}, {"metaData": metadata}]


def _dtype(dimension: object) -> pl.DataType:
    if not isinstance(dimension, TimePartitions):
        return pl.String()
    return pl.Datetime("us", "UTC") if dimension.cadence.is_clock else pl.Date()
