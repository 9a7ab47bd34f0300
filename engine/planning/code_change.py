"""CodeChange: which code is not the code that made partitions: an asset's own, or that of views that it reads."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from deltaworks.engine.planning.code_version import differences
from deltaworks.engine.planning.graph import Node
from deltaworks.engine.planning.state import AssetState
from deltaworks.errors import Place


def changed_code(node: Node, state: AssetState, ranges: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """Return the names of what changed since partitions were made: the asset's function, and views."""
    is_own, views = _changed(node, state, ranges)
    return (*((node.asset.function.__name__,) if is_own else ()), *views)


def changed_place(node: Node, state: AssetState, ranges: Sequence[tuple[int, int]]) -> Place:
    """Return where the code is that changed: that of the asset, if its own did."""
    is_own, names = _changed(node, state, ranges)
    views = (view.asset.where for key, view in node.views.items() if str(key) in names)
    return node.asset.where if is_own else next(views, node.asset.where)


def _changed(node: Node, state: AssetState, ranges: Sequence[tuple[int, int]]) -> tuple[bool, tuple[str, ...]]:
    now = node.code
    if now is None or not node.views:
        return True, ()
    made = pl.concat([state.made.slice(first, last - first + 1) for first, last in ranges])
    numbers: list[int] = made.drop_nulls().unique().to_list()
    sources = (state.materializations[each].source for each in numbers)
    found = [differences(then, now) for then in sources if then is not None and then != now]
    return any(is_own for is_own, _ in found), tuple(sorted({name for _, names in found for name in names}))
