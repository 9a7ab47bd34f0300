"""Fingerprint: what the lazy plan of an asset's function makes each column of, as one short hash a column.

Fingerprints explain which columns a change of code concerns, and decide nothing: a function that branches on its
partition has another plan for another partition, and plans show different Python functions alike.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

import polars as pl

from deltaworks.engine.planning.graph import Node

_INPUT = re.compile(r"^(\S+ SCAN \[|DF \[|PYTHON SCAN|EMPTY)")
"""Where a plan begins: which files or rows it reads is no matter of code."""
_CUT = "the partitions of a view that are read"
_SILENT = re.compile(rf"^(simple π|PROJECT |ESTIMATED ROWS|FROM$|$|FILTER .*{_CUT})")
"""What depends on the columns that the inputs have beside those that are used, or on how they are read."""
_PLACED = re.compile(r'INNER JOIN:\nLEFT PLAN ON: \[col\("\\0\w+"\)\]\ninput\nRIGHT PLAN ON: .*\ninput\nEND INNER JOIN')
"""An input whose partitions are known from the log alone."""
_ADDRESS = re.compile(r"0x[0-9a-fA-F]+|id: [0-9a-fA-F-]+")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?: ?UTC)?")


def is_rehearsable(node: Node) -> bool:
    """Tell whether an asset's plan can be had from the columns of its upstreams alone."""
    return bool(node.upstream) and all(map(_is_lazy, (node, *node.views.values())))


def _is_lazy(node: Node) -> bool:
    lazy = all(edge.argument.frame.is_lazy for edge in node.reads)
    has_code = node.asset.graph is None and node.asset.foreign is None
    return lazy and has_code and not (node.asset.signature.resources or node.asset.signature.staging)


def partition_texts(node: Node, first: int, last: int) -> Iterator[str]:
    """Yield what a function may put into its plan of the partitions that it is called for."""
    if node.asset.signature.partition is None:
        return
    for ordinal in (first, last):
        yield node.partitions.key(ordinal)
        dimensions = zip(node.partitions.dimensions, node.partitions.coordinates(ordinal), strict=True)
        yield from (dimension.key(coordinate) for dimension, coordinate in dimensions)


def fingerprints(lf: pl.LazyFrame, keys: Iterable[str] = ()) -> Mapping[str, str] | None:
    """Return a hash of what each column of a lazy frame is made of, whatever the files and rows that it starts from.

    None: Polars cannot say it. Cost: some 0.3 ms a column; no rows are read.

    Args:
        lf: what a function returned.
        keys: those of the partition that it was called for, if it knows them; they, and then all dates, stand for any.
    """
    try:
        return _fingerprints(lf, keys)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return None


def _fingerprints(lf: pl.LazyFrame, keys: Iterable[str]) -> Mapping[str, str]:
    names = sorted(filter(None, keys), key=len, reverse=True)
    hide = re.compile("|".join(re.escape(f'"{name}"') for name in names)) if names else None
    optimizations = pl.QueryOptFlags.none()
    optimizations.projection_pushdown = True  # so that a column's plan is about that column
    found: dict[str, str] = {}
    for column in lf.collect_schema():
        text = lf.select(column).explain(optimizations=optimizations)
        lines = (_normalised(line.strip()) for line in text.splitlines())
        said = _PLACED.sub("input", "\n".join(filter(None, lines)))
        if hide is not None:
            said = _TIME.sub("key", hide.sub("key", said))
        found[column] = hashlib.sha256(said.encode()).hexdigest()[:8]
    return found


def cut(lf: pl.LazyFrame, claim: pl.Expr) -> pl.LazyFrame:
    """Keep the rows for which a claim holds that is no matter of code: fingerprints pass it over."""
    return lf.filter(pl.lit(_CUT).is_not_null() & claim)


def changed_columns(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Return the columns that are made otherwise, that are new, and that are there no more, in this order."""
    changed = [name for name in now if name in before and now[name] != before[name]]
    return (*changed, *(name for name in now if name not in before), *(name for name in before if name not in now))


def _normalised(line: str) -> str:
    if _INPUT.match(line):
        return "input"
    return "" if _SILENT.match(line) else _ADDRESS.sub("", line)
