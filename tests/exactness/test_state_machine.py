"""Whatever is done to a lake, by the engine or by others, status, plans and rows are what a naive oracle says.

Runs, edits, rollbacks, wipes, outside writes, compactions, lost caches, dropped tables, keys that come and go, and
crashes come in any order; after each of them the whole lake is compared. That is done to several small projects, which
have every kind of partitions and of mappings among them.
"""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from typing import Any, TypeVar

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.observe import Observation, observe
from deltaworks.engine.execution.repairs.repair import Keys, Repair
from deltaworks.engine.execution.repairs.rollback import roll_back
from deltaworks.engine.execution.repairs.upkeep import Care, maintain
from deltaworks.engine.execution.repairs.wipe import wipe
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.planning.graph import AssetGraph, build_graph
from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only, Plan, plan
from deltaworks.engine.planning.request import Request, request
from deltaworks.engine.planning.selection import select
from deltaworks.engine.planning.status import Status
from deltaworks.engine.workspace.dynamic_keys import read_dynamic_keys
from deltaworks.errors import FilesGone, RequestError
from deltaworks.io.ledger import RunStatus
from deltaworks.io.partition_keys import add_keys, remove_keys
from deltaworks.io.scan import scan_table
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from tests.exactness import (
    calendar_project,
    chain_project,
    clock_project,
    cube_project,
    keys_project,
    small_project,
    view_project,
)
from tests.exactness.failing_store import METHODS, Crash, FailingStore, Moment, Trigger
from tests.exactness.naive import leftovers
from tests.exactness.oracle import EXTERNAL, FRESH, MISSING, STALE, Oracle
from tests.exactness.outsider import Outsider
from tests.exactness.project import Row, SmallProject

T = TypeVar("T")

MORE = [
    *clock_project.PROJECTS,
    *(module.PROJECT for module in (calendar_project, keys_project, cube_project, chain_project, view_project)),
]


def of_machine(strategy: Callable[[LakeMachine], st.SearchStrategy[T]]) -> st.SearchStrategy[T]:
    """What may be drawn depends on the machine's project, and on the keys that it has by now."""
    return st.runner().flatmap(strategy)


assets = of_machine(lambda machine: st.sampled_from(machine.assets))
selections = of_machine(
    lambda machine: st.one_of(
        st.just(machine.assets),
        st.sets(st.sampled_from(machine.assets), min_size=1).map(tuple),
        st.sampled_from(machine.assets).map(lambda name: (f"+{name}",)),
    )
)
spans = of_machine(
    lambda machine: st.one_of(
        st.none(), st.tuples(*[st.integers(0, len(machine.project.spans) - 1)] * 2).map(sorted).map(machine.between)
    )
)
places = st.sampled_from((2, 3, 2, 3, *range(12)))
"""Two partitions, one of them without rows at first, have more happen to them than others."""
onlies = st.one_of(st.just(DEFAULT_ONLY), st.sets(st.sampled_from(Only), min_size=1).map(frozenset))
moments = st.sampled_from(Moment)
calls = st.sampled_from([1, 1, 2, 2, 3, 5, 8])


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
UPKEEP = Care(retention=dt.timedelta(0), fold_after=dt.timedelta(days=36_500))
"""At once, but for the ledger, which the oracle reads object by object."""


class LakeMachine(RuleBasedStateMachine):
    """One lake, and the oracle beside it."""

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

    # The engine's doings.

    @rule(selected=selections, span=spans, only=onlies, workers=st.integers(1, 2))
    def backfill(
        self, selected: tuple[str, ...], span: tuple[str, str] | None, only: frozenset[Only], workers: int
    ) -> None:
        asked = self._asked(selected, span)
        self._run_undisturbed(asked, only, workers)

    @rule()
    def backfill_everything(self) -> None:
        asked = self._asked(self.assets, None)
        keys, (_, left_out) = dict(self.oracle.keys), self._expected(asked, DEFAULT_ONLY)
        self._run_undisturbed(asked, DEFAULT_ONLY, workers=2)

        self.oracle.look()
        statuses = self.oracle.statuses()
        found_keys = keys != self.oracle.keys  # for the next run
        stuck = any(statuses[asset].get(key) == STALE for asset, part in left_out.items() for key in part)
        if not found_keys and not stuck:  # what is made from what is stuck stays stale with it
            made = {asset: set(keys[asset]) - left_out.get(asset, set()) for asset in self.assets}
            assert {statuses[asset][key] for asset, part in made.items() for key in part} <= {FRESH, EXTERNAL}
            assert self.oracle.plan(keys, DEFAULT_ONLY)[0] == {}

    @rule(asset=assets, named=st.lists(st.integers(0, 11), min_size=1, max_size=3))
    def materialize(self, asset: str, named: list[int]) -> None:
        keys = list(dict.fromkeys(self._key(asset, place) for place in named if self.oracle.keys[asset]))
        asked = request(self.graph, select(self.graph, [asset]), [key for key in keys if key])
        self._run_undisturbed(asked, frozenset({Only.ALL}), workers=2)

    @rule(asset=assets, constant=st.integers(1, 3))
    def edit(self, asset: str, constant: int) -> None:
        self.constants[asset] = constant
        self._define()

    @precondition(lambda self: bool(self.project.pool))
    @rule(data=st.data(), is_added=st.booleans())
    def change_keys(self, data: st.DataObject, is_added: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.project.pool)), label="name")
        some = st.sets(st.sampled_from(self.project.pool[name]), min_size=1, max_size=2)
        self._change_keys(name, sorted(data.draw(some, label="keys")), is_added)
        self._define()

    @precondition(lambda self: bool(self._tables()))
    @rule(data=st.data(), place=places, is_whole=st.booleans())
    def wipe(self, data: st.DataObject, place: int, is_whole: bool) -> None:
        asset = data.draw(st.sampled_from(self._tables()), label="asset")
        keys = self._named(asset, place, is_whole)
        before = self.oracle.rows(asset)
        done = wipe(self.graph, self.graph.node(asset), self.store, keys, command="a test", now=self._now)
        if done.version is not None:
            self.oracle.wrote(asset, {key: [] for key in before})
        self._repaired(asset, done, {key: [] for key in before if not keys.named or key in keys.named})

    @precondition(lambda self: bool(self._tables()))
    @rule(data=st.data(), place=places, is_whole=st.booleans(), back=st.integers(0, 6))
    def roll_back(self, data: st.DataObject, place: int, is_whole: bool, back: int) -> None:
        asset = data.draw(st.sampled_from(self._tables()), label="asset")
        keys = self._named(asset, place, is_whole)
        version = max(0, self.oracle.histories[asset].version - back)
        then = self.oracle.rows_then(asset, version)
        node = self.graph.node(asset)
        try:
            done = roll_back(self.graph, node, self.store, version, keys, command="a test", now=self._now)
        except FilesGone:
            event("rolled back to what was vacuumed")
            return
        if done.version is not None:
            self.oracle.wrote(asset, then)
        self._repaired(asset, done, {key: rows for key, rows in then.items() if not keys.named or key in keys.named})

    # What others do.

    @precondition(lambda self: bool(self._tables()))
    @rule(
        data=st.data(), place=places, kind=st.sampled_from(["overwrite", "append", "delete", "delete rows", "beyond"])
    )
    def write_outside(self, data: st.DataObject, place: int, kind: str) -> None:
        asset = data.draw(st.sampled_from(self._tables()), label="asset")
        self.outsider.write(asset, self._key(asset, place), kind)
        self._refresh()

    @precondition(lambda self: bool(self._tables()))
    @rule(data=st.data(), kind=st.sampled_from(["compact", "checkpoint", "vacuum", "upkeep", "upkeep"]))
    def maintain(self, data: st.DataObject, kind: str) -> None:
        scattered = [asset for asset in self._tables() if len(set(self._live(asset))) < len(self._live(asset))]
        asset = data.draw(st.sampled_from(scattered or self._tables()), label="asset")
        table = DeltaTable(str(self.lake / asset))
        self.compared.pop(asset, None)
        match kind:
            case "compact":
                table.optimize.compact()
            case "checkpoint":
                table.create_checkpoint()
            case "upkeep":
                self.compared.clear()
                nodes = list(self.graph.nodes.values())
                done = maintain(self.graph, self.store, nodes, UPKEEP, lambda: self.clock)
                assert [each.problem for each in done.tables if each.problem] == []
                self._adopt_runs({})
            case _:
                table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)

    @rule(what=st.sampled_from(["_deltaworks", "_deltaworks/index", "_deltaworks/ledger"]))
    def forget(self, what: str) -> None:
        shutil.rmtree(self.lake / what, ignore_errors=True)
        if what == "_deltaworks":
            self.oracle.added.clear()
            self._define()

    @precondition(lambda self: len(self._tables()) > 2)
    @rule(data=st.data(), sure=st.integers(0, 3))
    def drop(self, data: st.DataObject, sure: int) -> None:
        if sure == 0:
            shutil.rmtree(self.lake / data.draw(st.sampled_from(self._tables()), label="asset"))
            self._refresh()

    # Both at once, and disasters.

    @rule(selected=selections, method=st.sampled_from(METHODS), call=calls, moment=moments)
    def crash(self, selected: tuple[str, ...], method: str, call: int, moment: Moment) -> None:
        asked = self._asked(selected, None)
        only, planned = self._something_to_do(asked, DEFAULT_ONLY)
        store = FailingStore(self.lake, False, Trigger(method, call, moment))
        try:
            self._run(asked, only, store, workers=1)
        except (Crash, RequestError) as end:
            event(f"crash: {type(end).__name__} {moment} {method}")
        self._adopt_runs(planned)
        self._refresh()

    @precondition(lambda self: bool(self._tables()))
    @rule(
        data=st.data(),
        only=onlies,
        moment=st.sampled_from([("put_new", Moment.BEFORE), ("sync_file", Moment.AFTER), ("put_new", Moment.AFTER)]),
        kind=st.sampled_from(["overwrite", "append", "delete", "rob", "compact"]),
    )
    def meddle(self, data: st.DataObject, only: frozenset[Only], moment: tuple[str, Moment], kind: str) -> None:
        asked = self._asked(self.assets, None)
        only, planned = self._something_to_do(asked, only)
        there = sorted(set(planned) & set(self._tables())) or self._tables()
        asset = data.draw(st.sampled_from(there), label="asset")
        likely = sorted(planned.get(asset, ())) or self.oracle.keys[asset] or [self._key(asset, 0)]
        if kind == "rob":  # what the run relies on, and does not mean to make
            likely = sorted(set(self._live(asset)) - set(likely)) or likely
        key = data.draw(st.sampled_from(likely), label="key")
        written: list[int] = []

        def act() -> None:
            if kind == "compact":
                DeltaTable(str(self.lake / asset)).optimize.compact()
            elif self.outsider.write(asset, key, "delete" if kind == "rob" else kind):
                written.append(self.oracle.history(asset).version)

        method, when = moment
        trigger = Trigger(method, 1, when, act, below=f"{asset}/")
        with suppress(RequestError):
            self._run(asked, only, FailingStore(self.lake, False, trigger), workers=1)
        event(f"meddled: {kind} {when} {method}" if written else f"meddled in vain: {kind}")
        (run_id,) = self._adopt_runs(planned) or {""}
        if kind not in ("delete", "rob") and Only.EXTERNAL not in only:
            for made, change in self.oracle.history(asset).materializations():
                is_lost = change.run_id == run_id and written and change.version > written[0]
                assert not (is_lost and made == key), "it overwrote what it had not seen"
        self._refresh()

    # What must hold after each step.

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

    def _named(self, asset: str, place: int, is_whole: bool) -> Keys:
        """Name one partition of a table, or all of it."""
        if is_whole or not self.project.assets[asset].columns or not self.oracle.keys[asset]:
            return Keys()
        return Keys((self._key(asset, place),))

    def _repaired(self, asset: str, done: Repair, expected: Mapping[str, list[Row]]) -> None:
        """Note the run of a repair, and compare what it did with what the partitions should hold."""
        self.seen_runs |= {done.entry.run_id} if done.entry else set()
        self.oracle.look()
        found = self.oracle.rows(asset)
        assert {key: sorted(found[key]) for key in expected} == {key: sorted(rows) for key, rows in expected.items()}
        event(f"repaired: {bool(done.changed)} {bool(done.emptied)}")
        self._refresh()

    def _key(self, asset: str, place: int) -> str:
        """Return one of an asset's keys; if it has none, one that it had or may get."""
        keys = self.oracle.keys[asset] or next(iter(self.project.pool.values()))
        return keys[place % len(keys)]

    def between(self, places: Sequence[int]) -> tuple[str, str]:
        """Return the ends of a range."""
        return self.project.spans[places[0]], self.project.spans[places[1]]

    def _now(self) -> dt.datetime:
        self.clock += dt.timedelta(seconds=1)
        return self.clock

    def _tables(self) -> list[str]:
        return [asset for asset in self.assets if (self.lake / asset / "_delta_log" / f"{0:020d}.json").exists()]

    def _live(self, asset: str) -> list[str]:
        return list(self.oracle.history(asset).live.values())

    def _something_to_do(self, asked: Request, only: frozenset[Only]) -> tuple[frozenset[Only], dict[str, set[str]]]:
        """Ask for everything where there would be nothing to do; return what is planned, too."""
        planned = self._expected(asked, only)[0]
        if planned:
            return only, planned
        return frozenset({Only.ALL}), self._expected(asked, frozenset({Only.ALL}))[0]

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


def _check(project: SmallProject, examples: int, steps: int, *, is_soak: bool = False) -> None:
    run_state_machine_as_test(
        lambda: LakeMachine(project),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=not is_soak,
            print_blob=True,
            phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_engine_agrees_with_a_naive_oracle_whatever_happens() -> None:
    _check(small_project.PROJECT, examples=22, steps=30)


@pytest.mark.parametrize("project", MORE, ids=lambda project: project.name)
def test_it_does_so_with_every_kind_of_partitions_and_mappings(project: SmallProject) -> None:
    _check(project, examples=5, steps=30)


@pytest.mark.soak
@pytest.mark.parametrize("project", [small_project.PROJECT, *MORE], ids=lambda project: project.name)
def test_the_engine_agrees_with_a_naive_oracle_for_long(project: SmallProject) -> None:
    _check(project, examples=400 if project is small_project.PROJECT else 120, steps=50, is_soak=True)
