"""Sift: make a staged partition anew without the rows that its rules leave out; keep those that are quarantined.

It happens only where judging all rows has found such ones. Rows are read back from the staged file, so what is kept,
what is left out and what was judged are the same rows, whatever the function would return another time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import polars as pl

from deltaworks.engine.execution.call import Result
from deltaworks.io.parquet import Staging
from deltaworks.io.rejects import LeftOut, count_rejects, drop_rejects, secure_rejects, sink_rejects
from deltaworks.io.staged import RejectsFile
from deltaworks.io.statistics import statistics
from deltaworks.io.store import Store
from deltaworks.validation import ROWS, Contract, ResidualOutcome, Severity, Verdict


@dataclass(frozen=True, slots=True)
class Sifted:
    """What became of a partition of which rows were left out."""

    verdict: Verdict
    measured: Mapping[str, object]
    """The aggregates of the rows that are left."""
    rejects: RejectsFile | None
    left_out: LeftOut
    left: pl.LazyFrame | None
    """The rows that are left; none: they were not told apart."""


def sift(
    result: Result,
    staging: Staging,
    ordinal: int,
    verdict: Verdict,
    residual: Sequence[ResidualOutcome],
    lake: Store,
) -> Sifted:
    """Write the rows of a staged partition that stay, and those that are quarantined, and judge what stays.

    Where the new verdict is that nothing may be committed, no rejects are kept; the data files are the caller's to
    delete.

    Args:
        result: the call's.
        staging: where its rows lie.
        ordinal: the partition.
        verdict: that on all of its rows.
        residual: what the checks that do not compile said of all of its rows.
        lake: where rejects are kept.
    """
    contract, values = result.contract, result.values(ordinal)
    stopped = contract.stopped(verdict)
    if stopped:
        return Sifted(Verdict(verdict.rows, stopped, 0), {}, None, LeftOut(), None)
    sieve = contract.sieve
    marked = sieve.marked(staging.scan([values], result.schema), residual)
    overdrawn = tuple(sieve.overdrawn(marked))
    if overdrawn:
        return Sifted(Verdict(verdict.rows, overdrawn, 0), {}, None, LeftOut(), None)
    sinks = [staging.sifted.sink_one(sieve.kept(marked), values)]
    rejects = None
    if any(each.severity is Severity.QUARANTINE for each in verdict.taken_out):
        task = result.call.task
        rejects = RejectsFile(str(result.call.node.key), f"{task.run_id}/{task.file_number}-{ordinal}.parquet")
        sinks.append(sink_rejects(lake, rejects, sieve.quarantined(marked)))
    pl.collect_all(sinks, engine="streaming")
    if rejects is not None:
        secure_rejects(lake, rejects)
    left = staging.sifted.scan([values], result.schema)
    measured = measure(result, left)
    again = contract.judge_residual(left.collect()) if contract.residual else None
    judged = contract.judge_left(verdict, contract.judge(measured, again))
    quarantined = 0 if rejects is None else count_rejects(lake, rejects)
    if rejects is not None and not judged.ok:
        drop_rejects(lake, rejects)
    left_out = LeftOut(verdict.rows - judged.rows - quarantined, quarantined)
    return Sifted(judged, measured, rejects, left_out, left)


def aggregates(result: Result) -> list[pl.Expr]:
    """Return what is measured of written rows: the rules, and the statistics of the stored columns."""
    return _aggregates(result.contract, tuple(stored_schema(result).items()))


@lru_cache(maxsize=256)
def _aggregates(contract: Contract, stored: tuple[tuple[str, pl.DataType], ...]) -> list[pl.Expr]:
    """Return the same, made once for all partitions of an asset: that costs as much as to judge few rows.

    A contract is known by itself: another one of the same rules may look at another clock.
    """
    return [*contract.aggregates(), *statistics(dict(stored))]


def measure(
    result: Result, lf: pl.LazyFrame, *, engine: Literal["in-memory", "streaming"] = "streaming"
) -> Mapping[str, object]:
    """Measure the rows of one partition. A rule that raises on them keeps no other from being judged."""
    try:
        return lf.select(aggregates(result)).collect(engine=engine).row(0, named=True)
    except pl.exceptions.PolarsError:
        rules = result.contract.aggregates_apart(lf)
        measures = [pl.len().alias(ROWS), *_statistics(result)]
        return {**rules, **lf.select(measures).collect(engine=engine).row(0, named=True)}


def stored_schema(result: Result) -> dict[str, pl.DataType]:
    """Return the columns that are stored in data files."""
    columns = result.call.node.partition_columns
    return {name: dtype for name, dtype in result.schema.items() if name not in columns}


def _statistics(result: Result) -> list[pl.Expr]:
    return statistics(stored_schema(result))
