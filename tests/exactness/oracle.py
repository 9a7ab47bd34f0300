"""Oracle: what the lake of a small project must hold and what must be said of it.

It keeps everything that ever happened as plain Python: each table's history, by table id, and the rows of each
partition after each of its changes. Rows that the engine wrote are computed from the pins in the record, rows that
others wrote are what the test says that it wrote.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.exactness.naive import Change, History, read_history
from tests.exactness.project import Added, Found, Needs, Read, Row, SmallProject
from tests.exactness.small_project import PROJECT

MISSING, FRESH, STALE, EXTERNAL = "missing", "fresh", "stale", "external"


@dataclass
class Oracle:
    lake: Path
    project: SmallProject = PROJECT
    added: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """The keys that were added under each name."""
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """The partition keys of each asset as it is defined now, in their order."""
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
    members: dict[tuple[str, str, int], dict[str, set[str]]] = field(
        default_factory=dict[tuple[str, str, int], dict[str, set[str]]]
    )
    """What each argument read of its upstream when the engine made them."""
    _statuses: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    _failed: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def edited(self, asset: str, code: str, constant: int) -> None:
        """Note the code version of an asset, which must tell its constants apart and nothing else."""
        assert self.constants.setdefault((asset, code), constant) == constant, f"{asset}: {code} stands for two codes"
        codes = [each for (name, each), by in self.constants.items() if (name, by) == (asset, constant)]
        assert codes == [code], f"{asset}: the same code has the versions {codes}"
        self.code[asset] = code

    def define(self) -> None:
        """Note which keys there are, as of the last look."""
        self._statuses = {}
        for asset, small in self.project.assets.items():
            match small.keys:
                case Added(name):
                    self.keys[asset] = tuple(sorted(self.added.get(name, ())))
                case Found(upstream):
                    there = self.histories[upstream].changes if upstream in self.histories else {}
                    self.keys[asset] = tuple(sorted(key for key in there if self._exists(upstream, key)))
                case _:
                    self.keys[asset] = small.keys

    def history(self, asset: str) -> History:
        """Read the log of an asset's table as it is now."""
        return read_history(self.lake / asset, self.project.assets[asset].key_in_log)

    def look(self) -> None:
        """Read all logs anew, and compute the rows of everything that the engine wrote since the last look."""
        self._statuses, self._failed = {}, {}
        for asset in self.project.assets:
            history = self.histories[asset] = self.history(asset)
            if history.table_id is not None:
                self.by_id[history.table_id] = history
                self.asset_of[history.table_id] = asset
        if not self.keys:
            self.define()
        for asset, history in self.histories.items():
            for key, change in history.materializations():
                if change.kind != "materialize":
                    continue
                place = (str(history.table_id), key, change.version)
                if place not in self.contents:
                    self.contents[place] = self._made(place[0], key, change)
                    assert len(self.contents[place]) == change.rows, f"{asset} {key}: {change}"

    def wrote(self, asset: str, rows: Mapping[str, list[Row]]) -> None:
        """Note what the commit that has just been made to a table by no function made of its partitions."""
        history = self.history(asset)
        for key, changes in history.changes.items():
            if changes[-1].version == history.version:
                self.contents[str(history.table_id), key, history.version] = rows[key]

    def rows(self, asset: str) -> dict[str, list[Row]]:
        """The rows of every partition that ever was, those beyond the definition included."""
        history = self.histories[asset]
        return {key: self._rows(str(history.table_id), key, history.version) for key in history.changes}

    def rows_then(self, asset: str, version: int) -> dict[str, list[Row]]:
        """The rows that every partition had at a version, those included that came later."""
        history = self.histories[asset]
        return {key: self._rows(str(history.table_id), key, version) for key in history.changes}

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

    def undefined(self, asset: str) -> set[str]:
        """The partitions that have content but are not in the definition."""
        return {key for key in self.histories[asset].changes if self._exists(asset, key)} - set(self.keys[asset])

    def statuses(self) -> dict[str, dict[str, str]]:
        """The status of every partition of every asset."""
        if not self._statuses:
            for asset in self.project.assets:
                found = self._statuses[asset] = dict[str, str]()
                for key in self.keys[asset]:
                    found[key] = self._status(asset, key)
        return self._statuses

    def plan(
        self, asked: Mapping[str, Collection[str]], only: Collection[str]
    ) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
        """What of some partitions is to be made, and what cannot be made, by asset."""
        statuses = self.statuses()
        planned: dict[str, set[str]] = {}
        left_out: dict[str, set[str]] = {}
        for asset in self.project.assets:
            failed = self.failed(asset)
            for key in self.keys[asset]:
                if key not in asked.get(asset, ()):
                    continue
                status = statuses[asset][key]
                wanted = "all" in only or status in only or ("failed" in only and key in failed and status != EXTERNAL)
                reads = self._reads(asset, key)
                moved = any(each in planned.get(read.asset, ()) for read, keys in reads for each in keys)
                if wanted or (moved and status in (FRESH, STALE)):
                    lacks = any(self._lacks(asset, read, keys, planned) for read, keys in reads)
                    lacks |= "all" not in only and not moved and self._is_idle(asset, key, left_out)
                    (left_out if lacks else planned).setdefault(asset, set()).add(key)
        return planned, left_out

    def _is_idle(self, asset: str, key: str, left_out: Mapping[str, set[str]]) -> bool:
        """Whether a partition is stale only for such as are stale and left out, so that it would be made in vain."""
        reads = self._reads(asset, key)
        if self._statuses[asset][key] != STALE or key in self.failed(asset) or any(r.asset == asset for r, _ in reads):
            return False
        stale = {(r.asset, each) for r, keys in reads for each in keys if self._statuses[r.asset].get(each) == STALE}
        is_own_fault = self._status(asset, key, sees_upstream=False) == STALE
        return bool(stale) and not is_own_fault and all(each in left_out.get(name, ()) for name, each in stale)

    def _reads(self, asset: str, key: str) -> list[tuple[Read, Sequence[str]]]:
        """What each argument of an asset's function reads for a partition, be they partitions or not."""
        return [(read, read.keys(key, self.keys)) for read in self.project.assets[asset].reads.values()]

    def _lacks(self, asset: str, read: Read, keys: Sequence[str], planned: Mapping[str, set[str]]) -> bool:
        """Whether a partition cannot be made for want of what an argument reads."""
        statuses = self._statuses[read.asset]
        there = [
            each in statuses and (statuses[each] != MISSING or each in planned.get(read.asset, ())) for each in keys
        ]
        match read.needs:
            case Needs.EACH:
                return not all(there) or (not there and read.asset != asset)
            case Needs.ONE:
                return not any(there)
            case Needs.NONE:
                return False

    def _exists(self, asset: str, key: str) -> bool:
        change = self.histories[asset].last(key)
        return change is not None and change.has_content

    def _status(self, asset: str, key: str, *, sees_upstream: bool = True) -> str:
        change = self.histories[asset].last(key)
        if change is None or not self._exists(asset, key):
            return MISSING
        if change.run_id is None or change.kind == "rollback":
            return EXTERNAL
        if change.code != self.code[asset]:
            return STALE
        for argument, read in self.project.assets[asset].reads.items():
            keys, history = read.keys(key, self.keys), self.histories[read.asset]
            pin = change.inputs.get(history.table_id or "")
            if pin is None and read.asset in {each["asset"] for each in change.inputs.values()}:
                return STALE  # its table was dropped since
            then = self.members[str(self.histories[asset].table_id), key, change.version][argument]
            there = {each for each in keys if each in self.keys[read.asset] and self._exists(read.asset, each)}
            if pin is not None and there != then and not self._lacks(asset, read, keys, {}):
                return STALE
            for each in keys:
                if each not in self.keys[read.asset]:
                    continue
                latest = history.last(each)
                is_newer = latest is not None and latest.version > (-1 if pin is None else pin["version"])
                if is_newer and (pin is None or each in there | then):  # what came and went since is no change
                    return STALE
                if sees_upstream and self._statuses[read.asset][each] == STALE:
                    return STALE
        return FRESH

    def _made(self, table_id: str, key: str, change: Change) -> list[Row]:
        asset = self.asset_of[table_id]
        small = self.project.assets[asset]
        pinned = {pin["asset"]: table_id for table_id, pin in change.inputs.items()}
        assert len(pinned) == len(change.inputs), "it pins every upstream once"
        assert set(pinned) <= {read.asset for read in small.reads.values()}
        rows: dict[str, list[Row]] = {}
        members = self.members[table_id, key, change.version] = dict[str, set[str]]()
        for argument, read in small.reads.items():
            rows[argument], members[argument] = [], set()
            upstream_id = pinned.get(read.asset)
            if upstream_id is None:
                assert read.needs is Needs.NONE or read.asset == asset, f"{asset} {key}: it pins {read.asset}"
                continue
            assert self.asset_of[upstream_id] == read.asset
            version = change.inputs[upstream_id]["version"]
            for each in read.keys(key, self.keys):
                there = self.by_id[upstream_id].last(each, version)
                exists = there is not None and there.has_content
                if read.needs is Needs.EACH:
                    assert exists, f"{asset} {key} was made without {read.asset} {each}"
                if exists and each in self.keys[read.asset]:
                    members[argument].add(each)
                    rows[argument] += self._rows(upstream_id, each, version)
        return small.made(self.constants[asset, str(change.code)], key, rows)

    def _rows(self, table_id: str, key: str, version: int) -> list[Row]:
        history = self.by_id[table_id]
        assert version <= history.version, "nothing was read that was not there"
        change = history.last(key, version)
        if change is None:
            return []
        place = (table_id, key, change.version)
        if place not in self.contents and change.run_id is not None and change.kind == "materialize":
            self.contents[place] = self._made(table_id, key, change)
        return self.contents[place]
