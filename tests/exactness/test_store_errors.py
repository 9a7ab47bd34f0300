"""Every call that a run makes to its store fails once, in turn: nothing is lost, and the next run mends it.

The same store lets somebody else write at exactly the wrong moment.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.report import RunReport
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.plan import DEFAULT_ONLY, Only
from deltaworks.engine.planning.status import Status
from deltaworks.errors import StorageError
from deltaworks.io.run_entry import RunStatus
from deltaworks.io.store import Store
from tests.campaign.recorder import recorded
from tests.exactness.failing_store import METHODS, FailingStore, Moment, Trigger
from tests.exactness.naive import read_history
from tests.exactness.oracle import Oracle
from tests.exactness.running import NOW, run
from tests.exactness.small_project import UPSTREAMS, definitions, keys_of

SAME = dict.fromkeys(UPSTREAMS, 1)
GRAPH = build_graph(definitions(SAME), NOW)


def run_all(
    store: Store, constants: Mapping[str, int] = SAME, only: frozenset[Only] = DEFAULT_ONLY
) -> RunReport | StorageError:
    """Make everything that is not up to date, or what else is asked for."""
    try:
        return run(definitions(constants), store, only=only)
    except StorageError as error:
        return error


def went_well(report: RunReport | StorageError) -> bool:
    return isinstance(report, RunReport) and report.entry.status is RunStatus.SUCCESS


def look(lake: Path) -> set[str]:
    """Compare a lake with what the oracle says; return the statuses in it."""
    oracle = Oracle(lake)
    for asset in UPSTREAMS:
        oracle.edited(asset, GRAPH.node(asset).code, 1)
    oracle.look()
    status = observe(GRAPH, Store(lake, durable=False)).status
    found = {
        str(key): {each.node.partitions.key(number): Status(value).word for number, value in enumerate(each.status)}
        for key, each in status.items()
    }
    assert found == oracle.statuses()
    for asset, history in oracle.histories.items():
        if history.table_id is None:
            continue
        expected = sorted((key, *row) for key, rows in oracle.rows(asset).items() for row in rows)
        day = pl.lit("") if asset == "total" else pl.col("day").dt.to_string("%Y-%m-%d")
        assert sorted(pl.read_delta(str(lake / asset)).select(day, "i", "n").rows()) == expected
        made = [key for key, _ in history.materializations()]
        assert len(set(made)) == len(made), f"{asset}: nothing was made twice"
    return {each for by_key in found.values() for each in by_key.values()}


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """How often an undisturbed run calls each method."""
    trigger = Trigger("", 0, Moment.BEFORE)
    assert went_well(run_all(FailingStore(tmp_path_factory.mktemp("sound") / "lake", False, trigger)))
    return trigger.calls


def some_of(calls: int) -> Iterator[int]:
    """The numbers of some calls, the first ones and ever fewer."""
    number = 1
    while number <= calls:
        yield number
        number += 1 + number


def fail_and_mend(lake: Path, method: str, number: int, moment: Moment) -> None:
    """Let one call of a run fail, and run again."""

    def fail() -> None:
        raise StorageError(f"{method} failed")

    run_all(FailingStore(lake, False, Trigger(method, number, moment, fail)))

    look(lake)
    assert went_well(run_all(Store(lake, durable=False))), f"after the failure of call {number}"
    assert look(lake) == {"fresh"}
    assert {asset: set(read_history(lake / asset).changes) for asset in UPSTREAMS} == {
        asset: set(keys_of(asset)) for asset in UPSTREAMS
    }


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.AFTER])
@pytest.mark.parametrize("method", METHODS)
def test_a_call_that_fails_costs_at_most_a_second_run(
    method: str, moment: Moment, calls: dict[str, int], tmp_path: Path
) -> None:
    for number in some_of(calls.get(method, 0)):
        fail_and_mend(tmp_path / str(number), method, number, moment)


@pytest.mark.soak
@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.AFTER])
@pytest.mark.parametrize("method", METHODS)
def test_whichever_call_fails_it_costs_at_most_a_second_run(
    method: str, moment: Moment, calls: dict[str, int], tmp_path: Path
) -> None:
    with recorded("every store call of a run fails once") as row:
        for number in range(1, calls.get(method, 0) + 1):
            with row.one():
                fail_and_mend(tmp_path / str(number), method, number, moment)


def test_what_is_deleted_meanwhile_is_not_read_as_if_it_had_no_rows(tmp_path: Path) -> None:
    assert went_well(run_all(Store(tmp_path, durable=False)))
    before = read_history(tmp_path / "child")

    def delete() -> None:
        DeltaTable(str(tmp_path / "raw")).delete("day = '2024-01-04'")

    store = FailingStore(tmp_path, False, Trigger("put_new", 1, Moment.BEFORE, delete))
    run_all(store, constants={**SAME, "raw": 2}, only=frozenset({Only.STALE}))

    after = read_history(tmp_path / "child")
    assert after.version > before.version, "the other days were made again"
    assert after.last("2024-01-04") == before.last("2024-01-04"), "there is nothing to make it from"


def test_what_the_run_did_not_mean_to_make_and_is_deleted_meanwhile_is_not_read_either(tmp_path: Path) -> None:
    assert went_well(run_all(Store(tmp_path, durable=False)))
    raw = str(tmp_path / "raw")
    DeltaTable(raw).delete("day = '2024-01-01'")

    def delete() -> None:
        DeltaTable(raw).delete("day = '2024-01-04'")

    trigger = Trigger("put_new", 1, Moment.BEFORE, delete, below="raw/")
    report = run_all(FailingStore(tmp_path, False, trigger), constants={**SAME, "child": 2})

    assert isinstance(report, RunReport)
    assert report.entry.failures == ()
    told = {(str(each.asset), each.key, each.because) for each in report.blocked}
    assert told >= {("window", "2024-01-04", "raw 2024-01-04"), ("total", "", "window 2024-01-04")}
    made = read_history(tmp_path / "window").last("2024-01-04")
    gone = read_history(tmp_path / "raw").last("2024-01-04")
    assert made is not None
    assert gone is not None
    assert not gone.has_files
    assert all(pin["version"] < gone.version for pin in made.inputs.values() if pin["asset"] == "raw")


def test_failures_of_a_table_that_was_dropped_do_not_come_up_again(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    mine = pl.DataFrame({"day": [dt.date(2024, 1, 4)], "i": [1], "n": [1]})

    def overwrite() -> None:
        write_deltalake(str(raw), mine, mode="overwrite", predicate="day = '2024-01-04'")

    assert went_well(run_all(Store(tmp_path, durable=False)))
    for _ in range(3):
        overwrite()
    trigger = Trigger("put_new", 1, Moment.BEFORE, overwrite, below="raw/")
    assert not went_well(run_all(FailingStore(tmp_path, False, trigger), only=frozenset({Only.ALL})))
    shutil.rmtree(raw)
    assert went_well(run_all(Store(tmp_path, durable=False)))
    for _ in range(4):
        write_deltalake(str(raw), mine.with_columns(day=dt.date(2024, 1, 1)), mode="append")

    state = observe(GRAPH, Store(tmp_path, durable=False)).status[GRAPH.node("raw").key].state

    assert not state.failed
