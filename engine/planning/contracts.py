"""Contracts: whether every table's columns and dtypes fit its readers, found out without data and without a lake.

Models are compared with models. Then every function that needs nothing but frames is called on empty ones, and what it
returns is compared with what it promises, and with what those ask for who read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from deltaworks.engine.definitions.asset import AssetKind
from deltaworks.engine.definitions.keys import AssetKey, CheckKey
from deltaworks.engine.planning.check_nodes import CheckNode
from deltaworks.engine.planning.empty_call import EmptyCall, Fault, ask_on_empty, call_on_empty, declared_schema
from deltaworks.engine.planning.graph import AssetGraph, Edge, Node
from deltaworks.engine.planning.rehearsal import rehearsal
from deltaworks.errors import Place
from deltaworks.io.dtypes import delta_problem
from deltaworks.validation import (
    DeclaredColumn,
    ResidualCheck,
    Rule,
    column_difference,
    compile_contract,
    declare,
    impossible,
    unfit_check,
    unfit_rules,
)

_WITH_FUNCTIONS = (AssetKind.FUNCTION, AssetKind.VIEW)
_SHOWN_UPSTREAMS = 5


class ProblemKind(StrEnum):
    """What is wrong."""

    CONTRACT = "contract"
    """A reader's model asks for what its upstream does not offer, or a model for what no rows can be held to."""
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
    upstream: Place | None = None
    """Where the upstream says what it offers: its model, else its function; none: there is no one such place."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What there is to say of a graph without data."""

    problems: tuple[Problem, ...]
    """Upstreams first."""
    results: Mapping[AssetKey, pl.Schema]
    """The columns that functions were seen to return, if they were called to the end."""
    left: Mapping[AssetKey, str]
    """The functions that are found out about only when they run, and why; the text goes on after the asset's name.

    Asset checks are in it, and in `checked` if they were called to the end, by their own keys.
    """
    checked: tuple[CheckKey, ...] = ()
    """The asset checks that were called to the end."""


def check_contracts(graph: AssetGraph, known: Mapping[AssetKey, pl.Schema] | None = None) -> Findings:
    """Find what would go wrong in a graph.

    A function that asks for a resource, that has no upstream, or that fails for want of real rows or files, is left to
    be found out when it runs. Cost: one call of each other function.

    Args:
        graph: the assets. Those whose code is elsewhere are taken as they say of themselves.
        known: the columns of those of them that declare none, as far as they were found out.
    """
    problems: list[Problem] = []
    results: dict[AssetKey, pl.Schema] = {}
    left: dict[AssetKey, str] = {}
    schemas: dict[AssetKey, pl.Schema] = dict(known or {})
    for key, node in graph.every.items():
        declared = declared_schema(node)
        if declared is not None:
            schemas[key] = declared  # an asset may read itself
        for edge in node.reads:
            problems += _edge_problems(graph, node, edge, schemas)
        if node.asset.foreign is not None:
            continue  # its own location calls and judges it
        found = _call(node, schemas)
        problems += _problems(graph, node, found)
        if found.schema is not None:
            schemas[key] = _offered(declared, found.schema)
        if node.asset.kind in _WITH_FUNCTIONS:
            if found.schema is not None:
                results[key] = found.schema
            if found.left is not None:
                left[key] = found.left
    checked: list[CheckKey] = []
    for check in (each for node in graph.nodes.values() if node.asset.foreign is None for each in node.checks):
        problems += [
            problem for edge in check.node.reads for problem in _edge_problems(graph, check.node, edge, schemas)
        ]
        asked = ask_on_empty(check, schemas)
        if asked.fault is not None:
            problems.append(_check_problem(graph, check, asked.fault))
        elif asked.left is not None:
            left[check.check.key] = asked.left
        else:
            checked.append(check.check.key)
    return Findings(tuple(problems), results, left, tuple(checked))


def _check_problem(graph: AssetGraph, check: CheckNode, fault: Fault) -> Problem:
    reads = check.node.reads if fault.is_of_upstreams else ()
    reading = _reading({edge.upstream: _place_of(graph, edge.upstream) for edge in reads})
    message = f"asset check {check.check.key} {fault.problem}{reading}"
    return Problem(ProblemKind.FUNCTION, str(check.check.key), message, fault.where.file, fault.where.line)


def _call(node: Node, schemas: Mapping[AssetKey, pl.Schema]) -> EmptyCall:
    # A seed with a model is known by it, and is not read.
    is_read = node.asset.kind is AssetKind.SEED and node.asset.model is None
    if is_read or node.asset.kind in _WITH_FUNCTIONS:
        return call_on_empty(node, schemas)
    return EmptyCall()


def _offered(declared: pl.Schema | None, found: pl.Schema) -> pl.Schema:
    """Return the columns that readers get: those that the model promises, and what else the function returns."""
    columns = dict(declared or {})
    return pl.Schema(columns | {name: dtype for name, dtype in found.items() if name not in columns})


def _edge_problems(
    graph: AssetGraph, node: Node, edge: Edge, schemas: Mapping[AssetKey, pl.Schema]
) -> Iterator[Problem]:
    upstream, wanted = graph.every[edge.upstream].asset, edge.argument.frame.model
    if wanted is None or wanted is upstream.model:
        return
    offer = None if upstream.model is None else declare(upstream.model)
    returned = schemas.get(edge.upstream)
    for column in declare(wanted).columns:
        if offer is not None:
            difference = column_difference(column, offer)
        else:
            difference = None if returned is None else _returned_difference(column, returned)
        if difference:
            where = upstream.where if offer is None else offer.place
            place = f" ({where})" if where else ""
            source = f"what {edge.upstream}{place} returns" if offer is None else f"model {offer.name}{place}"
            message = (
                f"{node.key} ({node.asset.where}) reads column {column.name!r} of {edge.upstream} as "
                f"{'nullable ' if column.nullable else ''}{column.dtype}, but {source} {difference}"
            )
            yield _problem(node, ProblemKind.CONTRACT, message, upstream=where)


def _returned_difference(wanted: DeclaredColumn, returned: pl.Schema) -> str | None:
    """Say the same of a function without a model; whether what it returns may be null is not known."""
    found = returned.get(wanted.name)
    if found is None:
        return "does not have it" if wanted.required else None
    return None if found == wanted.dtype else f"has it as {found}"


def _problems(graph: AssetGraph, node: Node, found: EmptyCall) -> Iterator[Problem]:
    """Yield what is wrong with an asset's model, with its function, and with what that returns."""
    model = node.asset.model
    with rehearsal():  # the model's checks may be the author's functions, too
        is_judged = node.asset.kind.has_code
        unkept = [each.message for each in impossible(model)] if model is not None and is_judged else []
        of_result = () if found.schema is None else compile_contract(model, found.schema).problems
    schema = declared_schema(node) if found.schema is None else found.schema
    unfit = list(_unfit_rules(model, schema)) if model is not None and is_judged and schema is not None else []
    for message in (*unkept, *unfit):
        yield _problem(node, ProblemKind.CONTRACT, f"the model of {node.key}: {message}")
    if found.fault is not None:
        reads = node.reads if found.fault.is_of_upstreams else ()
        upstreams = {edge.upstream: _place_of(graph, edge.upstream) for edge in reads}
        message = f"the function of {node.key} {found.fault.problem}{_reading(upstreams)}"
        only = next(iter(upstreams.values())) if len(upstreams) == 1 else None
        yield _problem(node, ProblemKind.FUNCTION, message, found.fault.where, only)
    if found.schema is not None:
        yield from _schema_problems(
            node, found.schema, [each.message for each in of_result if each.message not in unkept]
        )


def _unfit_rules(model: type, schema: pl.Schema) -> Iterator[str]:
    """Say which rules of a model no rows of a schema can keep, and where the model is."""
    with rehearsal():
        contract = compile_contract(model, schema)
        unfit: list[tuple[Rule | ResidualCheck, str]] = [*unfit_rules(contract.rules, schema)]
    for check in contract.residual:
        with rehearsal() as seen:
            reason = unfit_check(check, schema)
        if reason is not None and not seen.has_taken_rows:
            unfit.append((check, reason))
    place = declare(model).place
    for part, reason in unfit:
        subject = f"rule {part.name!r} of {'the model' if part.column is None else f'column {part.column!r}'}"
        yield f"{subject}{f' ({place})' if place else ''} can be kept by no rows: {reason}"


def _schema_problems(node: Node, schema: pl.Schema, messages: list[str]) -> Iterator[Problem]:
    subject = f"the result of {node.key}"
    for message in messages:
        yield _problem(node, ProblemKind.SCHEMA, f"{subject}: {message}")
    if node.asset.model is None and node.needs_columns:  # a model says the same of the partition column
        for column, dimension in zip(node.asset.partition_columns, node.partitions.dimensions, strict=True):
            dtype = column.dtype(schema)
            wrong = "is missing" if dtype is None else dimension.column_problem(dtype)
            if wrong:
                yield _problem(node, ProblemKind.SCHEMA, f"{subject}: partition column {column.name!r} {wrong}")
    declared = () if node.asset.model is None else [column.name for column in declare(node.asset.model).columns]
    for name, dtype in () if node.asset.kind is AssetKind.VIEW else schema.items():
        unkept = None if name in declared else delta_problem(dtype)  # a model has none
        if unkept:
            yield _problem(node, ProblemKind.DTYPE, f"{subject}: column {name!r} {unkept}")


def _place_of(graph: AssetGraph, key: AssetKey) -> Place:
    """Return where an asset says what columns it has."""
    asset = graph.every[key].asset
    return (None if asset.model is None else declare(asset.model).place) or asset.where


def _reading(upstreams: Mapping[AssetKey, Place]) -> str:
    if not upstreams:
        return ""
    shown = [f"{key} ({place})" for key, place in list(upstreams.items())[:_SHOWN_UPSTREAMS]]
    more = [f"{len(upstreams) - len(shown)} more"] if len(upstreams) > len(shown) else []
    return f"; it reads {', '.join([*shown, *more])}"


def _problem(
    node: Node, kind: ProblemKind, message: str, where: Place | None = None, upstream: Place | None = None
) -> Problem:
    where = where or node.asset.where
    return Problem(kind, str(node.key), message, where.file, where.line, upstream)
