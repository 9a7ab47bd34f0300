"""Table scope: rules that are judged over a whole table, on partitions that are to be committed and all its others.

Partitions are judged as if they were committed one after the other, in the order of the definition: of two that have
the same value, the later one is at fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import polars as pl

from deltaworks.engine.planning.graph import Node
from deltaworks.io.log import LiveFile
from deltaworks.io.restore import RestoredPartition
from deltaworks.io.scan import scan_files, scan_table
from deltaworks.io.staged import StagedPartition
from deltaworks.io.table import Table
from deltaworks.validation import Rule, RuleResult, Severity, UniqueScope, compile_contract, declare

Part: TypeAlias = StagedPartition | RestoredPartition
"""The whole new content of a partition."""

_VALUE, _PLACE, _TABLE = "value", "place", -1
_SAMPLES = 5


@dataclass
class TableScope:
    """Judges what is about to become part of one asset's table, and keeps what came of it."""

    node: Node
    schema: pl.Schema
    """The table's columns."""
    warned: dict[str, tuple[RuleResult, ...]] = field(default_factory=dict[str, tuple[RuleResult, ...]])
    """By key, what does not pass and is only to warn of, as of the last time."""

    def refuse(self, table: Table, parts: Sequence[Part]) -> Mapping[str, str]:
        """Return why some partitions cannot be committed, by key.

        Cost: nothing if no rule is judged so; else the columns of its key are read, of the partitions' files and of
        all other partitions of the table.

        Args:
            table: the table, at the version that the commit follows.
            parts: the new content, in the order of the definition.
        """
        self.warned.clear()
        found: dict[str, list[RuleResult]] = {}
        for rule in self._rules():
            for key, result in _judge(table, self.node, self.schema, parts, rule):
                found.setdefault(key, []).append(result)
        refused: dict[str, str] = {}
        for key, results in found.items():
            failed = [str(result) for result in results if result.severity is Severity.FAIL]
            if failed:
                named = f"{self.node.key} {key}".rstrip()
                refused[key] = f"{named}: {'; '.join(failed)}. Nothing was committed for it."
            else:
                self.warned[key] = tuple(results)
        return refused

    def _rules(self) -> Iterator[Rule]:
        """Yield the rules of the table that judging each partition by itself does not answer."""
        model = self.node.asset.model
        if model is None or declare(model).unique_scope is UniqueScope.PARTITION:
            return
        returned = {name: dtype for name, dtype in self.schema.items() if name not in self.node.computed_columns}
        for rule in compile_contract(model, pl.Schema(returned)).table_keys:
            if not set(self.node.partition_columns) <= set(rule.expression.meta.root_names()):
                yield rule


def _judge(
    table: Table, node: Node, schema: pl.Schema, parts: Sequence[Part], rule: Rule
) -> Iterator[tuple[str, RuleResult]]:
    value = rule.expression.alias(_VALUE)
    values = [
        scan_files(table.store, table.name, _files(part), schema, node.partition_columns).select(
            value, pl.lit(place, pl.Int64).alias(_PLACE)
        )
        for place, part in enumerate(parts)
    ]
    if table.exists:
        replaced = {table.places.of_key(part.key) for part in parts}
        others = [key for key in table.live_keys() if key not in replaced]
        values.append(scan_table(table, others).select(value, pl.lit(_TABLE, pl.Int64).alias(_PLACE)))
    shared = pl.concat(values).unique().filter(pl.len().over(_VALUE) > 1).collect(engine="streaming")
    taken: set[object] = set()
    by_place: dict[int, pl.DataFrame] = {
        place: values for (place,), values in shared.partition_by(_PLACE, as_dict=True).items()
    }
    if _TABLE in by_place:
        taken.update(map(repr, by_place[_TABLE][_VALUE]))
    for place in sorted(by_place.keys() - {_TABLE}):
        found = by_place[place][_VALUE].to_list()
        twice = [each for each in found if repr(each) in taken]
        if twice:
            yield parts[place].key, _result(rule, twice)
        else:
            taken.update(map(repr, found))


def _files(part: Part) -> Sequence[LiveFile]:
    if isinstance(part, RestoredPartition):
        return part.files
    return [LiveFile(file.path, file.path, file.size_bytes, part.values) for file in part.files]


def _result(rule: Rule, twice: Sequence[object]) -> RuleResult:
    shown = tuple(sorted(map(str, twice))[:_SAMPLES])
    return RuleResult(
        rule.column,
        rule.name,
        rule.severity,
        len(twice),
        shown,
        more_samples=len(twice) > len(shown),
        note="since other partitions of the table have the same values",
    )
