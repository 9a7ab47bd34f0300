"""Table scope: rules that are judged over a whole table, on staged partitions and what its others hold.

Partitions are judged as if they were committed one after the other, in the order of the definition: of two that have
the same value, the later one is at fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from deltaworks.engine.planning.graph import Node
from deltaworks.io.evolution import brought_under
from deltaworks.io.log import LiveFile
from deltaworks.io.scan import scan_files, scan_table
from deltaworks.io.staged import StagedPartition
from deltaworks.io.table import Table
from deltaworks.validation import Rule, RuleResult, Severity, UniqueScope, compile_contract, declare

_VALUE, _PLACE, _TABLE = "value", "place", -1
_SAMPLES = 5


def judge_in_table(
    table: Table, node: Node, schema: pl.Schema, staged: Sequence[StagedPartition]
) -> Mapping[str, tuple[RuleResult, ...]]:
    """Return what does not pass among staged partitions, given in the order of the definition, by key.

    Cost: nothing if no rule is judged so; else the columns of its key are read, of the staged files and of all other
    partitions of the table.
    """
    model = node.asset.model
    if model is None or declare(model).unique_scope is UniqueScope.PARTITION:
        return {}
    rules = compile_contract(model, schema).table_keys
    found: dict[str, list[RuleResult]] = {}
    for rule in rules:
        if not set(node.partition_columns) <= set(rule.expression.meta.root_names()):
            for key, result in _judge(table, node, schema, staged, rule):
                found.setdefault(key, []).append(result)
    return {key: tuple(results) for key, results in found.items()}


def refusals(
    table: Table, node: Node, schema: pl.Schema, staged: Sequence[StagedPartition]
) -> tuple[Mapping[str, str], Mapping[str, tuple[RuleResult, ...]]]:
    """Return why some staged partitions cannot be committed, and what others are only to warn of, by key."""
    refused: dict[str, str] = {}
    warned: dict[str, tuple[RuleResult, ...]] = {}
    for key, results in judge_in_table(table, node, schema, staged).items():
        failed = [str(result) for result in results if result.severity is Severity.FAIL]
        if failed:
            refused[key] = f"{f'{node.key} {key}'.rstrip()}: {'; '.join(failed)}. Nothing was committed for it."
        else:
            warned[key] = results
    return refused, warned


def _judge(
    table: Table, node: Node, schema: pl.Schema, staged: Sequence[StagedPartition], rule: Rule
) -> Iterator[tuple[str, RuleResult]]:
    value = rule.expression.alias(_VALUE)
    parts = [
        scan_files(table.store, table.name, _files(part), schema, node.partition_columns).select(
            value, pl.lit(place, pl.Int64).alias(_PLACE)
        )
        for place, part in enumerate(staged)
    ]
    if table.exists:
        replaced = {table.places.of_key(part.key) for part in staged}
        others = [key for key in table.live_keys() if key not in replaced]
        there = scan_table(table, others).select(brought_under(schema, table.schema()))
        parts.append(there.select(value, pl.lit(_TABLE, pl.Int64).alias(_PLACE)))
    shared = pl.concat(parts).unique().filter(pl.len().over(_VALUE) > 1).collect(engine="streaming")
    taken: set[object] = set()
    by_place: dict[int, pl.DataFrame] = {
        place: values for (place,), values in shared.partition_by(_PLACE, as_dict=True).items()
    }
    if _TABLE in by_place:
        taken.update(map(repr, by_place[_TABLE][_VALUE]))
    for place in sorted(by_place.keys() - {_TABLE}):
        values = by_place[place][_VALUE].to_list()
        twice = [each for each in values if repr(each) in taken]
        if twice:
            yield staged[place].key, _result(rule, twice)
        else:
            taken.update(map(repr, values))


def _files(part: StagedPartition) -> list[LiveFile]:
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
