"""Catalog: every asset in a line, those that a search and filters leave, a page at a time."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import polars as pl

from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.planning.graph import Node
from deltaworks.engine.planning.selection import select_every
from deltaworks.errors import RequestError
from deltaworks.web import urls
from deltaworks.web.views.partitions import Counts, count, shades
from deltaworks.web.workspace import Sight

PAGE = 100
"""How many assets stand on a page."""

MOST_ON_A_PAGE = 500


@dataclass(frozen=True, slots=True)
class AssetRow:
    """An asset in a line."""

    key: str
    namespace: str
    """All but the last part of its key, with the slash."""
    name: str
    kind: str
    group: str
    owners: tuple[str, ...]
    description: str
    """The first line."""
    counts: Counts
    status: str
    """The worst of its partitions; `unknown` if its table cannot be read, `view` if it has none."""
    version: int | None
    committed_at: dt.datetime | None
    rows: int | None
    checks: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class Filter:
    """What the catalog is asked for; every field is a part of its address."""

    q: str = ""
    select: str = ""
    group: str = ""
    kind: str = ""
    status: str = ""
    owner: str = ""
    sort: str = ""
    page: int = 1

    def address(self, **changed: str | int | None) -> str:
        """Return the address of the catalog with other filters; the first page of it, unless a page is given."""
        return urls.assets(**{**self._query(), "page": None, **changed})

    def part(self, name: str) -> str:
        """Return the address of one part of this very page."""
        return urls.assets(**self._query(), part=name)

    def _query(self) -> dict[str, str | int | None]:
        words = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "page"}
        return {**words, "page": self.page if self.page > 1 else None}


@dataclass(frozen=True, slots=True)
class CatalogView:
    """The page of the catalog."""

    rows: tuple[AssetRow, ...]
    found: int
    total: int
    asked: Filter
    groups: tuple[tuple[str, int], ...]
    statuses: tuple[tuple[str, int], ...]
    """How many assets have a partition of each status, in the order of legends."""
    pages: int


def catalog_view(sight: Sight, asked: Filter) -> CatalogView:
    """Return the assets that are asked for.

    Raises:
        RequestError: the selection or the sorting means nothing.
    """
    nodes = sight.project.graph.every
    chosen = _selected(sight, asked.select)
    rows = [asset_row(sight, nodes[key]) for key in chosen]
    kept = [row for row in rows if _fits(row, asked)]
    found = sorted(kept, key=partial(_rank, asked.sort)) if asked.sort else kept
    if asked.sort and asked.sort not in _SORTS:
        raise RequestError(f"The catalog is not sorted by {asked.sort!r}, but by {', '.join(_SORTS)}.")
    first = (asked.page - 1) * PAGE
    groups = Counter(row.group for row in rows)
    return CatalogView(
        rows=tuple(found[first : first + PAGE]),
        found=len(found),
        total=len(nodes),
        asked=asked,
        groups=tuple(sorted(groups.items())),
        statuses=tuple(_statuses(rows)),
        pages=max(1, -(-len(found) // PAGE)),
    )


def asset_row(sight: Sight, node: Node) -> AssetRow:
    """Return an asset in a line."""
    namespace, slash, name = str(node.key).rpartition("/")
    asset, key = node.asset, node.key
    if key not in sight.project.graph.nodes:  # a view: nothing of it is stored
        counts, status, version, at, rows, problem = Counts(0, {}), "view", None, None, None, None
    else:
        found = sight.status(key)
        counts = count(shades(found, sight.running.get(key)))
        told = sight.problems.json(key)
        problem = told.get("problem") or (f"held by {told['held_by']}" if "held_by" in told else None)
        status = "unknown" if found.state.fault is not None else counts.worst
        version, at = found.state.version, _committed_at(sight, key)
        rows = _rows(sight, key)
    return AssetRow(
        key=str(key),
        namespace=namespace + slash,
        name=name,
        kind=asset.kind.value,
        group=asset.group,
        owners=asset.owners,
        description=asset.description.partition("\n")[0],
        counts=counts,
        status=status,
        version=version,
        committed_at=at,
        rows=rows,
        checks=len(node.checks),
        problem=problem,
    )


_SORTS: Mapping[str, str] = {"name": "key", "status": "status", "committed": "committed_at", "rows": "rows"}
_WORST_FIRST = ("unknown", "failed", "running", "stale", "missing", "external", "fresh", "view")


def _rank(sort: str, row: AssetRow) -> tuple[object, ...]:
    match sort:
        case "status":
            return _WORST_FIRST.index(row.status), row.key
        case "committed":
            return -(row.committed_at.timestamp() if row.committed_at else 0), row.key
        case "rows":
            return -(row.rows or 0), row.key
        case _:
            return (row.key,)


def _selected(sight: Sight, select: str) -> tuple[AssetKey, ...]:
    return select_every(sight.project.graph, [select] if select else [], lambda: sight.observation.status)


def _fits(row: AssetRow, asked: Filter) -> bool:
    words = asked.q.casefold().split()
    text = f"{row.key} {row.description} {row.group} {' '.join(row.owners)}".casefold()
    has_status = row.status == asked.status or bool(row.counts.by_word.get(asked.status))
    return (
        all(word in text for word in words)
        and (not asked.group or row.group == asked.group)
        and (not asked.kind or row.kind == asked.kind)
        and (not asked.owner or asked.owner in row.owners)
        and (not asked.status or has_status)
    )


def _statuses(rows: Iterable[AssetRow]) -> list[tuple[str, int]]:
    having: Counter[str] = Counter()
    for row in rows:
        having.update({word for word, number in row.counts.by_word.items() if number})
    return [(word, having[word]) for word in ("fresh", "stale", "failed", "running", "external", "missing")]


def _committed_at(sight: Sight, key: AssetKey) -> dt.datetime | None:
    """Return when a partition of an asset was changed last."""
    writers = sight.status(key).state.writers
    newest = writers[max(writers)].timestamp_ms if writers else 0
    return dt.datetime.fromtimestamp(newest / 1000, dt.UTC) if newest else None


def _rows(sight: Sight, key: AssetKey) -> int | None:
    """Return how many rows the partitions have whose number is recorded; none: no number is."""
    rows = sight.status(key).state.columns["rows"]
    return int(rows.cast(pl.Int64).sum()) if rows.count() else None
