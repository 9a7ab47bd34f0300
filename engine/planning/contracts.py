"""Contracts: whether every table's columns and dtypes fit its readers, found out without data and without a lake.

Models are compared with models. Then every function that needs nothing but frames is called on empty ones, and what it
returns is compared with what it promises.
"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import polars as pl

from deltaworks import errors
from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.logger import Logger
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.planning.graph import AssetGraph, Edge, Node
from deltaworks.engine.planning.own import is_authors_file
from deltaworks.engine.planning.rehearsal import rehearsal
from deltaworks.errors import Place
from deltaworks.io.dtypes import delta_problem
from deltaworks.validation import Declared, DeclaredColumn, compile_contract, conform, declare

_OURS = os.path.join(os.path.dirname(errors.__file__), "")
_FOR_WANT_OF_ROWS = (
    pl.exceptions.NoDataError,
    pl.exceptions.OutOfBoundsError,
    pl.exceptions.RowsError,
    pl.exceptions.ShapeError,
)


class ProblemKind(StrEnum):
    """What is wrong."""

    CONTRACT = "contract"
    """A reader's model asks for what the upstream's model does not offer."""
    FUNCTION = "function"
    """A function does not work on the columns of its upstreams, or returns no frame."""
    SCHEMA = "schema"
    """A function returns other columns than its model and its partitions ask for."""
    DTYPE = "dtype"
    """A function returns a column that Delta does not give back as it was."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that would go wrong on any data."""

    kind: ProblemKind
    asset: str
    message: str
    file: str
    line: int


def check_contracts(graph: AssetGraph) -> tuple[Problem, ...]:
    """Find what would go wrong in a graph, upstreams first.

    A function that asks for a resource, that has no upstream, or that fails for want of real rows or files, is left to
    be found out when it runs. Cost: one call of each other function.

    Raises:
        InvalidContract: a model asks for what cannot be enforced.
    """
    problems: list[Problem] = []
    schemas: dict[AssetKey, pl.Schema] = {}
    for key, node in graph.nodes.items():
        for edge in node.upstream:
            problems += _edge_problems(graph, node, edge)
        declared = declared_schema(node)
        if declared is not None:
            schemas[key] = declared  # an asset may read itself
        inferred = _infer(node, schemas, problems)
        if declared is None and inferred is not None:
            schemas[key] = inferred
    return tuple(problems)


def _edge_problems(graph: AssetGraph, node: Node, edge: Edge) -> Iterator[Problem]:
    wanted, offered = edge.argument.frame.model, graph.nodes[edge.upstream].asset.model
    if wanted is None or offered is None or wanted is offered:
        return
    offer = declare(offered)
    for column in declare(wanted).columns:
        difference = _difference(column, offer)
        if difference:
            place = f" ({offer.place})" if offer.place else ""
            yield _problem(
                node.asset,
                ProblemKind.CONTRACT,
                f"{node.key} ({node.asset.where}) reads column {column.name!r} of {edge.upstream} as "
                f"{'nullable ' if column.nullable else ''}{column.dtype}, but model {offer.name}{place} {difference}",
            )


def _difference(wanted: DeclaredColumn, offer: Declared) -> str | None:
    """Say what a model offers instead of a column; none: the column, as it is wanted."""
    named = (column for column in offer.columns if column.name == wanted.name)
    matched = (column for column in offer.pattern_columns if re.fullmatch(column.name, wanted.name))
    found = next(named, None) or next(matched, None)
    if found is None:
        return "does not have it" if wanted.required else None
    if found.dtype != wanted.dtype:
        return f"has it as {found.dtype}"
    if wanted.required and not found.required:
        return "does not always have it"
    return "lets it be null" if found.nullable and not wanted.nullable else None


def declared_schema(node: Node) -> pl.Schema | None:
    """Return the columns that a model promises, if it names them all."""
    declared = None if node.asset.model is None else declare(node.asset.model)
    return None if declared is None or declared.patterns else declared.schema()


def rehearsed(node: Node, schemas: Mapping[AssetKey, pl.Schema]) -> pl.LazyFrame | None:
    """Return what a function makes of empty frames with the columns of its upstreams; none if that cannot be said."""
    if any(each.upstream not in schemas for each in node.upstream):
        return None
    with rehearsal():
        try:
            result = node.asset.function(**arguments_of(node, lambda key: pl.LazyFrame(schema=schemas[key])))
            return conform(node.asset.model, result) if isinstance(result, pl.LazyFrame) else None
        except (Exception, SystemExit, pl.exceptions.PanicException):  # noqa: BLE001 - it needs more than empty frames
            return None


def _infer(node: Node, schemas: Mapping[AssetKey, pl.Schema], problems: list[Problem]) -> pl.Schema | None:
    """Call a function on empty frames, note what is wrong with it, and return the columns of its result if known."""
    if (
        not node.upstream
        or node.asset.signature.resources
        or any(each.upstream not in schemas for each in node.upstream)
    ):
        return None
    arguments = arguments_of(node, lambda key: pl.LazyFrame(schema=schemas[key]))
    with rehearsal() as seen:
        seen.has_collected = not all(edge.argument.frame.is_lazy for edge in node.upstream)
        try:
            result = node.asset.function(**arguments)
            from_rows = seen.has_collected
            if not isinstance(result, pl.LazyFrame | pl.DataFrame):
                message = f"the function of {node.key} returned {type(result).__name__}, expected a Polars frame"
                problems.append(_problem(node.asset, ProblemKind.FUNCTION, message))
                return None
            lf = conform(node.asset.model, result.lazy())
            schema = lf.collect_schema()
            if from_rows and is_vague(schema):
                return None
            lf.collect()
        except _FOR_WANT_OF_ROWS:
            return None
        except pl.exceptions.PolarsError as error:
            problems.append(_failure(node, error))
            return None
        except (Exception, SystemExit, pl.exceptions.PanicException):  # noqa: BLE001 - it needs more than empty frames
            return None
        problems += _schema_problems(node, schema)  # the model's checks may be the author's functions, too
    return schema


def arguments_of(node: Node, empty: Callable[[AssetKey], pl.LazyFrame], ordinal: int = 0) -> dict[str, Any]:
    """Return what a function that needs no resources is rehearsed with.

    Args:
        node: the asset.
        empty: makes an empty frame with the columns of an upstream.
        ordinal: the partition that it is to make.
    """
    signature = node.asset.signature
    arguments: dict[str, Any] = {}
    for edge in node.upstream:
        lf = empty(edge.upstream)
        arguments[edge.argument.argument] = lf if edge.argument.frame.is_lazy else lf.collect()
    if signature.partition is not None:
        arguments[signature.partition] = Partition(node.partitions, ordinal, ordinal, node.partition_columns)
    if signature.logger is not None:
        arguments[signature.logger] = Logger(str(node.key))
    return arguments


def is_vague(schema: pl.Schema) -> bool:
    """Tell whether a schema looks like one that was built from rows, without any."""
    return not schema or pl.Null in schema.values()


def _schema_problems(node: Node, schema: pl.Schema) -> Iterator[Problem]:
    subject = f"the result of {node.key}"
    for problem in compile_contract(node.asset.model, schema).problems:
        yield _problem(node.asset, ProblemKind.SCHEMA, f"{subject}: {problem.message}")
    if node.asset.model is None:  # a model says the same of the partition column
        for column, dimension in zip(node.asset.partition_columns, node.partitions.dimensions, strict=True):
            dtype = column.dtype(schema)
            wrong = "is missing" if dtype is None else dimension.column_problem(dtype)
            if wrong:
                yield _problem(node.asset, ProblemKind.SCHEMA, f"{subject}: partition column {column.name!r} {wrong}")
    for name, dtype in schema.items():
        unkept = delta_problem(dtype)
        if unkept:
            yield _problem(node.asset, ProblemKind.DTYPE, f"{subject}: column {name!r} {unkept}")


def _failure(node: Node, error: pl.exceptions.PolarsError) -> Problem:
    text = " ".join(str(error).split("\n\nResolved plan")[0].split())
    message = f"the function of {node.key} fails on the columns of its upstreams: {type(error).__name__}: {text}"
    raised = [each for each in traceback.extract_tb(error.__traceback__) if _is_authors(each.filename)]
    where = Place(raised[-1].filename, raised[-1].lineno or 1) if raised else node.asset.where
    return Problem(ProblemKind.FUNCTION, str(node.key), message, where.file, where.line)


def _is_authors(file: str) -> bool:
    return is_authors_file(file) and not file.startswith(_OURS)


def _problem(asset: Asset[..., Any], kind: ProblemKind, message: str) -> Problem:
    return Problem(kind, str(asset.key), message, asset.where.file, asset.where.line)
