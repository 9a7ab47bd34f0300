"""Empty call: an asset's function, rehearsed on empty frames in place of its upstreams.

Only frames are made up. A function that asks for more, or whose answer hangs on rows, is left, with the reason why.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from deltaworks import errors
from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.asset_config import default_config
from deltaworks.engine.definitions.check_result import CheckResult
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.materialize_result import frame_of
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.definitions.partitions.resolution import dynamic_dimensions, resolve
from deltaworks.engine.planning.check_nodes import CheckNode
from deltaworks.engine.planning.graph import Node
from deltaworks.engine.planning.own import is_authors_file
from deltaworks.engine.planning.rehearsal import Refused, Rehearsal, computing_everything, rehearsal
from deltaworks.errors import Place
from deltaworks.io.partition_statistics import PartitionStatistics
from deltaworks.validation import conform, declare, is_about_dtypes, row_of_nulls

_OURS = os.path.join(os.path.dirname(errors.__file__), "")
_FOR_WANT_OF_ROWS = (
    pl.exceptions.NoDataError,
    pl.exceptions.OutOfBoundsError,
    pl.exceptions.RowsError,
    pl.exceptions.ShapeError,
)
_TAKES_ROWS = "takes values out of rows"
_SHOWN_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a function on any data."""

    problem: str
    """Goes on after the function's name."""
    where: Place
    is_of_upstreams: bool = True
    """Whether it lies in what the function makes of its upstreams' columns."""


@dataclass(frozen=True, slots=True)
class EmptyCall:
    """What came of a call; exactly one of the three is given."""

    schema: pl.Schema | None = None
    """The columns of the result, in the form that its model asks for."""
    fault: Fault | None = None
    left: str | None = None
    """Why nothing can be said; goes on after the asset's name."""


def call_on_empty(node: Node, schemas: Mapping[AssetKey, pl.Schema]) -> EmptyCall:
    """Call a function on empty frames that have the columns of its upstreams, and compute what it returns."""
    left = _left(node, schemas)
    if left is not None:
        return EmptyCall(left=left)
    node = with_a_key(node)
    with rehearsal() as seen, computing_everything(no_rows):
        seen.has_collected = not all(edge.argument.frame.is_lazy for edge in node.reads)
        try:
            result = frame_of(node.asset.function(**arguments_of(node, lambda key: pl.LazyFrame(schema=schemas[key]))))
            if seen.has_taken_rows:
                return EmptyCall(left=_TAKES_ROWS)
            if not isinstance(result, pl.LazyFrame | pl.DataFrame):
                problem = f"returned {type(result).__name__}, expected a Polars frame"
                return EmptyCall(fault=Fault(problem, node.asset.where, is_of_upstreams=False))
            from_rows = seen.has_collected
            lf = conform(node.asset.model, result.lazy())
            schema = lf.collect_schema()
            if from_rows and is_vague(schema):
                return EmptyCall(left=_TAKES_ROWS)
            lf.collect()
        except (Exception, SystemExit, pl.exceptions.PanicException) as error:  # noqa: BLE001 - authors' code raises anything
            return _failed(node, error, seen)
    fault = _fault_of_a_row(node, schemas)
    return EmptyCall(schema) if fault is None else EmptyCall(fault=fault)


def _fault_of_a_row(node: Node, schemas: Mapping[AssetKey, pl.Schema]) -> Fault | None:
    """Call a function on frames of a row without values, and say what is wrong with the dtypes that it computes with.

    Polars computes some expressions only where there are rows: see `misfit`. Whatever else goes wrong is for want of
    real rows.
    """
    with rehearsal() as seen, computing_everything(row_of_nulls):
        try:
            arguments = arguments_of(node, lambda key: row_of_nulls(schemas[key]).lazy())
            conform(node.asset.model, frame_of(node.asset.function(**arguments)).lazy()).collect()
        except (Exception, SystemExit, pl.exceptions.PanicException) as error:  # noqa: BLE001 - authors' code raises anything
            if is_about_dtypes(error) and not seen.has_taken_rows:
                return _fault(node, error)
    return None


def no_rows(schema: pl.Schema) -> pl.DataFrame:
    """Return an empty frame, its columns made anew."""
    return pl.DataFrame(schema=schema)


def ask_on_empty(check: CheckNode, schemas: Mapping[AssetKey, pl.Schema]) -> EmptyCall:
    """Call a check on empty frames that have the columns of what it judges and reads; a schema means nothing here."""
    node, compare = check.node, check.check.comparison
    left = _left(node, schemas)
    if left is not None:
        return EmptyCall(left=left)
    with rehearsal() as seen, computing_everything(no_rows):
        try:
            if compare is None:
                arguments = arguments_of(with_a_key(node), lambda key: pl.LazyFrame(schema=schemas[key]))
                answer = check.check.function(**arguments)
            else:
                statistics = _statistics(node, schemas[check.check.asset])
                answer = compare(statistics, [statistics])
        except (Exception, SystemExit, pl.exceptions.PanicException) as error:  # noqa: BLE001 - authors' code raises anything
            return _failed(node, error, seen)
    if isinstance(answer, bool | CheckResult):  # pyright: ignore[reportUnnecessaryIsInstance]
        return EmptyCall()
    problem = f"returned {type(answer).__name__}, expected a CheckResult or a Boolean"
    return EmptyCall(fault=Fault(problem, node.asset.where, is_of_upstreams=False))


def rehearsed(node: Node, schemas: Mapping[AssetKey, pl.Schema], *, lazily: bool = False) -> pl.LazyFrame | None:
    """Return what a function makes of empty frames with the columns of its upstreams; none if that cannot be said.

    Views are called, as they are when it runs. `lazily`: what a function computes on its way says nothing.
    """
    if node.asset.graph is not None or any(each.upstream not in schemas for each in node.upstream):
        return None
    with rehearsal() as seen:
        try:
            lf = _called(node, schemas)
            return None if lazily and seen.has_collected else lf
        except (Exception, SystemExit, pl.exceptions.PanicException):  # noqa: BLE001 - it needs more than empty frames
            return None


def arguments_of(node: Node, empty: Callable[[AssetKey], pl.LazyFrame], ordinal: int = 0) -> dict[str, Any]:
    """Return what a function that needs no resources is rehearsed with.

    Args:
        node: the asset.
        empty: makes an empty frame with the columns of an upstream.
        ordinal: the partition that it is to make.
    """
    signature = node.asset.signature
    arguments: dict[str, Any] = {}
    for edge in node.reads:
        lf = empty(edge.upstream)
        arguments[edge.argument.argument] = lf if edge.argument.frame.is_lazy else lf.collect()
    if signature.partition is not None:
        arguments[signature.partition] = Partition(node.partitions, ordinal, ordinal, node.partition_columns)
    if signature.logger is not None:
        arguments[signature.logger] = Logger(str(node.key))
    if signature.config is not None:
        arguments[signature.config] = default_config(node.asset)
    return arguments


def with_a_key(node: Node) -> Node:
    """Return an asset with a key for those of its partitions that have none, so that its function can be called."""
    if node.partitions.size:
        return node
    keys = {dimension.without_keys(): ("1",) for dimension in dynamic_dimensions(node.partitions)}
    return replace(node, partitions=resolve(node.partitions, keys))


def declared_schema(node: Node) -> pl.Schema | None:
    """Return the columns that a model promises, if it names them all."""
    declared = None if node.asset.model is None else declare(node.asset.model)
    return None if declared is None or declared.patterns else declared.schema()


def is_vague(schema: pl.Schema) -> bool:
    """Tell whether a schema looks like one that was built from rows, without any."""
    return not schema or pl.Null in schema.values()


def _left(node: Node, schemas: Mapping[AssetKey, pl.Schema]) -> str | None:
    """Say why a function is not called at all."""
    if node.asset.graph is not None:
        return "is made by ops, which may do what is not to be rehearsed"
    if node.asset.signature.resources:
        return "asks for a resource"
    if node.asset.signature.staging is not None:
        return "has another engine write its rows"
    if node.asset.signature.config is not None and default_config(node.asset) is None:
        return "asks for a config that the project does not give"
    if not node.reads and node.asset.kind is not AssetKind.SEED:
        return "has no upstream"
    unknown = next((edge.upstream for edge in node.reads if edge.upstream not in schemas), None)
    return None if unknown is None else f"reads {unknown}, whose columns are not known"


def _called(node: Node, schemas: Mapping[AssetKey, pl.Schema]) -> pl.LazyFrame | None:
    arguments = arguments_of(node, lambda key: pl.LazyFrame(schema=schemas.get(key)))
    for edge in node.reads:
        if edge.view is not None:
            lf = _called(edge.view, schemas)
            if lf is None:
                return None
            arguments[edge.argument.argument] = lf
    result = frame_of(node.asset.function(**arguments))
    return conform(node.asset.model, result) if isinstance(result, pl.LazyFrame) else None


def _statistics(node: Node, schema: pl.Schema) -> PartitionStatistics:
    """Return what a log would say of a partition with a row that has a value in every column."""
    stored = (name for name, dtype in schema.items() if not dtype.is_nested() and name not in node.partition_columns)
    return PartitionStatistics("", 1, dict.fromkeys(stored, 0))


def _failed(node: Node, error: BaseException, seen: Rehearsal) -> EmptyCall:
    """Return what it means that a call raised: it is wrong on any data, or asks for more than empty frames."""
    match error:
        case Refused():
            return EmptyCall(left=f"does what is not to be rehearsed ({error.what})")
        case _ if isinstance(error, _FOR_WANT_OF_ROWS):
            return EmptyCall(left=_without_rows(error))
        case pl.exceptions.PolarsError() if seen.has_taken_rows:
            return EmptyCall(left=_TAKES_ROWS)
        case pl.exceptions.PolarsError() if seen.has_collected and any(edge.is_of_source for edge in node.reads):
            return EmptyCall(left="reads what the rows of its source name")
        case pl.exceptions.PolarsError():
            return EmptyCall(fault=_fault(node, error))
        case OSError():
            return EmptyCall(left=f"reads what is not there: {_spelled(error)}")
        case _:
            return EmptyCall(left=_without_rows(error))


def _fault(node: Node, error: BaseException) -> Fault:
    text = " ".join(str(error).split("\n\nResolved plan")[0].split())
    raised = [each for each in traceback.extract_tb(error.__traceback__) if _is_authors(each.filename)]
    where = Place(raised[-1].filename, raised[-1].lineno or 1) if raised else node.asset.where
    return Fault(f"fails on the columns of its upstreams: {type(error).__name__}: {text}", where)


def _is_authors(file: str) -> bool:
    return is_authors_file(file) and not file.startswith(_OURS)


def _without_rows(error: BaseException) -> str:
    return f"fails without rows: {_spelled(error)}"


def _spelled(error: BaseException) -> str:
    text = " ".join(str(error).split())
    short = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
    return f"{type(error).__name__}: {short}" if short else type(error).__name__
