"""Whatever is done to a lake, by the engine or by others, status, plans and rows are what a naive oracle says.

Runs, edits, outside writes, compactions, lost caches, dropped tables and crashes come in any order; after each of them
the whole lake is compared.
"""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag
from typing import Any

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

from deltaworks.engine.execution.launch import launch
from deltaworks.engine.execution.observe import Observation, observe
from deltaworks.engine.execution.run import RunReport
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only, Plan, plan
from deltaworks.engine.planning.request import Request, request
from deltaworks.engine.planning.selection import select
from deltaworks.engine.planning.status import Status
from deltaworks.errors import RequestError
from deltaworks.io.ledger import RunStatus
from deltaworks.io.scan import scan_table
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from tests.exactness.failing_store import METHODS, Crash, FailingStore, Moment, Trigger
from tests.exactness.naive import leftovers, read_history
from tests.exactness.oracle import EXTERNAL, FRESH, MISSING, Oracle
from tests.exactness.outsider import Outsider
from tests.exactness.small_project import KEYS, UPSTREAMS, definitions, keys_of

ASSETS = tuple(UPSTREAMS)

assets = st.sampled_from(ASSETS)
keys = st.sampled_from(KEYS)
favourites = st.sampled_from((KEYS[2], KEYS[3], KEYS[2], KEYS[3], *KEYS))
"""Two days, one of them without rows at first, have more happen to them than others."""
selections = st.one_of(st.just(ASSETS), st.sets(assets, min_size=1).map(tuple), assets.map(lambda name: (f"+{name}",)))
onlies = st.one_of(st.just(DEFAULT_ONLY), st.sets(st.sampled_from(Only), min_size=1).map(frozenset))
spans = st.one_of(st.none(), st.tuples(keys, keys).map(sorted).map(tuple))
moments = st.sampled_from(Moment)
calls = st.sampled_from([1, 1, 2, 2, 3, 5, 8])


class LakeMachine(RuleBasedStateMachine):
    """One lake, and the oracle beside it."""

    @initialize(lake=st.sampled_from(["empty", "full", "scattered", "scattered"]))
    def begin(self, lake: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="deltaworks-machine-"))
        self.lake = self.folder / "lake"
        self.store = Store(self.lake, durable=False)
        self.clock = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
        self.oracle = Oracle(self.lake)
        self.constants = dict.fromkeys(ASSETS, 1)
        self.seen_runs: set[str] = set()
        self.compared: dict[str, object] = {}
        self.outsider = Outsider(self.lake, self.oracle)
        self._define()
        for _ in range(["empty", "full", "scattered"].index(lake)):
            for asset, day in [("raw", KEYS[3]), ("child", KEYS[2])]:
                if asset in self._tables():
                    self.outsider.write(asset, day, "append")
            self._run(self._asked(ASSETS, None), DEFAULT_ONLY, self.store, workers=2)
            self._adopt_runs({asset: set(keys_of(asset)) for asset in ASSETS})

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
        asked = self._asked(ASSETS, None)
        self._run_undisturbed(asked, DEFAULT_ONLY, workers=2)

        self.oracle.look()
        statuses = self.oracle.statuses()
        assert {each for by_key in statuses.values() for each in by_key.values()} <= {FRESH, EXTERNAL}
        assert self.oracle.plan({asset: keys_of(asset) for asset in ASSETS}, DEFAULT_ONLY)[0] == {}

    @rule(asset=assets, named=st.lists(keys, min_size=1, max_size=3, unique=True))
    def materialize(self, asset: str, named: list[str]) -> None:
        partitions = () if asset == "total" else named
        asked = request(self.graph, select(self.graph, [asset]), partitions)
        self._run_undisturbed(asked, frozenset({Only.ALL}), workers=2)

    @rule(asset=assets, constant=st.integers(1, 3))
    def edit(self, asset: str, constant: int) -> None:
        self.constants[asset] = constant
        self._define()

    # What others do.

    @precondition(lambda self: bool(self._tables()))
    @rule(data=st.data(), kind=st.sampled_from(["overwrite", "append", "delete", "delete rows", "beyond"]))
    def write_outside(self, data: st.DataObject, kind: str) -> None:
        asset = data.draw(st.sampled_from(self._tables()), label="asset")
        self.outsider.write(asset, data.draw(favourites, label="day"), kind)

    @precondition(lambda self: bool(self._tables()))
    @rule(data=st.data(), kind=st.sampled_from(["compact", "checkpoint", "vacuum"]))
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
            case _:
                table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)

    @rule(what=st.sampled_from(["_deltaworks", "_deltaworks/index", "_deltaworks/ledger"]))
    def forget(self, what: str) -> None:
        shutil.rmtree(self.lake / what, ignore_errors=True)

    @precondition(lambda self: len(self._tables()) > 2)
    @rule(data=st.data(), sure=st.integers(0, 3))
    def drop(self, data: st.DataObject, sure: int) -> None:
        if sure == 0:
            shutil.rmtree(self.lake / data.draw(st.sampled_from(self._tables()), label="asset"))

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

    @precondition(lambda self: bool(self._tables()))
    @rule(
        data=st.data(),
        only=onlies,
        place=st.sampled_from([("put_new", Moment.BEFORE), ("sync_file", Moment.AFTER), ("put_new", Moment.AFTER)]),
        kind=st.sampled_from(["overwrite", "append", "delete", "compact"]),
    )
    def meddle(self, data: st.DataObject, only: frozenset[Only], place: tuple[str, Moment], kind: str) -> None:
        asked = self._asked(ASSETS, None)
        only, planned = self._something_to_do(asked, only)
        there = sorted(set(planned) & set(self._tables())) or self._tables()
        asset = data.draw(st.sampled_from(there), label="asset")
        day = data.draw(st.sampled_from(sorted(planned.get(asset, set()) & set(KEYS)) or KEYS), label="day")
        written: list[int] = []

        def act() -> None:
            if kind == "compact":
                DeltaTable(str(self.lake / asset)).optimize.compact()
            elif self.outsider.write(asset, day, kind):
                written.append(read_history(self.lake / asset).version)

        method, moment = place
        trigger = Trigger(method, 1, moment, act, below=f"{asset}/")
        with suppress(RequestError):
            self._run(asked, only, FailingStore(self.lake, False, trigger), workers=1)
        event(f"meddled: {kind} {moment} {method}" if written else f"meddled in vain: {kind}")
        (run_id,) = self._adopt_runs(planned) or {""}
        if kind != "delete" and Only.EXTERNAL not in only:
            for key, change in read_history(self.lake / asset).materializations():
                is_lost = change.run_id == run_id and written and change.version > written[0]
                assert not (is_lost and key == ("" if asset == "total" else day)), "it overwrote what it had not seen"

    # What must hold after each step.

    @invariant()
    def the_lake_is_what_the_oracle_says(self) -> None:
        self.oracle.look()
        seen = observe(self.graph, self.store)
        statuses = {
            str(key): {each.node.partitions.key(number): Status(value).word for number, value in enumerate(each.status)}
            for key, each in seen.status.items()
        }
        assert statuses == self.oracle.statuses()
        for key, each in seen.status.items():
            failed = {each.node.partitions.key(number) for number in each.state.failed}
            assert failed == self.oracle.failed(str(key)) & set(keys_of(str(key)))
        asked = self._asked(ASSETS, None)
        assert self._parts(plan(self.graph, seen.status, asked, DEFAULT_ONLY)) == self._expected(asked, DEFAULT_ONLY)
        for asset in self._tables():
            self._compare_rows(asset)

    def _compare_rows(self, asset: str) -> None:
        history = self.oracle.histories[asset]
        if self.compared.get(asset) == (history.table_id, history.version):
            return
        self.compared[asset] = (history.table_id, history.version)
        expected = sorted((key, *row) for key, rows in self.oracle.rows(asset).items() for row in rows)
        day = pl.lit("") if asset == "total" else pl.col("day").dt.to_string("%Y-%m-%d")
        for df in (pl.read_delta(str(self.lake / asset)), scan_table(Table.read(self.store, asset)).collect()):
            assert sorted(df.select(day, "i", "n").rows()) == expected
        assert all((self.lake / asset / file).is_file() for file in history.live)
        strays = [file for file in leftovers(self.lake / asset, history) if not file.startswith("_")]
        assert all(any(run in file for run in self.seen_runs) for file in strays), strays

    def _define(self) -> None:
        self.definitions = definitions(self.constants)
        self.graph = build_graph(self.definitions, self.clock)
        for asset, constant in self.constants.items():
            self.oracle.edited(asset, self.graph.node(asset).code, constant)

    def _now(self) -> dt.datetime:
        self.clock += dt.timedelta(seconds=1)
        return self.clock

    def _tables(self) -> list[str]:
        return [asset for asset in ASSETS if (self.lake / asset / "_delta_log" / f"{0:020d}.json").exists()]

    def _live(self, asset: str) -> list[str]:
        return list(read_history(self.lake / asset).live.values())

    def _something_to_do(self, asked: Request, only: frozenset[Only]) -> tuple[frozenset[Only], dict[str, set[str]]]:
        """Ask for everything where there would be nothing to do; return what is planned, too."""
        planned = self._expected(asked, only)[0]
        if planned:
            return only, planned
        return frozenset({Only.ALL}), self._expected(asked, frozenset({Only.ALL}))[0]

    def _asked(self, selected: tuple[str, ...], span: tuple[str, str] | None) -> Request:
        chosen = select(self.graph, selected)
        if list(map(str, chosen)) == ["total"]:
            span = None
        return request(self.graph, chosen, (), *(span or (None, None)))

    def _expected(self, asked: Request, only: frozenset[Only]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
        return self.oracle.plan(self._spelled(asked.partitions), {each.value for each in only})

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
        planned, left_out = self._expected(asked, only)
        partitioned = {asset for asset in left_out if asset != "total"}
        statuses = self.oracle.statuses()
        wanted = {statuses[asset][key] for asset, part in self._spelled(asked.partitions).items() for key in part}
        if (asked.names_partitions and partitioned) or (left_out and not planned and wanted == {MISSING}):
            with pytest.raises(RequestError, match="Cannot make"):
                self._run(asked, only, self.store, workers)
            event("refused")
            return
        seen = observe(self.graph, self.store)
        decided = plan(self.graph, seen.status, asked, only)
        assert self._parts(decided) == (planned, left_out)
        report = self._launch(seen, decided, self.store, workers)
        if report is None:
            assert planned == {}
            return
        event("partly left out" if left_out else "ran whole")
        entry, count = report.entry, sum(map(len, planned.values()))
        assert (entry.status, entry.materialized, entry.failed) == (RunStatus.SUCCESS, count, 0)
        assert entry.skipped == sum(map(len, left_out.values()))
        assert self._adopt_runs(planned) == {entry.run_id}
        histories = {asset: read_history(self.lake / asset) for asset in ASSETS}
        made = {asset: history.made_by(entry.run_id) for asset, history in histories.items()}
        assert {asset: each for asset, each in made.items() if each} == {
            asset: sorted(part) for asset, part in planned.items()
        }

    def _adopt_runs(self, planned: Mapping[str, set[str]]) -> set[str]:
        """Note the runs that are new, each of which made some of what was planned, and nothing twice."""
        new: set[str] = set()
        ledger = (self.lake / "_deltaworks" / "ledger" / "runs").rglob("*.json")
        new |= {file.stem for file in ledger if not file.name.startswith(".")} - self.seen_runs
        for asset in ASSETS:
            history = read_history(self.lake / asset)
            for run_id in {run for run in history.runs.values() if run} - self.seen_runs:
                made = history.made_by(run_id)
                assert len(set(made)) == len(made), "a run makes nothing twice"
                assert set(made) <= planned.get(asset, set())
                new.add(run_id)
        assert len(new) <= 1
        self.seen_runs |= new
        return new


def _check(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        LakeMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=False,
            print_blob=True,
            phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_engine_agrees_with_a_naive_oracle_whatever_happens() -> None:
    _check(examples=27, steps=20)


@pytest.mark.soak
def test_the_engine_agrees_with_a_naive_oracle_for_long() -> None:
    _check(examples=400, steps=50)
