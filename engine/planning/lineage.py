"""Lineage: which columns of other assets each column of an asset is made of, and which decide what rows it has.

Found by calling each function on empty frames and reading the plan that it returns; no data and no lake. What it says
not to be used has no influence on the column. It may say too much where Python hides what is done: such a column is
opaque. A function is called for its first and its last partition: one that builds a plan of its own for some partition
in between is not seen through.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import polars as pl

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.mappings.declared import AllPartitionsMapping
from deltaworks.engine.definitions.materialize_result import frame_of
from deltaworks.engine.planning.empty_call import arguments_of, declared_schema, is_vague, with_a_key
from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.planning.lineage_expressions import NOTHING, Source, Sources
from deltaworks.engine.planning.lineage_plans import Frame, trace_frame
from deltaworks.engine.planning.rehearsal import rehearsal
from deltaworks.engine.planning.resolved_plan import PlanUnknown, Scan, scan_of
from deltaworks.errors import UnknownAsset, UnknownColumn, did_you_mean
from deltaworks.validation import conform, declare

EVERY = "*"
"""Stands for all columns of an asset whose columns are known only from its data."""


class Influence(StrEnum):
    """What a column does to another."""

    VALUE = "value"
    """Its values become the other's values."""
    ROWS = "rows"
    """It only decides which rows there are, how they are grouped or in which order: by a filter, a join, a sort.

    A column whose rule leaves rows out does so to every column of its own asset.
    """


@dataclass(frozen=True, slots=True)
class ColumnLineage:
    """What a column is made of, one step up."""

    values: Sources
    """The columns that its values are made of."""
    rows: Sources
    """The columns that decide which rows there are; those of its own asset, by rules that leave rows out."""
    is_opaque: bool = False
    """Whether it is not known which of these columns have influence, only that no others have."""

    @property
    def sources(self) -> Iterator[tuple[Source, Influence]]:
        """Yield each column with the more telling of its influences, in a stable order."""
        for source in sorted(self.values | self.rows):
            yield source, Influence.VALUE if source in self.values else Influence.ROWS


_ROW_SET = ""
"""Stands for which rows an asset has, on the ways between columns: a count of its rows reads none of its columns."""

_NOWHERE = ColumnLineage(NOTHING, NOTHING)


@dataclass(frozen=True, slots=True)
class Reached:
    """A column that another one is made of, or that is made of it."""

    column: Source
    influence: Influence
    """The more telling one, over all ways between the two."""
    distance: int
    """How many assets further it is, on the shortest way."""


@dataclass(frozen=True)
class Lineage:
    """What the columns of all assets are made of."""

    assets: Mapping[AssetKey, Mapping[str, ColumnLineage]]
    """The columns of each asset in the order of its table; `EVERY` alone where they are not known."""
    upstreams: Mapping[AssetKey, Collection[AssetKey]]
    """The assets that each asset reads."""

    def of(self, column: Source) -> ColumnLineage:
        """Return what a column is made of; nothing, if there is no such column but for those who read it."""
        return self.assets[column[0]].get(column[1], _NOWHERE)

    @cached_property
    def readers(self) -> Mapping[Source, Mapping[Source, Influence]]:
        """The columns that are made of each column, one step down."""
        found: dict[Source, dict[Source, Influence]] = {}
        for key, columns in self.assets.items():
            for name, lineage in columns.items():
                for source, influence in lineage.sources:
                    found.setdefault(source, {})[key, name] = influence
        return found

    def named(self, text: str) -> tuple[AssetKey, str | None]:
        """Return the asset, or the column of an asset, that a text such as `raw/flights.carrier` names.

        Keys and columns may have dots themselves: an asset of that whole name comes first, then the longest key that
        has the column.

        Raises:
            UnknownAsset: it begins with no asset's key.
            UnknownColumn: the asset has no such column, or its columns are not known.
        """
        keys = {str(key): key for key in self.assets}
        if text in keys:
            return keys[text], None
        cuts = [place for place, character in enumerate(text) if character == "." and text[:place] in keys]
        split = [(keys[text[:place]], text[place + 1 :]) for place in reversed(cuts)]
        found = next(((key, name) for key, name in split if name in self.assets[key] and name != EVERY), None)
        if found is None and split:
            key, name = split[0]
            raise UnknownColumn(name, str(key), [known for known in self.assets[key] if known != EVERY])
        if found is None:
            raise UnknownAsset(text if did_you_mean(text, keys, "") else text.rpartition(".")[0] or text, keys)
        return found

    def upstream(self, column: Source) -> tuple[Reached, ...]:
        """Return the columns that have influence on a column, nearest first."""
        return _reached(column, self._above)

    def downstream(self, column: Source) -> tuple[Reached, ...]:
        """Return the columns that a column has influence on, nearest first."""
        return _reached(column, self._below)

    def unread(self, asset: AssetKey) -> tuple[str, ...]:
        """Return the columns of an asset that have no influence on any column, not even by a rule of the asset."""
        return tuple(name for name in self.assets[asset] if name != EVERY and (asset, name) not in self.readers)

    @cached_property
    def _rows(self) -> Mapping[AssetKey, Sources]:
        """What decides the rows of each asset."""
        return {key: NOTHING.union(*(each.rows for each in columns.values())) for key, columns in self.assets.items()}

    @cached_property
    def _downstreams(self) -> Mapping[AssetKey, Collection[AssetKey]]:
        return {key: [reader for reader, read in self.upstreams.items() if key in read] for key in self.assets}

    def _above(self, column: Source) -> Mapping[Source, Influence]:
        key, name = column
        direct = dict.fromkeys(self._rows[key], Influence.ROWS) if name == _ROW_SET else dict(self.of(column).sources)
        return direct | {(above, _ROW_SET): Influence.ROWS for above in self.upstreams[key]}

    def _below(self, column: Source) -> Mapping[Source, Influence]:
        key, name = column
        if name == _ROW_SET:
            below = ((each, held) for each in self._downstreams[key] for held in (*self.assets[each], _ROW_SET))
            return dict.fromkeys(below, Influence.ROWS)
        direct = self.readers.get(column, {})
        return {**direct, **{(each, _ROW_SET): Influence.ROWS for each, _ in direct if column in self._rows[each]}}


def column_lineage(graph: AssetGraph) -> Lineage:
    """Find what the columns of all assets are made of.

    Cost: some 2 ms an asset, and what the authors' functions cost on empty frames. A function that asks for a resource
    or that has no upstream is not called.
    """
    assets: dict[AssetKey, Mapping[str, ColumnLineage]] = {}
    scans: dict[AssetKey, Scan] = {}
    for key, node in graph.every.items():
        declared = declared_schema(node)
        if declared is not None:
            scans[key] = scan_of(declared)  # an asset may read itself
        asked = with_a_key(node)
        called = [_Called.of(asked, scans, ordinal) for ordinal in _ordinals(asked)]
        schema = _schema(declared, called)
        if schema:
            scans[key] = scan_of(schema)
        assets[key] = _columns(node, schema, [each.frame for each in called], _Reads.of(node, graph, scans))
    upstreams = {key: {edge.upstream for edge in node.reads} for key, node in graph.every.items()}
    return Lineage(assets, upstreams)


@dataclass(frozen=True, slots=True)
class _Called:
    """What came of calling a function on empty frames."""

    schema: pl.Schema | None
    """The columns of its result; none: that cannot be said."""
    frame: Frame | None
    """What they are made of; none: that cannot be said."""

    @classmethod
    def of(cls, node: Node, scans: Mapping[AssetKey, Scan], ordinal: int) -> _Called:
        signature = node.asset.signature
        needs_more = signature.resources or signature.staging or node.asset.graph is not None
        if needs_more or any(edge.upstream not in scans for edge in node.reads):
            return cls(None, None)
        given = {edge.upstream: scans[edge.upstream] for edge in node.reads}
        with rehearsal() as seen:
            try:
                result = node.asset.function(**arguments_of(node, lambda key: given[key].lf, ordinal))
                lf = conform(node.asset.model, frame_of(result).lazy())
                schema = lf.collect_schema()
            except (Exception, SystemExit, pl.exceptions.PanicException):  # noqa: BLE001 - it needs more than this
                return cls(None, None)
        if seen.has_collected:
            return cls(None if is_vague(schema) else schema, None)
        try:
            return cls(schema, trace_frame(lf, given))
        except (PlanUnknown, pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            return cls(schema, None)


@dataclass(frozen=True, slots=True)
class _Reads:
    """What of its upstreams an asset can see."""

    columns: Sources
    """All columns that its function is given."""
    cuts: Sources
    """The partition columns by which its upstreams' rows are chosen before the function sees them."""

    @classmethod
    def of(cls, node: Node, graph: AssetGraph, scans: Mapping[AssetKey, Scan]) -> _Reads:
        columns: set[Source] = set()
        cuts: set[Source] = set()
        for edge in node.reads:
            key, is_known = edge.upstream, edge.upstream in scans
            columns |= {(key, name) for name in (scans[key].schema if is_known else [EVERY])}
            if not isinstance(edge.mapping, AllPartitionsMapping):
                cuts |= {(key, name if is_known else EVERY) for name in graph.every[key].partition_columns}
        return cls(frozenset(columns), frozenset(cuts))


def _ordinals(node: Node) -> Iterable[int]:
    """Return the partitions that a function is called for."""
    if not node.reads:
        return (0,) if node.asset.kind is AssetKind.SEED and node.asset.model is None else ()
    return (0,) if node.asset.signature.partition is None else sorted({0, max(node.partitions.size - 1, 0)})


def _schema(declared: pl.Schema | None, called: Iterable[_Called]) -> pl.Schema | None:
    """Return the columns that an asset has for its readers; none: that cannot be said."""
    schemas = [each.schema for each in called]
    if declared is None and (not schemas or None in schemas):
        return None
    names: dict[str, pl.DataType] = dict(declared or {})
    for schema in filter(None, schemas):
        names |= {name: dtype for name, dtype in schema.items() if name not in names}
    return pl.Schema(names)


def _columns(
    node: Node, schema: pl.Schema | None, frames: Sequence[Frame | None], reads: _Reads
) -> Mapping[str, ColumnLineage]:
    sifting = _sifting(node, schema or ())
    by_rule = frozenset((node.key, name) for name in sifting)
    anything = ColumnLineage(reads.columns, reads.columns | reads.cuts | by_rule, is_opaque=bool(node.reads))
    columns = dict.fromkeys(schema or [EVERY], anything)
    computed: Mapping[str, Iterable[str]] = {} if EVERY in columns else _computed(node, columns)
    seen = [frame for frame in frames if frame is not None]
    rows = anything.rows
    if seen and len(seen) == len(frames):
        # A call for several partitions is cut to these by what their columns hold, and rules leave out rows.
        own = sifting.union(node.partition_columns, *computed.values())
        held = (frame.columns[name].values for frame in seen for name in own if name in frame.columns)
        rows = reads.cuts.union(by_rule, *held, *(frame.rows.values for frame in seen))
        hidden = any(frame.columns[name].is_unseen for frame in seen for name in sifting if name in frame.columns)
        found = {name: _column(name, seen, rows) for name in columns if all(name in each.columns for each in seen)}
        columns |= {name: replace(each, is_opaque=each.is_opaque or hidden) for name, each in found.items()}
    return columns | {
        name: ColumnLineage(frozenset((node.key, root) for root in roots), rows) for name, roots in computed.items()
    }


def _sifting(node: Node, columns: Collection[str]) -> frozenset[str]:
    """Return the columns of an asset that decide, by a rule of its model, which rows are left out of its table."""
    model = node.asset.model if node.asset.kind.is_made else None
    return frozenset() if model is None else declare(model).sifting(columns)


def _computed(node: Node, columns: Iterable[str]) -> Mapping[str, Iterable[str]]:
    """Return the partition columns that are computed, and the asset's own columns that they are made of."""
    expressions = ((each.name, each.expression) for each in node.asset.partition_columns if each.expression is not None)
    return {name: expression.meta.root_names() or list(columns) for name, expression in expressions}


def _column(name: str, frames: Sequence[Frame], rows: Sources) -> ColumnLineage:
    found = [frame.columns[name] for frame in frames]
    is_opaque = any(each.is_unseen for each in (*found, *(frame.rows for frame in frames)))
    return ColumnLineage(NOTHING.union(*(each.values for each in found)), rows, is_opaque)


def _reached(start: Source, step: Callable[[Source], Mapping[Source, Influence]]) -> tuple[Reached, ...]:
    """Walk from a column; a way on which any influence is on rows alone is one on rows."""
    found: dict[Influence, dict[Source, int]] = {Influence.VALUE: {}, Influence.ROWS: {}}
    waiting = deque([(start, Influence.VALUE, 0)])
    while waiting:
        column, so_far, distance = waiting.popleft()
        for each, influence in step(column).items():
            way = influence if so_far is Influence.VALUE else so_far
            if each not in found[way]:
                found[way][each] = distance + 1
                waiting.append((each, way, distance + 1))
    values, rows = found[Influence.VALUE], found[Influence.ROWS]
    reached = [
        Reached(each, Influence.VALUE, min(distance, rows.get(each, distance))) for each, distance in values.items()
    ]
    reached += [Reached(each, Influence.ROWS, distance) for each, distance in rows.items() if each not in values]
    columns = (each for each in reached if each.column[1] != _ROW_SET)
    return tuple(sorted(columns, key=lambda each: (each.distance, each.column)))
