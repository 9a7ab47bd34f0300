"""Keep: the rows that a run made of partitions that broke their contract, for people who look for the cause.

That they are kept is a service: whatever goes wrong with it is told, and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

import polars as pl

from deltaworks.engine.execution.call import Call, Result
from deltaworks.engine.execution.task import Broken, Kept
from deltaworks.errors import StorageError
from deltaworks.io.kept import KeptFile, keep_rows
from deltaworks.io.parquet import Staging
from deltaworks.io.store import Store
from deltaworks.validation import BrokenRule, RuleResult, Verdict

KEPT_BYTES = 1_000_000_000
"""How much of such rows is kept of one run, by the size of their Parquet files."""


@dataclass
class Keep:
    """What one run keeps, and how much of it there is so far; threads share it."""

    store: Store
    limit_bytes: int = KEPT_BYTES
    _taken_bytes: int = 0
    _lock: Lock = field(default_factory=Lock)

    def keep(
        self, file: KeptFile, lf: pl.LazyFrame, size_bytes: int, partition: str | None, rules: tuple[BrokenRule, ...]
    ) -> Kept:
        """Write rows, unless the run has kept enough; the file is told as far as it is there.

        Args:
            file: where to.
            lf: the rows, with their partition columns.
            size_bytes: how large they are, staged.
            partition: the key; none: the asset is not partitioned.
            rules: what was wrong with them.
        """
        with self._lock:
            if self._taken_bytes + size_bytes > self.limit_bytes:
                return Kept(None, f"a run keeps at most {self.limit_bytes / 1e6:,.0f} MB of such rows")
            self._taken_bytes += size_bytes
        try:
            keep_rows(self.store, file, lf, partition, [dict(rule.to_json()) for rule in rules])
        except (OSError, pl.exceptions.PolarsError) as error:
            self._count(-size_bytes)
            return Kept(None, self._forgotten(file, error))
        # The rows have their partition columns now, and what was wrong with them.
        self._count((self.store.size_bytes(file.path) or 0) - size_bytes)
        return Kept(file.path)

    def _count(self, size_bytes: int) -> None:
        with self._lock:
            self._taken_bytes += size_bytes

    def _forgotten(self, file: KeptFile, error: Exception) -> str:
        """Delete what there is of a file that could not be written, and say why."""
        reason = f"they cannot be written ({' '.join(str(error).split())})"
        try:
            self.store.delete(file.path)
        except StorageError as second:
            return f"{reason}, and {second}"
        return reason


def look_into(
    result: Result,
    staging: Staging,
    ordinal: int,
    judged: pl.LazyFrame,
    verdict: Verdict,
    others: Sequence[RuleResult],
    keep: Keep | None,
) -> Broken:
    """Return what is to be told of a partition that may not be committed, and keep its rows.

    Cost: two passes over the staged file, and one that writes it again with its partition columns.

    Args:
        result: the call's.
        staging: where all rows of the partition lie.
        ordinal: the partition.
        judged: those of them that the verdict is about.
        verdict: why it may not be committed.
        others: what did not pass on all rows before that, and may stand in the verdict too.
        keep: where its rows go, if anywhere.
    """
    node, contract, values = result.call.node, result.contract, result.values(ordinal)
    made = staging.scan([values], result.schema)
    results = (*verdict.failed, *verdict.warned)
    known = {(each.column, each.rule) for each in results}
    more = [each for each in others if (each.column, each.rule) not in known]
    columns = node.partition_columns
    rules = (*contract.broken(judged, results, columns), *contract.broken(made, more, columns))
    return keep_broken(result.call, ordinal, made, staging.size_bytes(values), rules, keep)


def keep_broken(
    call: Call, ordinal: int, lf: pl.LazyFrame, size_bytes: int, rules: tuple[BrokenRule, ...], keep: Keep | None
) -> Broken:
    """Return what is to be told of a partition, and keep its rows.

    Args:
        call: what made it.
        ordinal: the partition.
        lf: its rows.
        size_bytes: how large they are, staged.
        rules: what was wrong with them.
        keep: where they go, if anywhere.
    """
    if keep is None:
        return Broken(rules, Kept(None))
    node, task = call.node, call.task
    file = KeptFile(str(node.key), task.run_id, f"{task.file_number}-{ordinal}.parquet")
    return Broken(rules, keep.keep(file, lf, size_bytes, node.partitions.key(ordinal) or None, rules))
