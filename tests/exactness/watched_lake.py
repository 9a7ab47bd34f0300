"""A lake and the oracle beside it: they are compared, and what the engine did is noted."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from typing import Any

import polars as pl
import pytest
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.observe import Observation, observe
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only, Plan, plan
from deltaworks.engine.planning.request import Request, request
from deltaworks.engine.planning.selection import select
from deltaworks.engine.planning.status import Status
from deltaworks.engine.workspace.dynamic_keys import read_dynamic_keys
from deltaworks.errors import RequestError
from deltaworks.io.partition_keys import add_keys, remove_keys
from deltaworks.io.run_entry import RunStatus
from deltaworks.io.scan import scan_table
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from tests.exactness.naive import leftovers
from tests.exactness.oracle import MISSING, Oracle
from tests.exactness.outsider import Outsider
from tests.exactness.project import Row, SmallProject


@dataclass(frozen=True)
class _Begun:
    """A lake to begin with, made once; it is the same each time."""

    files: Mapping[Path, bytes]
    seen_runs: set[str]
    clock: dt.datetime
    contents: dict[tuple[str, str, int], list[Row]]
    members: dict[tuple[str, str, int], dict[str, set[str]]]
    counter: int


_BEGUN: dict[tuple[str, int], _Begun] = {}
"""By project, and how often everything was made."""
_DEFINED: dict[tuple[object, ...], Definitions] = {}
"""By project and the constants of its code: what an editor would load again is the same each time."""
_GRAPHS: dict[tuple[object, ...], AssetGraph] = {}
"""By those and the keys that there are."""


class WatchedLake(RuleBasedStateMachine):
    """What machines that do something to a lake have in common: how it begins, and what must hold after each step."""

    def __init__(self, project: SmallProject) -> None:
        super().__init__()
        self.project = project
        self.assets = tuple(project.assets)

    @initialize(lake=st.sampled_from(["empty", "full", "scattered", "scattered"]))
    def begin(self, lake: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="deltaworks-machine-"))
        self.lake = self.folder / "lake"
        self.store = Store(self.lake, durable=False)
        self.clock = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
        self.oracle = Oracle(self.lake, self.project)
        self.constants = dict.fromkeys(self.assets, 1)
        self.seen_runs: set[str] = set()
        self.compared: dict[str, object] = {}
        self.outsider = Outsider(self.lake, self.oracle)
        for name, keys in self.project.pool.items():
            self._change_keys(name, keys[:3], is_added=True)
        self._define()
        runs = ["empty", "full", "scattered"].index(lake)
        if (self.project.name, runs) in _BEGUN:
            self._continue(_BEGUN[self.project.name, runs])
            return
        for _ in range(runs):
            for asset, place in zip(self.assets, (3, 2), strict=False):
                if asset in self._tables():
                    self.outsider.write(asset, self._key(asset, place), "append")
            self._run(self._asked(self.assets, None), DEFAULT_ONLY, self.store, workers=2)
            self._adopt_runs({asset: set(self.oracle.keys[asset]) for asset in self.assets})
            self._refresh()
        _BEGUN[self.project.name, runs] = self._begun()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    @invariant()
    def the_lake_is_what_the_oracle_says(self) -> None:
        self.oracle.look()
        seen = self.seen = observe(self.graph, self.store)
        statuses = {
            str(key): {each.node.partitions.key(number): Status(value).word for number, value in enumerate(each.status)}
            for key, each in seen.status.items()
        }
        assert statuses == self.oracle.statuses()
        for key, each in seen.status.items():
            failed = {each.node.partitions.key(number) for number in each.state.failed}
            assert failed == self.oracle.failed(str(key)) & set(self.oracle.keys[str(key)])
            assert each.state.undefined == len(self.oracle.undefined(str(key)))
        asked = self._asked(self.assets, None)
        planned, left_out = self._expected(asked, DEFAULT_ONLY)
        if self._is_refused(asked, planned, left_out):
            with pytest.raises(RequestError, match="Cannot make"):
                plan(self.graph, seen.status, asked, DEFAULT_ONLY)
        else:
            assert self._parts(plan(self.graph, seen.status, asked, DEFAULT_ONLY)) == (planned, left_out)
        for asset in self._tables():
            self._compare_rows(asset)

    def _compare_rows(self, asset: str) -> None:
        history = self.oracle.histories[asset]
        if self.compared.get(asset) == (history.table_id, history.version):
            return
        self.compared[asset] = (history.table_id, history.version)
        expected = sorted((key, *row) for key, rows in self.oracle.rows(asset).items() for row in rows)
        small = self.project.assets[asset]
        for df in (pl.read_delta(str(self.lake / asset)), scan_table(Table.read(self.store, asset)).collect()):
            assert sorted((small.key(row), row["i"], row["n"]) for row in df.iter_rows(named=True)) == expected
        assert all((self.lake / asset / file).is_file() for file in history.live)
        strays = [file for file in leftovers(self.lake / asset, history) if not file.startswith("_")]
        assert all(any(run in file for run in self.seen_runs) for file in strays), strays

    def _begun(self) -> _Begun:
        self.oracle.look()
        files = {file.relative_to(self.lake): file.read_bytes() for file in self.lake.rglob("*") if file.is_file()}
        oracle = self.oracle
        begun = _Begun(files, self.seen_runs, self.clock, oracle.contents, oracle.members, self.outsider.counter)
        return deepcopy(begun)

    def _continue(self, begun: _Begun) -> None:
        """Start with a lake as another machine has made it."""
        for file, content in begun.files.items():
            (self.lake / file).parent.mkdir(parents=True, exist_ok=True)
            (self.lake / file).write_bytes(content)
        self.seen_runs, self.clock, self.outsider.counter = set(begun.seen_runs), begun.clock, begun.counter
        self.oracle.contents, self.oracle.members = deepcopy((begun.contents, begun.members))
        self._define()

    def _define(self) -> None:
        """Load the project, as it is written now, with the keys that it has in the lake now."""
        self.oracle.look()
        self.oracle.define()
        code = (self.project.name, *self.constants.values())
        if code not in _DEFINED:
            _DEFINED[code] = self.project.define(self.constants)
        self.definitions = _DEFINED[code]
        keys = read_dynamic_keys(self.definitions, self.store)
        defined = code, tuple(sorted((str(name), tuple(each)) for name, each in keys.items()))
        if defined not in _GRAPHS:
            _GRAPHS[defined] = build_graph(self.definitions, self.clock, keys)
        self.graph = _GRAPHS[defined]
        for asset, constant in self.constants.items():
            self.oracle.edited(asset, self.graph.node(asset).code, constant)

    def _refresh(self) -> None:
        """Load the project again where what happened to the lake may have changed its keys."""
        if self.project.pool:
            self._define()

    def _change_keys(self, name: str, keys: Sequence[str], is_added: bool) -> None:
        (add_keys if is_added else remove_keys)(self.store, name, keys, "a test", self._now())
        known = self.oracle.added.setdefault(name, set())
        (known.update if is_added else known.difference_update)(keys)

    def _key(self, asset: str, place: int) -> str:
        """Return one of an asset's keys; if it has none, one that it had or may get."""
        keys = self.oracle.keys[asset] or next(iter(self.project.pool.values()))
        return keys[place % len(keys)]

    def _now(self) -> dt.datetime:
        self.clock += dt.timedelta(seconds=1)
        return self.clock

    def _tables(self) -> list[str]:
        return [asset for asset in self.assets if (self.lake / asset / "_delta_log" / f"{0:020d}.json").exists()]

    def _live(self, asset: str) -> list[str]:
        return list(self.oracle.history(asset).live.values())

    def _asked(self, selected: tuple[str, ...], span: tuple[str, str] | None) -> Request:
        chosen = select(self.graph, selected)
        nodes = [node for node in map(self.graph.nodes.__getitem__, chosen) if node.partition_columns]
        if span is None or not all(any(node.partitions.between(end, end) for node in nodes) for end in span):
            return request(self.graph, chosen)
        return request(self.graph, chosen, (), *span)

    def _expected(self, asked: Request, only: frozenset[Only]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
        return self.oracle.plan(self._spelled(asked.partitions), {each.value for each in only})

    def _is_refused(self, asked: Request, planned: Mapping[str, set[str]], left_out: Mapping[str, set[str]]) -> bool:
        """Whether a request names what cannot be made, or nothing of it is there and nothing can be made."""
        statuses = self.oracle.statuses()
        found = {statuses[asset][key] for asset, part in self._spelled(asked.partitions).items() for key in part}
        is_named = asked.names_partitions and any(self.project.assets[asset].columns for asset in left_out)
        return is_named or bool(left_out and not planned and found == {MISSING})

    def _parts(self, decided: Plan) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
        """What a plan makes and what it leaves out, by asset."""
        left_out: dict[str, set[str]] = {}
        for left in decided.left_out:
            left_out.setdefault(str(left.asset), set()).update(
                self._spelled({left.asset: left.partitions})[str(left.asset)]
            )
        stepped: dict[str, set[str]] = {}
        for step in decided.steps:
            more = self._spelled({step.asset: step.partitions})[str(step.asset)]
            assert step.reasons
            assert more, "a step makes something"
            assert not stepped.get(str(step.asset), set()) & more, "a partition stands in one step"
            stepped.setdefault(str(step.asset), set()).update(more)
        assert stepped == self._spelled(decided.planned)
        return stepped, left_out

    def _spelled(self, partitions: Mapping[Any, Any]) -> dict[str, set[str]]:
        return {
            str(key): {self.graph.nodes[key].partitions.key(number) for number in part}
            for key, part in partitions.items()
        }

    def _run(self, asked: Request, only: frozenset[Only], store: Store, workers: int) -> RunReport | None:
        """As `dw.materialize` does, with another clock and store."""
        seen = observe(self.graph, store)
        return self._launch(seen, plan(self.graph, seen.status, asked, only), store, workers)

    def _launch(self, seen: Observation, decided: Plan, store: Store, workers: int) -> RunReport | None:
        if not decided.planned:
            return None
        return launch(
            self.definitions,
            self.graph,
            store,
            seen.tables,
            decided,
            workers=workers,
            command="a test",
            environ={},
            now=self._now,
            tell=lambda _: None,
            stop=Flag(),
        )

    def _run_undisturbed(self, asked: Request, only: frozenset[Only], workers: int) -> None:
        """Run on the lake as it was seen after the last step, and compare all that comes of it."""
        planned, left_out = self._expected(asked, only)
        if self._is_refused(asked, planned, left_out):
            with pytest.raises(RequestError, match="Cannot make"):
                plan(self.graph, self.seen.status, asked, only)
            event("refused")
            return
        decided = plan(self.graph, self.seen.status, asked, only)
        assert self._parts(decided) == (planned, left_out)
        report = self._launch(self.seen, decided, self.store, workers)
        if report is None:
            assert planned == {}
            return
        event("partly left out" if left_out else "ran whole")
        entry, count = report.entry, sum(map(len, planned.values()))
        assert (entry.status, entry.materialized, entry.failed) == (RunStatus.SUCCESS, count, 0)
        assert entry.skipped == sum(map(len, left_out.values()))
        assert self._adopt_runs(planned) == {entry.run_id}
        histories = {asset: self.oracle.history(asset) for asset in self.assets}
        made = {asset: history.made_by(entry.run_id) for asset, history in histories.items()}
        assert {asset: each for asset, each in made.items() if each} == {
            asset: sorted(part) for asset, part in planned.items()
        }
        self._refresh()

    def _adopt_runs(self, planned: Mapping[str, set[str]]) -> set[str]:
        """Note the runs that are new, each of which made some of what was planned, and nothing twice."""
        new: set[str] = set()
        ledger = (self.lake / "_deltaworks" / "ledger" / "runs").rglob("*.json")
        new |= {file.stem for file in ledger if not file.name.startswith(".")} - self.seen_runs
        for asset in self.assets:
            history = self.oracle.history(asset)
            for run_id in {run for run in history.runs.values() if run} - self.seen_runs:
                made = history.made_by(run_id)
                assert len(set(made)) == len(made), "a run makes nothing twice"
                assert set(made) <= planned.get(asset, set())
                new.add(run_id)
        assert len(new) <= 1
        self.seen_runs |= new
        return new
