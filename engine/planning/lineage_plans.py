"""Lineage of plans: what each column of a lazy frame is made of, and what decides which rows there are.

The plan is read as Polars resolved it, step by step, before any optimization. What decides the order of rows counts as
deciding the rows, since whatever comes later may take the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.lineage_expressions import (
    NOBODY,
    Source,
    Sources,
    Traced,
    all_of,
    post_order,
    together,
    trace,
)
from deltaworks.engine.planning.resolved_plan import ResolvedPlan, Scan


@dataclass(frozen=True, slots=True)
class Frame:
    """A lazy frame, or a step on the way to one."""

    columns: Mapping[str, Traced]
    rows: Traced = NOBODY
    """What decides which rows there are, how they are grouped, and in which order."""
    is_closed: bool = False
    """Whether a Python function on the way takes whole frames."""

    def having(self, columns: Mapping[str, Traced], *rows: Traced) -> Frame:
        """Return a frame made of this one, with its own columns and what decides its rows beside what did before."""
        decided = together([self.rows, *rows])
        held = {name: replace(each, extent=frozenset()) if each.extent else each for name, each in columns.items()}
        return replace(self, columns=held, rows=Traced(decided.reach, is_unseen=decided.is_unseen))


def trace_frame(lf: pl.LazyFrame, scans: Mapping[AssetKey, Scan]) -> Frame:
    """Return what a lazy frame is made of, by the columns of the scans that stand for assets.

    Never too little, sometimes too much: a Python function of columns, or another expression that cannot be seen,
    counts as made of all columns that are read for it, those among them that decide its rows; a function of whole
    frames as made of all that it is given. Cost: some 10 microseconds a step or expression; no rows are read.

    Raises:
        PlanUnknown: the installed Polars has plans that cannot be read.
        PolarsError: the plan does not resolve.
    """
    keys = {scan.mark: key for key, scan in scans.items()}
    every = frozenset((key, name) for key, scan in scans.items() for name in scan.schema)
    plan = ResolvedPlan(lf)

    def make(number: int, frames: list[Frame]) -> Frame:
        view = plan.step(number)
        step = _Step(plan, number, view, plan.inputs(number), frames, keys, every)
        return _MADE.get(type(view).__name__, _closed)(step)

    found = post_order(plan.root, plan.inputs, make)
    return found if found.is_closed or not plan.has_unseen else _bounded(found, lf, keys)


def _bounded(found: Frame, lf: pl.LazyFrame, keys: Mapping[object, AssetKey]) -> Frame:
    """Take out of what cannot be seen the columns that Polars itself would not read for it."""
    columns = {
        name: replace(each, values=each.values & _needed(lf.select(name), keys)) if each.is_unseen else each
        for name, each in found.columns.items()
    }
    return replace(found, columns=columns, rows=replace(found.rows, values=found.rows.values & _needed(lf, keys)))


def _needed(lf: pl.LazyFrame, keys: Mapping[object, AssetKey]) -> Sources:
    """Return the columns that Polars reads of the scans for a lazy frame."""
    plan = ResolvedPlan(lf, prune=True)
    found: set[Source] = set()

    def note(number: int, _: list[None]) -> None:
        view = plan.step(number)
        if type(view).__name__ == "PythonScan" and view.options[0] in keys:
            names = plan.names(number) if view.options[1] is None else view.options[1]
            found.update((keys[view.options[0]], name) for name in names)

    post_order(plan.root, plan.inputs, note)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of a plan, and the frames that it starts from."""

    plan: ResolvedPlan
    number: int
    view: Any
    inputs: Sequence[int]
    frames: Sequence[Frame]
    keys: Mapping[object, AssetKey]
    every: Sources

    @property
    def frame(self) -> Frame:
        return self.frames[0]

    @property
    def names(self) -> Sequence[str]:
        """The columns that it results in."""
        return self.plan.names(self.number)

    def traced(self, expressions: Iterable[Any], side: int = 0) -> dict[str, Traced]:
        """Return what expressions on one of its frames are made of, by their names."""
        columns, on = self.frames[side].columns, self.plan.on(self.inputs[side])
        return {each.output_name: trace(each.node, on, columns) for each in expressions}


def _closed(step: _Step) -> Frame:
    """Return what a step makes that cannot be seen: anything of anything."""
    given = frozenset[Source]().union(*(all_of(each.columns) | each.rows.values for each in step.frames))
    made = Traced(given if step.frames else step.every, is_unseen=True)
    return Frame(dict.fromkeys(step.names, made), made, is_closed=True)


def _scanned(step: _Step) -> Frame:
    key = step.keys.get(step.view.options[0])
    if key is None:
        return _closed(step)
    return Frame({name: Traced(frozenset([(key, name)])) for name in step.names})


def _outside(step: _Step) -> Frame:
    """Return rows that no asset has: constants, or a file."""
    return Frame(dict.fromkeys(step.names, NOBODY))


def _same(step: _Step) -> Frame:
    return step.frame


def _projected(step: _Step) -> Frame:
    return replace(step.frame, columns={name: step.frame.columns[name] for name in step.names})


def _selected(step: _Step) -> Frame:
    made = step.traced(step.view.exprs if type(step.view).__name__ == "Reduce" else step.view.expr)
    return step.frame.having(made, *(Traced(each.extent) for each in made.values()))


def _widened(step: _Step) -> Frame:
    return step.frame.having({**step.frame.columns, **step.traced(step.view.exprs)})


def _filtered(step: _Step) -> Frame:
    return step.frame.having(step.frame.columns, *step.traced([step.view.predicate]).values())


def _sorted(step: _Step) -> Frame:
    by = (made for each in step.view.by_column for made in step.traced([each]).values())
    return step.frame.having(step.frame.columns, *by)


def _grouped(step: _Step) -> Frame:
    windows = step.view.options.dynamic or step.view.options.rolling
    keys, made = step.traced(step.view.keys), step.traced(step.view.aggs)
    index = [] if windows is None else [step.frame.columns[windows.index_column]]
    columns = {name: keys.get(name) or made.get(name) or index[0] for name in step.names}
    return step.frame.having(columns, *keys.values(), *index)


def _distinct(step: _Step) -> Frame:
    subset = step.view.options[1]
    names = step.frame.columns if subset is None else subset
    return step.frame.having(step.frame.columns, *(step.frame.columns[name] for name in names))


def _united(step: _Step) -> Frame:
    columns = {name: together(each.columns[name] for each in step.frames) for name in step.names}
    return _side_by_side(step).having(columns)


def _merged(step: _Step) -> Frame:
    found = _united(step)
    keys = [step.view.key] if isinstance(step.view.key, str) else step.view.key
    return found.having(found.columns, *(found.columns[name] for name in keys))


def _side_by_side(step: _Step) -> Frame:
    columns = {name: made for each in step.frames for name, made in each.columns.items()}
    rows = together(each.rows for each in step.frames)
    return Frame(columns, rows, any(each.is_closed for each in step.frames))


def _joined(step: _Step) -> Frame:
    how, _, _, suffix, is_coalesced, _ = step.view.options
    left, right = step.frames[0].columns, step.frames[1].columns
    left_on = [each.output_name for each in step.view.left_on]
    right_on = [each.output_name for each in step.view.right_on]
    found = _side_by_side(step)
    on = [made for each in step.view.left_on for made in step.traced([each], 0).values()]
    on += [made for each in step.view.right_on for made in step.traced([each], 1).values()]
    if not isinstance(how, str):  # as of: equal columns beside the ordered one
        on += [left[name] for name in step.view.options[0][4] or ()]
        on += [right[name] for name in step.view.options[0][5] or ()]
    if how in ("Semi", "Anti"):
        return found.having(left, *on)
    kept = {name: made for name, made in left.items() if not (how == "Right" and is_coalesced and name in left_on)}
    columns: dict[str, Traced] = {}
    for name in step.names:
        theirs = right.get(name) or right.get(name.removesuffix(suffix))
        columns[name] = kept.get(name) or theirs or together([*left.values(), *right.values()])
    if how == "Full" and is_coalesced:
        for mine, theirs in zip(left_on, right_on, strict=True):
            columns[mine] = together([left[mine], right[theirs]])
    made = found.having(columns, *on)
    if step.view.predicate is not None:
        both = replace(step, frames=[made], inputs=[step.number])
        made = made.having(columns, *both.traced([step.view.predicate]).values())
    return made


def _mapped(step: _Step) -> Frame:
    function, frame = step.view.function, step.frame
    match function[0]:
        case "unpivot":
            return frame.having(_unpivoted(frame.columns, step.names, function[1], function[2], function[4]))
        case "explode":
            lengths = [Traced(frame.columns[name].exploded) for name in function[1]]
            return frame.having({name: replace(made, length=None) for name, made in frame.columns.items()}, *lengths)
        case "unnest":
            return frame.having({name: _unnested(frame, name, function[1], function[2] or "") for name in step.names})
        case "row_index":
            return frame.having({name: frame.columns.get(name, NOBODY) for name in step.names})
        case "hint_sorted" | "rechunk":
            return frame
        case _:
            return _closed(step)


def _unpivoted(
    columns: Mapping[str, Traced], names: Sequence[str], index: Sequence[str], on: Sequence[str], value: str
) -> Mapping[str, Traced]:
    made = {name: columns[name] for name in index} | {value: together(columns[name] for name in on)}
    return {name: made.get(name, NOBODY) for name in names}


def _unnested(frame: Frame, name: str, structs: Sequence[str], separator: str) -> Traced:
    if name in frame.columns and name not in structs:
        return frame.columns[name]
    for struct in structs:
        field = name.removeprefix(f"{struct}{separator}") if separator else name
        fields = frame.columns[struct].fields or {}
        if field in fields:
            return fields[field]
    return together(frame.columns[struct] for struct in structs)


_MADE: Mapping[str, Callable[[_Step], Frame]] = {
    "PythonScan": _scanned,
    "DataFrameScan": _outside,
    "Scan": _outside,
    "SimpleProjection": _projected,
    "Select": _selected,
    "Reduce": _selected,
    "HStack": _widened,
    "Filter": _filtered,
    "Sort": _sorted,
    "Slice": _same,
    "Cache": _same,
    "GroupBy": _grouped,
    "Distinct": _distinct,
    "Union": _united,
    "HConcat": _side_by_side,
    "MergeSorted": _merged,
    "Join": _joined,
    "MapFunction": _mapped,
}
"""What each kind of step makes; any other is not seen."""
