"""Built-in checks, as `deltaworks.checks`: each function defines one check of an asset.

    row_count_change   as many rows as earlier partitions have, more or less
    null_rate_drift    as many nulls as in earlier partitions, more or less
    freshness          the latest value of a time is not too old
    referential        every value is there in a column of another asset
    accepted_values    every value is one of a few
    schema_unchanged   the columns are those that the table has

The first two compare what the commit log says and read no rows. All are warnings unless they are `blocking`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Sequence
from statistics import median
from typing import Any

import polars as pl

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.asset_check import AssetCheck, Site, built_in, read_judged
from deltaworks.engine.definitions.check_arguments import (
    are_names,
    is_some,
    refuse_comparison,
    refuse_other_than_column,
    refuse_unless,
)
from deltaworks.engine.definitions.check_result import CheckResult, Fact
from deltaworks.engine.definitions.frames import FrameType
from deltaworks.engine.definitions.keys import KeyLike
from deltaworks.engine.definitions.mappings.declared import AllPartitionsMapping, PartitionMapping
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.definitions.partitions.time_partitions import TimePartitions
from deltaworks.engine.definitions.signature import Upstream
from deltaworks.io.partition_statistics import PartitionStatistics

_SAMPLES = 5
_BEFORE, _OTHER = "before", "other"
_FRAME = FrameType(None, is_lazy=True)


def row_count_change(
    asset: Asset[..., Any] | KeyLike,
    *,
    max_change: float = 0.5,
    trailing: int = 7,
    blocking: bool = False,
    name: str | None = None,
) -> AssetCheck:
    """Check that a partition has about as many rows as those before it, by the median of these.

    Where partitions have no time, it is compared with what it holds itself until then. Without any rows to compare
    with it passes.

    Args:
        asset: whose partitions are judged.
        max_change: by which fraction of the median the count may differ: 0.5 is half as many to half as many again.
        trailing: how many partitions before it are looked at; those that there are not are left out.
        blocking: whether a partition that does not pass is not committed.
        name: what the check is called; none: `row_count_change`.

    Raises:
        InvalidDefinition: an argument makes no sense.
    """
    site = Site.of_caller()
    refuse_comparison(max_change, trailing, site)

    def compare(judged: PartitionStatistics, before: Sequence[PartitionStatistics]) -> CheckResult:
        facts: dict[str, Fact] = {"rows": judged.rows, "compared_partitions": len(before)}
        usual = median(each.rows for each in before) if before else 0
        if not usual:
            return CheckResult(passed=True, metadata=facts)
        least, most = usual * (1 - max_change), usual * (1 + max_change)
        return CheckResult(
            passed=least <= judged.rows <= most,
            metadata={**facts, "median_rows": usual},
            message=f"{_counted(judged.rows, 'row')}, expected {max(least, 0):,g} to {most:,g}: the median of "
            f"{_spelled(judged, before)} is {usual:,g}, and max_change is {max_change:g}",
        )

    description = f"The row count is within {max_change:.0%} of the median of the {trailing} partitions before."
    return _comparing(asset, name or "row_count_change", site, compare, trailing, description, blocking=blocking)


def null_rate_drift(
    asset: Asset[..., Any] | KeyLike,
    columns: str | Sequence[str] | None = None,
    *,
    max_change: float = 0.1,
    trailing: int = 7,
    blocking: bool = False,
    name: str | None = None,
) -> AssetCheck:
    """Check that columns are null about as often as in the partitions before, all of these together.

    Where partitions have no time, it is compared with what it holds itself until then. Without any rows, or any to
    compare with, it passes.

    Args:
        asset: whose partitions are judged.
        columns: which; none: every stored column that is not nested.
        max_change: by how much the rate may differ: 0.1 lets a column that is null in 5 % of the rows be so in 15 %.
        trailing: how many partitions before it are looked at; those that there are not are left out.
        blocking: whether a partition that does not pass is not committed.
        name: what the check is called; none: `null_rate_drift`.

    Raises:
        InvalidDefinition: an argument makes no sense.
    """
    site = Site.of_caller()
    refuse_comparison(max_change, trailing, site)
    asked = (columns,) if isinstance(columns, str) else columns
    is_column = asked is None or are_names(asked)
    refuse_unless(is_column, f"columns must be one or more names, not {columns!r}", site)

    def compare(judged: PartitionStatistics, before: Sequence[PartitionStatistics]) -> CheckResult:
        rows = sum(each.rows for each in before)
        facts: dict[str, Fact] = {"compared_partitions": len(before), "compared_rows": rows}
        if not judged.rows or not rows:
            return CheckResult(passed=True, metadata=facts)
        unknown = [column for column in asked or () if column not in judged.nulls]
        if unknown:
            raise pl.exceptions.ColumnNotFoundError(
                f"there is no count of nulls in {', '.join(map(repr, unknown))}; there is in {', '.join(judged.nulls)}"
            )
        drifted: list[str] = []
        for column in judged.nulls if asked is None else asked:
            counts = [(each.nulls[column], each.rows) for each in before if column in each.nulls]
            compared = sum(rows for _, rows in counts)
            if not compared:
                continue  # the column is new
            found, usual = judged.nulls[column] / judged.rows, sum(nulls for nulls, _ in counts) / compared
            facts[f"null_rate.{column}"] = found
            if abs(found - usual) > max_change:
                least, most = max(usual - max_change, 0), min(usual + max_change, 1)
                drifted.append(f"{column!r} is null in {found:.1%} of the rows, expected {least:.1%} to {most:.1%}")
        message = f"{'; '.join(drifted)}: compared with {_spelled(judged, before)}, and max_change is {max_change:g}"
        return CheckResult(passed=not drifted, metadata=facts, message=message if drifted else None)

    which = "Each column is" if asked is None else f"{', '.join(asked)}:"
    description = f"{which} null as often as in the {trailing} partitions before, within {max_change:.0%} of the rows."
    return _comparing(asset, name or "null_rate_drift", site, compare, trailing, description, blocking=blocking)


def freshness(
    asset: Asset[..., Any] | KeyLike,
    column: str,
    max_age: dt.timedelta,
    *,
    blocking: bool = False,
    name: str | None = None,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> AssetCheck:
    """Check that the latest value of a time is not too old.

    Of a partition of time it may be as old at the partition's end, or now if that is earlier, so that the past can be
    made again. A day counts as its end; a time without zone is in UTC. Without any value it does not pass.

    Args:
        asset: whose partitions are judged.
        column: a Date or a Datetime.
        max_age: how old the latest value may be.
        blocking: whether a partition that does not pass is not committed.
        name: what the check is called; none: `freshness.<column>`.
        now: the clock.

    Raises:
        InvalidDefinition: an argument makes no sense.
    """
    site = Site.of_caller()
    refuse_other_than_column("column", column, site)
    is_age = isinstance(max_age, dt.timedelta)  # pyright: ignore[reportUnnecessaryIsInstance]
    refuse_unless(is_age and max_age >= dt.timedelta(0), f"max_age must be a timedelta, not {max_age!r}", site)

    def judge(result: pl.LazyFrame, partition: Partition) -> CheckResult:
        lf = result.select(column)
        dtype = lf.collect_schema()[column]
        if not isinstance(dtype, pl.Date | pl.Datetime):
            raise pl.exceptions.SchemaError(f"column {column!r} is {dtype}, expected a Date or a Datetime")
        latest: dt.date | None = lf.max().collect(engine="streaming").item()
        if latest is None:
            return CheckResult(passed=False, message=f"no row has a value in {column!r}")
        ends = [each for each in partition.partitions.dimensions if isinstance(each, TimePartitions)]
        by = min(now(), partition.end_at) if len(ends) == 1 else now()
        age = by - _instant(latest)
        return CheckResult(
            passed=age <= max_age,
            metadata={"latest": str(latest), "age_s": age.total_seconds()},
            message=f"the latest value of {column!r} is {latest}, {_rounded(age)} before {by:%Y-%m-%d %H:%M %Z}; "
            f"expected at most {max_age}",
        )

    called = name or _named("freshness", column)
    description = f"The latest value of {column} is at most {max_age} old."
    return built_in(asset, called, site, judge, blocking=blocking, description=description, partition="partition")


def referential(
    asset: Asset[..., Any] | KeyLike,
    column: str,
    in_asset: Asset[..., Any] | KeyLike,
    in_column: str | None = None,
    *,
    mapping: PartitionMapping | None = None,
    blocking: bool = False,
    name: str | None = None,
) -> AssetCheck:
    """Check that every value of a column is there in a column of another asset. Nulls pass.

    Args:
        asset: whose partitions are judged.
        column: the column.
        in_asset: the other asset; it is read at the run's version of it, and made first if the run makes both.
        in_column: its column; none: the one of the same name.
        mapping: which of its partitions are looked at; none: all of them.
        blocking: whether a partition that does not pass is not committed.
        name: what the check is called; none: `referential.<column>`.

    Raises:
        InvalidDefinition: an argument makes no sense.
    """
    site = Site.of_caller()
    refuse_other_than_column("column", column, site)
    refuse_other_than_column("in_column", in_column or column, site)
    other_key, other_column = read_judged(in_asset, site.where), in_column or column
    judged_key = read_judged(asset, site.where)
    refuse_unless(other_key != judged_key, f"in_asset must be another asset than {judged_key}", site)

    def judge(result: pl.LazyFrame, other: pl.LazyFrame) -> CheckResult:
        there = other.select(pl.col(other_column).alias(column)).unique()
        unknown = result.select(column).drop_nulls().join(there, on=column, how="anti")
        where = f"not in {other_column!r} of {other_key}"
        return _found(unknown, column, where)

    reads = Upstream(_OTHER, other_key, _FRAME, mapping or AllPartitionsMapping(), allow_missing=True)
    called = name or _named("referential", column)
    description = f"Every value of {column} is in {other_column} of {other_key}."
    return built_in(asset, called, site, judge, (reads,), blocking=blocking, description=description)


def accepted_values(
    asset: Asset[..., Any] | KeyLike,
    column: str,
    values: Collection[Any],
    *,
    blocking: bool = False,
    name: str | None = None,
) -> AssetCheck:
    """Check that every value of a column is one of a few. Nulls pass.

    Args:
        asset: whose partitions are judged.
        column: the column.
        values: those that it may have.
        blocking: whether a partition that does not pass is not committed.
        name: what the check is called; none: `accepted_values.<column>`.

    Raises:
        InvalidDefinition: an argument makes no sense.
    """
    site = Site.of_caller()
    refuse_other_than_column("column", column, site)
    refuse_unless(is_some(values), f"values must be a collection of one or more, not {values!r}", site)
    accepted = list(values)

    def judge(result: pl.LazyFrame) -> CheckResult:
        strangers = result.select(column).drop_nulls().filter(~pl.col(column).is_in(accepted))
        shown = ", ".join(map(str, accepted[:_SAMPLES])) + (", ..." if len(accepted) > _SAMPLES else "")
        return _found(strangers, column, f"none of {shown}")

    called = name or _named("accepted_values", column)
    description = f"Every value of {column} is one of {len(accepted)}."
    return built_in(asset, called, site, judge, blocking=blocking, description=description)


def schema_unchanged(
    asset: Asset[..., Any] | KeyLike, *, blocking: bool = False, name: str | None = None
) -> AssetCheck:
    """Check that the columns and dtypes are those that the table has; before its first commit it passes.

    Args:
        asset: whose partitions are judged.
        blocking: whether a partition that does not pass is not committed.
        name: what the check is called; none: `schema_unchanged`.

    Raises:
        InvalidDefinition: an argument makes no sense.
    """
    site = Site.of_caller()

    def judge(result: pl.LazyFrame, before: pl.LazyFrame) -> CheckResult:
        is_now, was = dict(result.collect_schema()), dict(before.collect_schema())
        gone = [f"column {name!r} is gone" for name in was if name not in is_now]
        new = [f"column {name!r} is new" for name in is_now if name not in was]
        other = [
            f"column {name!r} is {dtype}, expected {was[name]}"
            for name, dtype in is_now.items()
            if name in was and was[name] != dtype
        ]
        changes = [*gone, *new, *other]
        return CheckResult(passed=not changes, message="; ".join(changes) or None)

    committed = FrameType(None, is_lazy=True, is_committed=True)
    reads = Upstream(_BEFORE, read_judged(asset, site.where), committed, None, allow_missing=True)
    called = name or "schema_unchanged"
    description = "The columns and dtypes are those that the table has."
    return built_in(asset, called, site, judge, (reads,), blocking=blocking, description=description)


def _comparing(
    asset: Asset[..., Any] | KeyLike,
    name: str,
    site: Site,
    compare: Callable[[PartitionStatistics, Sequence[PartitionStatistics]], CheckResult],
    trailing: int,
    description: str,
    *,
    blocking: bool,
) -> AssetCheck:
    return built_in(
        asset,
        name,
        site,
        compare,
        blocking=blocking,
        description=description,
        comparison=compare,
        trailing=trailing,
    )


def _found(wrong: pl.LazyFrame, column: str, problem: str) -> CheckResult:
    """Return the answer on rows that are wrong."""
    count, samples = pl.collect_all(
        [wrong.select(pl.len()), wrong.unique().sort(column).head(_SAMPLES + 1)], engine="streaming"
    )
    rows: int = count.item()
    shown = [*map(str, samples[column].head(_SAMPLES)), *(["..."] if samples.height > _SAMPLES else [])]
    return CheckResult(
        passed=not rows,
        metadata={"failed_rows": rows},
        message=f"{_counted(rows, 'row')} of {column!r} with values that are {problem} (samples: {', '.join(shown)})",
    )


def _instant(value: dt.date) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
    return dt.datetime.combine(value, dt.time(), dt.UTC) + dt.timedelta(days=1)


def _rounded(age: dt.timedelta) -> dt.timedelta:
    return dt.timedelta(seconds=round(age.total_seconds()))


def _spelled(judged: PartitionStatistics, before: Sequence[PartitionStatistics]) -> str:
    """Name what a partition is compared with."""
    if [each.key for each in before] == [judged.key]:
        return "what the partition holds now" if judged.key else "what the table holds now"
    if len(before) == 1:
        return before[0].key
    return f"the {len(before)} partitions {before[0].key} to {before[-1].key}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _named(kind: str, column: str) -> str:
    return f"{kind}.{re.sub(r'[^A-Za-z0-9_.-]', '_', column)}"
