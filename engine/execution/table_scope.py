"""Table scope: rules that are judged over a whole table, on partitions that are to be committed and all its others.

Partitions are judged as if they were committed one after the other, in the order of the definition: of two that have
the same value, the later one is at fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import polars as pl

from deltaworks.engine.execution.keep import Keep
from deltaworks.engine.execution.task import Broken, Kept
from deltaworks.engine.planning.graph import Node
from deltaworks.errors import StorageError
from deltaworks.io.evolution import brought_under
from deltaworks.io.kept import KeptFile
from deltaworks.io.log import LiveFile
from deltaworks.io.restore import RestoredPartition
from deltaworks.io.scan import scan_files, scan_table
from deltaworks.io.staged import StagedPartition
from deltaworks.io.table import Table
from deltaworks.validation import Contract, Rule, RuleResult, Severity, UniqueScope, compile_contract, declare

Part: TypeAlias = StagedPartition | RestoredPartition
"""The whole new content of a partition."""

_Judged: TypeAlias = tuple[RuleResult, pl.Series]
"""A rule that does not pass in a partition, and the values at fault."""

_VALUE, _PLACE, _TABLE = "value", "place", -1
_SAMPLES = 5


@dataclass
class TableScope:
    """Judges what is about to become part of one asset's table, and keeps what came of it."""

    node: Node
    schema: pl.Schema
    """The table's columns."""
    keep: Keep | None = None
    """Where the rows of partitions go that are refused; none: they are not kept."""
    kept_as: Mapping[str, KeptFile] = field(default_factory=dict[str, KeptFile])
    """By key, the name under which."""
    warned: dict[str, tuple[RuleResult, ...]] = field(default_factory=dict[str, tuple[RuleResult, ...]])
    """By key, what does not pass and is only to warn of, as of the last time."""
    broken: dict[str, Broken] = field(default_factory=dict[str, Broken])
    """By key, what is to be told of those that were refused."""

    def refuse(self, table: Table, parts: Sequence[Part]) -> Mapping[str, str]:
        """Return why some partitions cannot be committed, by key.

        Cost: nothing if no rule is judged so; else the columns of its key are read, of the partitions' files and of
        all other partitions of the table.

        Args:
            table: the table, at the version that the commit follows.
            parts: the new content, in the order of the definition.

        Raises:
            StorageError: rows of the table cannot be read.
        """
        self.warned.clear()
        contract = self._contract()
        if contract is None:
            return {}
        # If partitions differ in the key, judging each by itself has answered.
        own = set(self.node.partition_columns)
        rules = [rule for rule in contract.table_keys if not own <= set(rule.expression.meta.root_names())]
        refused: dict[str, str] = {}
        for place, judged in _judge(rules, [self._shared(table, parts, rule) for rule in rules]):
            part = parts[place]
            failed = [str(result) for result, _ in judged if result.severity is Severity.FAIL]
            if failed:
                named = f"{self.node.key} {part.key}".rstrip()
                refused[part.key] = f"{named}: {'; '.join(failed)}. Nothing was committed for it."
                self.broken[part.key] = self._look_into(table, part, contract, judged)
            else:
                self.warned[part.key] = tuple(result for result, _ in judged)
        return refused

    def _shared(self, table: Table, parts: Sequence[Part], rule: Rule) -> Mapping[int, pl.Series]:
        """Return the values that a rule finds in several partitions: each one's, by its place, and the table's."""
        value = rule.expression.alias(_VALUE)
        values = [
            self._scan(table, part).select(value, pl.lit(place, pl.Int64).alias(_PLACE))
            for place, part in enumerate(parts)
        ]
        if table.exists:
            replaced = {table.places.of_key(part.key) for part in parts}
            others = [key for key in table.live_keys() if key not in replaced]
            there = scan_table(table, others).select(brought_under(self.schema, table.schema()))
            values.append(there.select(value, pl.lit(_TABLE, pl.Int64).alias(_PLACE)))
        try:
            shared = pl.concat(values).unique().filter(pl.len().over(_VALUE) > 1).collect(engine="streaming")
        except (OSError, pl.exceptions.PolarsError) as error:
            reason = " ".join(str(error).split())
            raise StorageError(
                f"{self.node.key}: {rule.name!r} is judged over the whole table, and its rows cannot be read "
                f"({reason}). Nothing was committed; `deltaworks doctor` names the repair."
            ) from error
        return {place: df[_VALUE] for (place,), df in shared.partition_by(_PLACE, as_dict=True).items()}

    def _scan(self, table: Table, part: Part) -> pl.LazyFrame:
        return scan_files(table.store, table.name, _files(part), self.schema, self.node.partition_columns)

    def _contract(self) -> Contract | None:
        """Return the contract of the table's rows if any rule of it is judged over the whole table."""
        model = self.node.asset.model
        if model is None or declare(model).unique_scope is UniqueScope.PARTITION:
            return None
        returned = {name: dtype for name, dtype in self.schema.items() if name not in self.node.computed_columns}
        return compile_contract(model, pl.Schema(returned))

    def _look_into(self, table: Table, part: Part, contract: Contract, judged: Sequence[_Judged]) -> Broken:
        """Return what is to be told of a partition that may not be committed, and keep its rows."""
        lf = self._scan(table, part)
        results = sorted((result for result, _ in judged), key=lambda each: each.severity is not Severity.FAIL)
        taken = {(result.column, result.rule): values for result, values in judged}
        rules = contract.broken(lf, results, self.node.partition_columns, taken=taken)
        if self.keep is None or part.key not in self.kept_as:
            return Broken(rules, Kept(None))
        size_bytes = sum(file.size_bytes for file in part.files)
        return Broken(rules, self.keep.keep(self.kept_as[part.key], lf, size_bytes, part.key or None, rules))


def _judge(rules: Sequence[Rule], shared: Sequence[Mapping[int, pl.Series]]) -> Iterator[tuple[int, list[_Judged]]]:
    """Yield the places of partitions in which anything does not pass; one that fails takes no value from the others.

    Args:
        rules: what is judged.
        shared: of each, the values that there are in several places, by place.
    """
    taken: list[set[str]] = [set(map(repr, values.get(_TABLE, ()))) for values in shared]
    for place in sorted({place for values in shared for place in values} - {_TABLE}):
        judged: list[_Judged] = []
        for rule, values, known in zip(rules, shared, taken, strict=True):
            is_twice = [repr(each) in known for each in values.get(place, ())]
            if any(is_twice):
                twice = values[place].filter(is_twice)
                judged.append((_result(rule, twice), twice))
        if not any(result.severity is Severity.FAIL for result, _ in judged):
            for values, known in zip(shared, taken, strict=True):
                known.update(map(repr, values.get(place, ())))
        if judged:
            yield place, judged


def _files(part: Part) -> Sequence[LiveFile]:
    if isinstance(part, RestoredPartition):
        return part.files
    return [LiveFile(file.path, file.path, file.size_bytes, part.values) for file in part.files]


def _result(rule: Rule, twice: pl.Series) -> RuleResult:
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
