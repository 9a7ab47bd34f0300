"""Given: what functions are called with: tables as they are pinned, views as they come of these, and resources."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.materialize_result import MaterializeResult, frame_of, metadata_problem
from deltaworks.engine.definitions.partitions.multi_partitions import key_ranges
from deltaworks.engine.definitions.staged_files import StagedFiles
from deltaworks.engine.execution.asset_resources import AssetResources
from deltaworks.engine.execution.cuts import path_of
from deltaworks.engine.execution.handed_in import HandedIn
from deltaworks.engine.execution.task import Cuts, PinnedInput, Ranges
from deltaworks.engine.planning.fingerprint import cut
from deltaworks.engine.planning.graph import Node
from deltaworks.errors import RunError, ValidationFailed
from deltaworks.io.dtypes import Json
from deltaworks.io.scan import of_keys, scan_files
from deltaworks.io.store import Store
from deltaworks.io.stores.reason import without_credentials
from deltaworks.validation import compile_contract, conform, declare


@dataclass(frozen=True, slots=True)
class Produced:
    """What a function returned."""

    lf: pl.LazyFrame
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """What its author wants to be remembered, as JSON."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the functions of one call are given."""

    inputs: Mapping[str, PinnedInput]
    """By path of arguments."""
    cuts: Cuts
    store: Store
    resources: AssetResources

    def arguments(self, node: Node, path: str, where: str) -> dict[str, Any]:
        """Return the arguments of a function that stands at a path, but for a `Partition`.

        Raises:
            RunError: the function of a view raised, or did not return a frame; a resource could not be made ready.
            ValidationFailed: the columns of a view are not those that its model declares.
        """
        signature = node.asset.signature
        arguments: dict[str, Any] = self.resources.arguments(str(node.key))
        for edge in node.reads:
            argument, frame = edge.argument.argument, edge.argument.frame
            place = path_of(path, argument)
            if edge.view is None:
                lf = _scan(self.store, self.inputs[place], frame.model, where)
            else:
                lf = self.view(edge.view, place, where)
            arguments[argument] = lf if frame.is_lazy else _collected(lf, edge.view, where)
        if signature.logger is not None:
            arguments[signature.logger] = Logger(where)
        return arguments

    def view(self, view: Node, path: str, where: str) -> pl.LazyFrame:
        """Return what a view's function makes of its inputs, cut to the partitions that are read of it.

        Its columns are checked, no row is: nothing is stored.

        Raises:
            RunError: the function raised, did not return a frame, or its result has no partition column to cut it by.
            ValidationFailed: the columns are not those that its model declares.
        """
        where = f"{where}: view {view.key}" if path else f"view {view.key}"
        lf = called(view.asset, self.arguments(view, path, where), where).lf
        try:
            schema = lf.collect_schema()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise RunError(f"{where}: {describe(error, view.asset.where.file)}") from error
        problems = "; ".join(problem.message for problem in compile_contract(view.asset.model, schema).problems)
        if problems:
            raise ValidationFailed(
                f"{where} ({view.asset.where}): the result does not have the columns of its model: {problems}",
                asset=str(view.key),
                partition=None,
            )
        return _cut(lf, schema, view, self.cuts[path], where) if view.is_cut else lf


def called(
    asset: Asset[..., Any], arguments: Mapping[str, Any], where: str, handed: HandedIn | None = None
) -> Produced:
    """Call a function and return its result, with the dtypes and the order of columns that its model asks for.

    `handed`: where another engine has written what it returns; none: the function asks for no such place.

    Raises:
        RunError: the function raised, or returned neither a frame nor a result that a record can tell of.
    """
    try:
        result = asset.function(**arguments)
    except RunError as error:  # what an asset's ops say is a sentence already
        raise RunError(f"{where}: {error}") from error
    except Exception as error:
        raise RunError(f"{where}: {describe(error, asset.where.file)}") from error
    return produced(asset, result, where, handed)


def produced(asset: Asset[..., Any], returned: Any, where: str, handed: HandedIn | None = None) -> Produced:
    """Return what a function returned, with the dtypes and the order of columns that its model asks for.

    Raises:
        RunError: it is neither a frame nor a result that a record can tell of.
    """
    frame, metadata = frame_of(returned), dict[str, Json]()
    if isinstance(returned, MaterializeResult | StagedFiles):
        problem = metadata_problem(returned.metadata)
        if problem:
            raise RunError(f"{where}: {problem} ({asset.where})")
        metadata = json.loads(json.dumps(dict(returned.metadata)))
    if isinstance(returned, StagedFiles) and handed is not None:
        frame = handed.rows(asset, returned.paths, returned.rows, where)
    if not isinstance(frame, pl.LazyFrame | pl.DataFrame):
        raise RunError(f"{where}: the function returned {type(frame).__name__}, expected a Polars frame")
    try:
        return Produced(conform(asset.model, frame.lazy()), metadata)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise RunError(f"{where}: {describe(error, asset.where.file)}") from error


def describe(error: BaseException, file: str) -> str:
    """Say in one line what user code raised, and where in the author's file."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = f" ({file}:{lines[-1]})" if lines else ""
    text = without_credentials(" ".join(str(error).split("\n\nResolved plan")[0].split()))
    return f"{type(error).__name__}: {text}{where}" if text else f"{type(error).__name__}{where}"


def _scan(store: Store, pinned: PinnedInput, model: type | None, where: str) -> pl.LazyFrame:
    if pinned.schema is not None:
        there = store if pinned.root is None else store.elsewhere(pinned.root, pinned.storage)
        lf = scan_files(there, pinned.table, pinned.files, pinned.schema, pinned.partition_columns, pinned.version)
        if pinned.keys is not None:
            lf = of_keys(lf, pinned.keys)
        if pinned.base is not None:
            lf = lf.with_columns(path=pl.lit(f"{pinned.base}/") + pl.col("path"))
        computed = [column for column in pinned.computed_columns if column in pinned.schema]
        return lf.drop(computed) if computed else lf
    if model is None:
        raise RunError(f"{where}: its upstream {pinned.asset} has no table yet, and no model says its columns")
    return pl.LazyFrame(schema=declare(model).schema())


def _collected(lf: pl.LazyFrame, view: Node | None, where: str) -> pl.DataFrame:
    if view is None:
        return lf.collect()
    try:
        return lf.collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise RunError(f"{where}: view {view.key}: {describe(error, view.asset.where.file)}") from error


def _cut(lf: pl.LazyFrame, schema: pl.Schema, view: Node, ranges: Ranges, where: str) -> pl.LazyFrame:
    """Keep the rows of some partitions of a view."""
    columns, dimensions = view.asset.partition_columns, view.partitions.dimensions
    for column, dimension in zip(columns, dimensions, strict=True):
        dtype = column.dtype(schema)
        wrong = "is missing" if dtype is None else dimension.column_problem(dtype)
        if wrong:
            raise RunError(
                f"{where} ({view.asset.where}): partition column {column.name!r} of the result {wrong}, by which it is "
                "cut to the partitions that are read"
            )
    claims: list[pl.Expr] = []
    for first, last in key_ranges(ranges, view.partitions):
        places = zip(view.partitions.coordinates(first), view.partitions.coordinates(last), strict=True)
        claims.append(
            pl.all_horizontal(
                dimension.claim(*place, column.name if column.expression is None else column.expression)
                for column, dimension, place in zip(columns, dimensions, places, strict=True)
            )
        )
    return cut(lf, pl.any_horizontal(claims) if claims else pl.lit(False))
