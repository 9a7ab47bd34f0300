"""Tally: measure rows on their way into the files of a call, so that what was written need not be read again.

What is counted are the very batches that are written: a source in Python that is asked again need not give the same
rows. Few rows are kept until all have passed. Of many, each batch is measured by itself and the results are added up;
for rules that have to see all rows at once, the columns that they look at are read again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import Lock

import polars as pl

from deltaworks.engine.execution.call import Result
from deltaworks.engine.execution.sift import aggregates, stored_schema
from deltaworks.errors import RunError
from deltaworks.io.statistics import added_up, statistics_of_parts, statistics_of_whole

HELD_BYTES = 32 * 1024 * 1024
"""Up to so much memory, the rows of a call are kept until all have passed."""

_MOST_PARTS = 10_000
"""With more rows of partial results than this, they are added up before all are there."""

_LOG = logging.getLogger("deltaworks.execution")


class Tally:
    """Of one call. Batches may come by in several threads."""

    def __init__(self, result: Result) -> None:
        """Begin with no row."""
        task, self._result = result.call.task, result
        # All rows of a call for one partition are its own: others are refused before anybody asks for measures.
        self._by = list(result.call.node.partition_columns) if task.first != task.last else []
        stored, contract = stored_schema(result), result.contract
        self._of_parts = [*contract.aggregates_of_parts(), *statistics_of_parts(stored)]
        self._added_up = [*contract.added_up(), *added_up(stored)]
        self._of_whole = statistics_of_whole(stored)
        self._held: list[pl.DataFrame] = []
        self._held_bytes = 0
        self._is_much = False
        self._parts: list[pl.DataFrame] = []
        self._part_rows = 0
        self._has_raised = False
        self._lock = Lock()

    def on(self, lf: pl.LazyFrame) -> pl.LazyFrame:
        """Return the same rows; they are counted when the plan is collected, which must be done once."""
        return lf.map_batches(self._take, streamable=True, schema=self._result.schema, validate_output_schema=False)

    @property
    def left(self) -> list[pl.Expr]:
        """The aggregates that `measured` lacks, since they have to see all rows at once, and these were many."""
        return self._result.contract.aggregates_of_all() if self._is_much else []

    def measured(self) -> pl.DataFrame | None:
        """Return what came by: a row for each partition, or one for all of a call for one partition.

        Columns: those of the partition, if it is a row for each, and the aggregates but for `left`. None: a rule
        raised on some rows.
        """
        if self._has_raised:
            return None
        if self._is_much:
            return self._merged().with_columns(self._of_whole)
        df = pl.concat(self._held) if self._held else pl.DataFrame(schema=self._result.schema)
        try:
            return self._aggregated(df, aggregates(self._result))
        except pl.exceptions.PolarsError:
            _LOG.debug("%s: its rows cannot be measured together", self._result.call.where, exc_info=True)
            return None

    def _take(self, df: pl.DataFrame) -> pl.DataFrame:
        """Count a batch and pass it on.

        Raises:
            RunError: its columns are not those that its plan has promised.
        """
        if df.schema != self._result.schema:
            raise RunError(f"{self._result.call.where}: {_broken_promise(df.schema, self._result.schema)}")
        for batch in self._held_until_much(df):
            self._count(batch)
        return df

    def _held_until_much(self, df: pl.DataFrame) -> Sequence[pl.DataFrame]:
        """Keep a batch, or return what is to be measured now: this one, or with it all that was kept before."""
        with self._lock:
            if self._is_much:
                return [df]
            self._held.append(df)
            self._held_bytes += int(df.estimated_size())
            if self._held_bytes <= HELD_BYTES:
                return []
            self._is_much = True
            held, self._held = self._held, []
            return held

    def _count(self, df: pl.DataFrame) -> None:
        try:
            part = self._aggregated(df, self._of_parts)
        except pl.exceptions.PolarsError:
            _LOG.debug("%s: a batch cannot be measured", self._result.call.where, exc_info=True)
            self._has_raised = True
            return
        with self._lock:
            self._parts.append(part)
            self._part_rows += part.height
            if self._part_rows > _MOST_PARTS:
                # What is left may be as much, if there are as many partitions: as much again may come then.
                self._parts, self._part_rows = [self._merged()], 0

    def _merged(self) -> pl.DataFrame:
        # Counts are wider once they have been added up.
        return self._aggregated(pl.concat(self._parts, how="vertical_relaxed"), self._added_up)

    def _aggregated(self, df: pl.DataFrame, exprs: Sequence[pl.Expr]) -> pl.DataFrame:
        return df.group_by(self._by).agg(exprs) if self._by else df.select(exprs)


def _broken_promise(found: pl.Schema, promised: pl.Schema) -> str:
    wrong = next((name for name, dtype in promised.items() if found.get(name) != dtype), None)
    if wrong is None:
        return f"the rows have the columns {', '.join(found)}, the plan has promised {', '.join(promised)}"
    return f"column {wrong!r} of the rows is {found.get(wrong, 'missing')}, the plan has promised {promised[wrong]}"
