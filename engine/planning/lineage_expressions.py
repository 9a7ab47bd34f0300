"""Lineage of expressions: which sources feed what an expression yields, and which decide how many rows that are.

Read off Polars' own resolved expressions. What cannot be seen, such as a Python function, counts as reading all columns
of its frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias, TypeVar

from deltaworks.engine.definitions.keys import AssetKey

Source: TypeAlias = tuple[AssetKey, str]
"""A column of an asset."""
Sources: TypeAlias = frozenset[Source]

NOTHING: Sources = frozenset()

Made = TypeVar("Made")

_INSIDE: Mapping[str, tuple[str, ...]] = {
    "Column": (),
    "Literal": (),
    "Len": (),
    "Alias": ("expr",),
    "Cast": ("expr",),
    "BinaryExpr": ("left", "right"),
    "Ternary": ("predicate", "truthy", "falsy"),
    "Agg": ("arguments",),
    "Function": ("input",),
    "Sort": ("expr",),
    "SortBy": ("expr", "by"),
    "Filter": ("input", "by"),
    "Gather": ("expr", "idx"),
    "Slice": ("input", "offset", "length"),
    "Explode": ("expr",),
    "Window": ("function", "partition_by", "order_by"),
    "Rolling": ("function", "index_column"),
    "StructEval": ("expr", "evaluation"),
}
"""Where each kind of expression has those that it is made of."""

_STEADY_KINDS = frozenset(
    """
    BitwiseFunction BooleanFunction EwmFunction ListFunction RollingFunction RollingFunctionBy StringFunction
    StructFunction TemporalFunction
    """.split()  # noqa: SIM905 - names of Polars' functions
)
_STEADY = frozenset(
    """
    abs approx_n_unique arccos arccosh arcsin arcsinh arctan arctanh arg_max arg_min as_struct atan2 cbrt ceil clip
    coalesce corr cos cosh cot cum_count cum_max cum_min cum_prod cum_sum cut degrees diff entropy erf erfc exp
    fill_null fill_null_with_strategy floor gather_every hash index_of interpolate interpolate_by kurtosis log log1p
    max_by max_horizontal mean_horizontal min_by min_horizontal n_unique negate null_count pct_change peak_max peak_min
    pow product qcut quantile radians rank reinterpret repeat_by replace replace_strict reverse rle_id round
    round_sig_figs set_sorted shift shuffle sign sin sinh skew sqrt sum_horizontal tan tanh to_physical truncate
    """.split()  # noqa: SIM905 - names of Polars' functions
)
"""Functions that yield as many rows as their arguments have, or one, whatever the values are."""


@dataclass(frozen=True, slots=True)
class Traced:
    """What an expression or a column is made of."""

    values: Sources = NOTHING
    extent: Sources = NOTHING
    """What decides how many values it yields, beside the rows of the frame."""
    is_unseen: bool = False
    """Whether something has a part in it that no plan shows."""
    fields: Mapping[str, Traced] | None = None
    """What each field of a struct is made of, where that is known."""
    length: Sources | None = None
    """What decides how long its lists are, where that is less than its values."""

    @property
    def exploded(self) -> Sources:
        """What decides how many rows there are once its lists are taken apart."""
        return self.reach if self.length is None else self.length | self.extent

    @property
    def reach(self) -> Sources:
        """All that has any influence on it."""
        return self.values | self.extent if self.extent else self.values


NOBODY = Traced()
"""What is made of no column: a constant, or the number of rows."""


def together(parts: Iterable[Traced]) -> Traced:
    """Return what is made of all of some parts."""
    found = list(parts)
    if not found:
        return NOBODY
    if len(found) == 1:
        (only,) = found
        is_plain = only.fields is None and only.length is None
        return only if is_plain else Traced(only.values, only.extent, only.is_unseen)
    return Traced(
        _union(each.values for each in found),
        _union(each.extent for each in found),
        any(each.is_unseen for each in found),
    )


def post_order(root: int, inside: Callable[[int], Sequence[int]], make: Callable[[int, list[Made]], Made]) -> Made:
    """Make what a tree of numbered nodes stands for, from the leaves up; a tree may be deeper than Python's stack."""
    made: dict[int, Made] = {}
    waiting: list[tuple[int, Sequence[int] | None]] = [(root, None)]
    while waiting:
        node, parts = waiting.pop()
        if parts is not None:
            made[node] = make(node, [made[part] for part in parts])
        elif node not in made:
            parts = inside(node)
            waiting.append((node, parts))
            waiting += ((part, None) for part in parts)
    return made[root]


class Expressions(Protocol):
    """The expressions of a plan."""

    def expression(self, number: int) -> Any:
        """Return an expression as an object of Polars, or the NotImplementedError that says why it cannot be seen."""
        ...

    def field_names(self, number: int) -> tuple[str, ...]:
        """Return the names of the fields that a struct has; none if that cannot be said."""
        ...


def trace(root: int, plan: Expressions, columns: Mapping[str, Traced]) -> Traced:
    """Return what an expression is made of, by its number in a plan and the columns that it is computed on."""
    views: dict[int, Any] = {}

    def inside(number: int) -> Sequence[int]:
        views[number] = plan.expression(number)
        return list(_inside(views[number]))

    def make(number: int, parts: list[Traced]) -> Traced:
        made = _made(views[number], parts, columns)
        if _kind(views[number]) == "Function" and views[number].function_data[0] == "as_struct":
            names = plan.field_names(number)
            return replace(made, fields=dict(zip(names, parts, strict=True)) if len(names) == len(parts) else None)
        return made

    return post_order(root, inside, make)


def _inside(view: Any) -> Iterator[int]:
    for name in _INSIDE.get(_kind(view), ()):
        found = getattr(view, name)
        for part in found if hasattr(found, "__len__") else [found]:
            if part is not None:
                yield part if isinstance(part, int) else part.node


def _made(view: Any, parts: list[Traced], columns: Mapping[str, Traced]) -> Traced:
    match _kind(view):
        case "Column" if view.name in columns:
            return columns[view.name]
        case "Alias":
            return parts[0]
        case "Literal" | "Len" | "Cast" | "BinaryExpr" | "Ternary" | "Sort" | "SortBy" | "Rolling" | "StructEval":
            return together(parts)
        case "Agg":
            made = together(parts)
            return replace(made, extent=NOTHING, length=made.extent if view.name == "implode" else None)
        case "Filter" | "Slice":
            return replace(together(parts), extent=parts[0].extent | _reach(parts[1:]))
        case "Gather":
            return replace(together(parts), extent=NOTHING if view.scalar else parts[1].extent)
        case "Window":
            made = together(parts)
            return replace(made, extent=made.reach if view.options.kind == "explode" else NOTHING)
        case "Function":
            return _called(view.function_data, parts)
        case "Explode":
            return replace(together(parts), extent=parts[0].exploded)
        case "NotImplementedError" if str(view) == "field":
            return NOBODY  # a field of the struct that `with_fields` is called on, which is seen
        case _:
            return Traced(all_of(columns), all_of(columns), is_unseen=True)


def _called(data: Sequence[Any], parts: list[Traced]) -> Traced:
    """Return what a function makes of its arguments; `data` names it and has its options."""
    function, made = data[0], together(parts)
    if not isinstance(function, str):
        kind, _, name = str(function).rpartition(".")
        if kind == "StructFunction" and name == "FieldByName" and parts[0].fields is not None:
            return parts[0].fields.get(data[1], made)
        is_steady = kind in _STEADY_KINDS or (kind == "ArrayFunction" and name != "Explode")
    else:
        is_steady = function in _STEADY
    return made if is_steady else replace(made, extent=made.reach)


def all_of(columns: Mapping[str, Traced]) -> Sources:
    """Return all that has any influence on a frame's columns."""
    return _reach(columns.values())


def _reach(parts: Iterable[Traced]) -> Sources:
    return _union(each.reach for each in parts)


def _union(sets: Iterable[Sources]) -> Sources:
    return NOTHING.union(*sets)


def _kind(view: Any) -> str:
    return type(view).__name__
