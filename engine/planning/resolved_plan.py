"""ResolvedPlan: the plan of a lazy frame as Polars resolved it, step by step and expression by expression.

The one place that touches what Polars keeps private: the view of plans that it has for its GPU engine. The text of
`explain` says too little: it cuts lists of columns off and shows different expressions alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl
from polars.io.plugins import register_io_source

if TYPE_CHECKING:
    from polars._plr import NodeTraverser

_KNOWN = 16
"""The version of the view; Polars raises it when names or places in it change."""


class PlanUnknown(Exception):
    """The installed Polars has plans that cannot be read."""


@dataclass(frozen=True)
class Scan:
    """An empty frame that stands for an asset, and can be told from others in a plan."""

    lf: pl.LazyFrame
    schema: pl.Schema

    @cached_property
    def mark(self) -> object:
        """What a plan has where the frame is scanned.

        Raises:
            PlanUnknown: the installed Polars has plans that cannot be read.
        """
        plan = ResolvedPlan(self.lf)
        return plan.step(plan.root).options[0]


def scan_of(schema: pl.Schema) -> Scan:
    """Return an empty frame with the columns of an asset."""

    def read(with_columns: list[str] | None, *_: object) -> Iterator[pl.DataFrame]:
        df = pl.DataFrame(schema=schema)
        yield df if with_columns is None else df.select(with_columns)

    return Scan(register_io_source(read, schema=schema), schema)


@dataclass
class ResolvedPlan:
    """A resolved plan; steps and expressions are numbers, and are seen as objects of Polars.

    Raises:
        PlanUnknown: the installed Polars has plans that cannot be read.
        PolarsError: the plan does not resolve.
    """

    lf: pl.LazyFrame
    prune: bool = False
    """Whether columns that nothing needs are left out."""
    has_unseen: bool = False
    """Whether an expression was asked for that cannot be seen."""
    _nodes: NodeTraverser = field(init=False)

    def __post_init__(self) -> None:
        """Resolve the plan."""
        self._nodes = _traverser(self.lf, prune=self.prune)
        self.root = self._nodes.get_node()

    def step(self, number: int) -> Any:
        """Return a step as an object of Polars, or the NotImplementedError that says why it cannot be seen."""
        self._nodes.set_node(number)
        try:
            return self._nodes.view_current_node()
        except NotImplementedError as error:
            return error

    def inputs(self, number: int) -> Sequence[int]:
        """Return the steps that a step starts from."""
        self._nodes.set_node(number)
        return self._nodes.get_inputs()

    def names(self, number: int) -> Sequence[str]:
        """Return the columns that a step results in."""
        self._nodes.set_node(number)
        return list(self._nodes.get_schema())

    def on(self, number: int) -> ExpressionsOn:
        """Return the expressions that are computed on what a step results in."""
        return ExpressionsOn(self, self._nodes, number)


@dataclass(frozen=True, slots=True)
class ExpressionsOn:
    """The expressions of a plan that are computed on what one step results in."""

    plan: ResolvedPlan
    nodes: NodeTraverser
    step: int

    def expression(self, number: int) -> Any:
        """Return an expression as an object of Polars, or the NotImplementedError that says why it cannot be seen."""
        try:
            return self.nodes.view_expression(number)
        except NotImplementedError as error:
            self.plan.has_unseen = True
            return error

    def field_names(self, number: int) -> tuple[str, ...]:
        """Return the names of the fields of an expression that is a struct; none if that cannot be said."""
        self.nodes.set_node(self.step)
        dtype = self.nodes.get_dtype(number)
        return tuple(each.name for each in dtype.fields) if isinstance(dtype, pl.Struct) else ()


def _traverser(lf: pl.LazyFrame, *, prune: bool) -> NodeTraverser:
    optimizations = pl.QueryOptFlags.none()
    optimizations.projection_pushdown = prune
    try:
        nodes = lf._ldf.with_optimizations(optimizations._pyoptflags).visit()  # pyright: ignore[reportPrivateUsage]
        version = nodes.version()
    except AttributeError as error:
        raise PlanUnknown("Polars shows its plans no more") from error
    if version[0] != _KNOWN:
        raise PlanUnknown(f"Polars shows its plans by version {version[0]}, expected {_KNOWN}")
    return nodes
