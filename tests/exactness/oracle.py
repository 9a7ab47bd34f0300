"""Oracle: what the lake of the small project must hold and what must be said of it.

It keeps everything that ever happened as plain Python: each table's history, by table id, and the rows of each
partition after each of its changes. Rows that the engine wrote are computed from the pins in the record, rows that
others wrote are what the test says that it wrote.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.exactness.naive import Change, History, read_history
from tests.exactness.small_project import UPSTREAMS, Row, keys_of, made, mapped

MISSING, FRESH, STALE, EXTERNAL = "missing", "fresh", "stale", "external"


@dataclass
class Oracle:
    lake: Path
    constants: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """By asset and code version: the constant that the code had."""
    code: dict[str, str] = field(default_factory=dict[str, str])
    """The code version of each asset as it is defined now."""
    histories: dict[str, History] = field(default_factory=dict[str, History])
    """Of each asset's table as it is."""
    by_id: dict[str, History] = field(default_factory=dict[str, History])
    """Of every table that there ever was."""
    asset_of: dict[str, str] = field(default_factory=dict[str, str])
    """By table id."""
    contents: dict[tuple[str, str, int], list[Row]] = field(default_factory=dict[tuple[str, str, int], list[Row]])
    """The rows of a table id's partition since a version that changed it."""
    _statuses: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    _failed: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def edited(self, asset: str, code: str, constant: int) -> None:
        """Note the code version of an asset, which must tell its constants apart and nothing else."""
        assert self.constants.setdefault((asset, code), constant) == constant, f"{asset}: {code} stands for two codes"
        codes = [each for (name, each), by in self.constants.items() if (name, by) == (asset, constant)]
        assert codes == [code], f"{asset}: the same code has the versions {codes}"
        self.code[asset] = code

    def look(self) -> None:
        """Read all logs anew, and compute the rows of everything that the engine wrote since the last look."""
        self._statuses, self._failed = {}, {}
        for asset in UPSTREAMS:
            history = self.histories[asset] = read_history(self.lake / asset)
            if history.table_id is not None:
                self.by_id[history.table_id] = history
                self.asset_of[history.table_id] = asset
        for asset, history in self.histories.items():
            for key, change in history.materializations():
                place = (str(history.table_id), key, change.version)
                if place not in self.contents:
                    self.contents[place] = self._made(asset, key, change)
                    assert len(self.contents[place]) == change.rows, f"{asset} {key}: {change}"

    def wrote(self, asset: str, rows: Mapping[str, list[Row]]) -> None:
        """Note what the commit that has just been made to a table from outside made of its partitions."""
        history = read_history(self.lake / asset)
        assert history.runs[history.version] is None
        for key, changes in history.changes.items():
            if changes[-1].version == history.version:
                self.contents[str(history.table_id), key, history.version] = rows[key]

    def rows(self, asset: str) -> dict[str, list[Row]]:
        """The rows of every partition that ever was, those beyond the definition included."""
        history = self.histories[asset]
        return {key: self._rows(str(history.table_id), key, history.version) for key in history.changes}

    def failed(self, asset: str) -> set[str]:
        """The partitions whose last attempt failed and that nobody has changed since, by the ledger's files."""
        if asset in self._failed:
            return self._failed[asset]
        files = (self.lake / "_deltaworks" / "ledger" / "runs").rglob("*.json")
        runs = sorted((json.loads(file.read_text("utf-8")) for file in files), key=lambda run: run["started_at"])
        last = {(each["asset"], each["partition"] or ""): each for run in runs for each in run["failures"]}
        history = self.histories[asset]
        failed = set[str]()
        for (name, key), failure in last.items():
            if name != asset:
                continue
            change = history.last(key)
            if failure["table_id"] is None:
                assert failure["table_version"] == -1, "a table that is there has an id"
                is_last = change is None
            else:
                is_last = change is None or change.version <= failure["table_version"]
                is_last &= failure["table_id"] == history.table_id
            if is_last:
                failed.add(key)
        self._failed[asset] = failed
        return failed

    def statuses(self) -> dict[str, dict[str, str]]:
        """The status of every partition of every asset."""
        if not self._statuses:
            for asset in UPSTREAMS:
                self._statuses[asset] = {key: self._status(asset, key, self._statuses) for key in keys_of(asset)}
        return self._statuses

    def plan(
        self, asked: Mapping[str, Collection[str]], only: Collection[str]
    ) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
        """What of some partitions is to be made, and what cannot be made, by asset."""
        statuses = self.statuses()
        planned: dict[str, set[str]] = {}
        left_out: dict[str, set[str]] = {}
        for asset in UPSTREAMS:
            failed = self.failed(asset)
            for key in asked.get(asset, ()):
                status = statuses[asset][key]
                wanted = "all" in only or status in only or ("failed" in only and key in failed and status != EXTERNAL)
                upstreams = mapped(asset, key)
                moved = any(each in planned.get(upstream, ()) for upstream, keys in upstreams.items() for each in keys)
                if not wanted and not (moved and status in (FRESH, STALE)):
                    continue
                lacks = False
                for upstream, keys in upstreams.items():
                    there = [statuses[upstream][each] != MISSING or each in planned.get(upstream, ()) for each in keys]
                    lacks |= not any(there) if UPSTREAMS[asset][upstream] is None else not all(there)
                (left_out if lacks else planned).setdefault(asset, set()).add(key)
        return planned, left_out

    def _status(self, asset: str, key: str, found: Mapping[str, Mapping[str, str]]) -> str:
        change = self.histories[asset].last(key)
        if change is None or (change.run_id is None and not change.has_files):
            return MISSING
        if change.run_id is None:
            return EXTERNAL
        if change.code != self.code[asset]:
            return STALE
        for upstream, keys in mapped(asset, key).items():
            history = self.histories[upstream]
            pin = change.inputs.get(history.table_id or "")
            if pin is None:
                return STALE  # its table was dropped since
            for each in keys:
                latest = history.last(each)
                if latest is not None and latest.version > pin["version"]:
                    return STALE
                if found[upstream][each] == STALE:
                    return STALE
        return FRESH

    def _made(self, asset: str, key: str, change: Change) -> list[Row]:
        read: dict[str, list[Row]] = {upstream: [] for upstream in UPSTREAMS[asset]}
        assert sorted(pin["asset"] for pin in change.inputs.values()) == sorted(read), "it pins every upstream"
        for table_id, pin in change.inputs.items():
            upstream = self.asset_of[table_id]
            assert upstream == pin["asset"]
            for each in mapped(asset, key)[upstream]:
                there = self.by_id[table_id].last(each, pin["version"])
                exists = there is not None and (there.run_id is not None or there.has_files)
                if UPSTREAMS[asset][upstream] is not None:
                    assert exists, f"{asset} {key} was made without {upstream} {each}"
                read[upstream] += self._rows(table_id, each, pin["version"])
        return made(asset, self.constants[asset, str(change.code)], key, read)

    def _rows(self, table_id: str, key: str, version: int) -> list[Row]:
        history = self.by_id[table_id]
        assert version <= history.version, "nothing was read that was not there"
        change = history.last(key, version)
        if change is None:
            return []
        place = (table_id, key, change.version)
        if place not in self.contents and change.run_id is not None:
            self.contents[place] = self._made(self.asset_of[table_id], key, change)
        return self.contents[place]
