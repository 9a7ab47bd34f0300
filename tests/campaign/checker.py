"""The offline checker: what processes said that they had done, against the lake that they left.

It reads logs in the most naive way and data with Polars, and counts instead of stopping at the first that is wrong.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from tests.exactness.naive import Change, History, read_history

Rows = list[tuple[object, ...]]
Made = Callable[[str, str, Change, Mapping[str, History]], Rows]
"""From an asset, a key, the commit that made the partition and what all logs say to the rows that it must have."""

_COMMITTED = re.compile(r"^(?P<asset>[\w/]+): .*committed \(version (?P<version>\d+)", re.MULTILINE)


@dataclass
class Verdict:
    """How much of a lake is wrong."""

    lost: int = 0
    """Commits that were acknowledged and are not in the log, and live files that are not there."""
    doubled: int = 0
    """Partitions that one run committed twice, and partitions that hold rows twice."""
    partial: int = 0
    """Partitions whose rows are neither all of the old nor all of the new ones."""
    told: list[str] = field(default_factory=list[str])

    def __iadd__(self, other: Verdict) -> Verdict:
        self.lost += other.lost
        self.doubled += other.doubled
        self.partial += other.partial
        self.told += other.told
        return self


@dataclass
class Checker:
    """What has been acknowledged about one lake so far."""

    lake: Path
    made: Made
    acknowledged: dict[tuple[str, int], str] = field(default_factory=dict[tuple[str, int], str])
    """By asset and version: the run that said it had committed that."""

    def hear(self, run_id: str, said: str) -> None:
        """Note what a process said."""
        for found in _COMMITTED.finditer(said):
            self.acknowledged[found["asset"], int(found["version"])] = run_id

    def look(self, assets: Collection[str]) -> Verdict:
        """Compare the lake with what must be in it."""
        verdict = Verdict()
        histories = {asset: read_history(self.lake / asset) for asset in assets}
        for (asset, version), run_id in self.acknowledged.items():
            if histories[asset].runs.get(version) != run_id:
                verdict.lost += 1
                verdict.told.append(f"{asset}: run {run_id} had committed version {version}")
        for asset in histories:
            verdict += self._look_at(asset, histories)
        return verdict

    def _look_at(self, asset: str, histories: Mapping[str, History]) -> Verdict:
        verdict, history = Verdict(), histories[asset]
        if history.table_id is None:
            return verdict
        for file in history.live:
            if not (self.lake / asset / file).is_file():
                verdict.lost += 1
                verdict.told.append(f"{asset}: {file} is not there")
        for (run_id, key), times in Counter((each.run_id, key) for key, each in history.materializations()).items():
            if times > 1:
                verdict.doubled += 1
                verdict.told.append(f"{asset} {key}: run {run_id} committed it {times} times")
        found = rows_of(self.lake / asset)
        for key in {*found, *history.changes}:
            change = history.last(key)
            expected = [] if change is None else self.made(asset, key, change, histories)
            if found.get(key, []) != expected:
                more = Counter(found.get(key, [])) - Counter(expected)
                is_doubled = bool(more) and set(more) <= set(expected)
                verdict.doubled += is_doubled
                verdict.partial += not is_doubled
                verdict.told.append(f"{asset} {key}: {found.get(key, [])} instead of {expected}")
        return verdict


def rows_of(table: Path) -> Mapping[str, Rows]:
    """The column `n` of each partition of a table, sorted; `day` is what it is cut by, if it is."""
    df = pl.read_delta(str(table))
    if "day" not in df.columns:
        return {"": sorted(df.select("n").rows())} if df.height else {}
    parts = df.select(pl.col("day").dt.to_string("%Y-%m-%d"), "n").partition_by("day", as_dict=True, include_key=False)
    return {str(key): sorted(part.rows()) for (key,), part in parts.items()}
