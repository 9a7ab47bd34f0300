"""What is done to a lake, by the engine and by others, in any order."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from deltalake import DeltaTable
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from deltaworks.engine.execution.repairs.repair import Keys, Repair
from deltaworks.engine.execution.repairs.rollback import roll_back
from deltaworks.engine.execution.repairs.upkeep import Care, maintain
from deltaworks.engine.execution.repairs.wipe import wipe
from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only
from deltaworks.engine.planning.request import Request, request
from deltaworks.engine.planning.selection import select
from deltaworks.errors import FilesGone, RequestError
from deltaworks.io.failpoints import Step, acting
from tests.exactness.failing_store import METHODS, Crash, Death, FailingStore, Moment, Trigger
from tests.exactness.oracle import EXTERNAL, FRESH, STALE
from tests.exactness.project import Row
from tests.exactness.watched_lake import WatchedLake

T = TypeVar("T")


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
UPKEEP = Care(retention=dt.timedelta(0), fold_after=dt.timedelta(days=36_500))
"""At once, but for the ledger, which the oracle reads object by object."""


class LakeMachine(WatchedLake):
    """Does anything to a lake, at any time."""

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

    @rule(selected=selections, step=st.sampled_from(list(Step)), call=calls)
    def crash_at_a_step(self, selected: tuple[str, ...], step: Step, call: int) -> None:
        asked = self._asked(selected, None)
        only, planned = self._something_to_do(asked, DEFAULT_ONLY)
        trigger = Trigger("", 0, Moment.BEFORE)
        try:
            with acting(Death(trigger, step, call)):
                self._run(asked, only, FailingStore(self.lake, False, trigger), workers=1)
        except (Crash, RequestError) as end:
            event(f"crash: {type(end).__name__} at {step}")
        self._adopt_runs(planned)
        self._refresh()

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

    def between(self, places: Sequence[int]) -> tuple[str, str]:
        """Return the ends of a range."""
        return self.project.spans[places[0]], self.project.spans[places[1]]

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

    def _something_to_do(self, asked: Request, only: frozenset[Only]) -> tuple[frozenset[Only], dict[str, set[str]]]:
        """Ask for everything where there would be nothing to do; return what is planned, too."""
        planned = self._expected(asked, only)[0]
        if planned:
            return only, planned
        return frozenset({Only.ALL}), self._expected(asked, frozenset({Only.ALL}))[0]
