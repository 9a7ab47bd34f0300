"""Sensors as their authors write them: what is taken, and what is refused with file and line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.definitions.automation.sensor import CommitsOf, FilesOf, RunsOf
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.sensor_fit import refuse_unfit_sensors
from deltaworks.engine.workspace.loading import load_file
from deltaworks.errors import InvalidDefinition
from tests.acceptance.lake import NOW


class Mail(dw.Resource):
    to: str


@dw.asset
def orders() -> pl.LazyFrame:
    return pl.LazyFrame({"n": [1]})


load = dw.define_asset_job("load", "orders")
lod = dw.define_asset_job("lod", "orders")


def test_a_sensor_stays_a_function() -> None:
    @dw.sensor
    def new_orders(tick: dw.Tick) -> dw.SkipReason:
        """Ask for what is new."""
        return dw.SkipReason(f"nothing after {tick.cursor}")

    found = new_orders(dw.Tick("new_orders", NOW, cursor="7"))

    assert found == dw.SkipReason("nothing after 7")
    assert (new_orders.name, new_orders.kind, new_orders.asked.told) == ("new_orders", "sensor", {"tick": dw.Tick})
    assert new_orders.description == "Ask for what is new."
    assert new_orders.where.file == __file__


def test_each_kind_is_told_what_it_watches_by_the_type_of_an_argument() -> None:
    @dw.asset_sensor(asset=orders, job=load, operations=["write"], written_by="outside", partitions=["a"])
    def on_commits(commits: dw.Commits, tick: dw.Tick, mail: Mail, log: dw.Logger) -> None: ...

    @dw.multi_asset_sensor(assets=[orders, "raw/returns"], job=load)
    def on_either(changed: Mapping[str, dw.Commits]) -> None: ...

    @dw.file_sensor("inbox/*.csv", job=load)
    def on_files(arrivals: dw.Arrivals) -> None: ...

    @dw.run_status_sensor(status="success", jobs=[load])
    def on_success(run: dw.Run) -> None: ...

    @dw.run_failure_sensor()
    def on_failure(run: dw.Run) -> None: ...

    watched = on_commits.watches
    assert isinstance(watched, CommitsOf)
    assert (watched.operations, watched.written_by) == ({dw.Operation.WRITE}, dw.WrittenBy.OUTSIDE)
    assert watched.partitions is not None
    assert [watched.partitions(key) for key in "ab"] == [True, False]
    assert on_commits.asked.told == {"commits": dw.Commits, "tick": dw.Tick}
    assert (on_commits.asked.resources, on_commits.asked.logger) == ({"mail": Mail}, "log")
    assert isinstance(on_either.watches, CommitsOf)
    assert list(map(str, on_either.watches.assets)) == ["orders", "raw/returns"]
    assert isinstance(on_files.watches, FilesOf)
    assert on_files.watches.files.base == str(Path(__file__).parent / "inbox")
    assert on_success.watches == RunsOf(frozenset({dw.RunStatus.SUCCESS}), frozenset({"load"}))
    assert on_failure.watches == RunsOf(frozenset({dw.RunStatus.FAILURE, dw.RunStatus.LOST}), None)
    kinds = [each.kind for each in (on_commits, on_either, on_files, on_success)]
    assert kinds == ["asset", "multi asset", "file", "run status"]


def given(**manner: Any) -> Any:
    return lambda: dw.sensor(**manner)(lambda: None)


def untold(commits: Any) -> None: ...


async def later() -> None: ...


@pytest.mark.parametrize(
    ("define", "sentence"),
    [
        (given(interval_s=0, name="s"), "interval_s must be more than 0 and at most 86,400 seconds, not 0"),
        (given(timeout_s=-1, name="s"), "timeout_s must be more than 0 and at most 3,600 seconds, not -1"),
        (given(name="a b"), "its name starts with a letter or a digit"),
        (given(job=7, name="s"), "job must be a job, made by @job, to_job or define_asset_job, not 7"),
        (lambda: dw.sensor(later), "the function is async, but its answer is needed at once"),
        (lambda: dw.sensor(untold), "argument 'commits' must be annotated as Tick, Logger or a subclass of Resource"),
        (lambda: dw.asset_sensor(asset=orders)(untold), "must be annotated as Commits, Tick, Logger or a subclass"),
        (lambda: dw.asset_sensor(asset="not a key")(untold), "not a key"),
        (lambda: dw.asset_sensor(asset=orders, operations=["merge"]), "operations has 'merge'; there are materialize"),
        (lambda: dw.asset_sensor(asset=orders, written_by="me"), "written_by='me' must be 'ours' or 'outside'"),
        (lambda: dw.asset_sensor(asset=orders, partitions="a"), "partitions='a' must be a list of keys"),
        (lambda: dw.multi_asset_sensor(assets=[]), "assets is empty"),
        (lambda: dw.file_sensor("inbox/"), "must name files"),
        (lambda: dw.file_sensor("inbox/*", settle_s=-1), "settle_s=-1 must be between 0 and timeout_s=60"),
        (lambda: dw.run_status_sensor(status="running"), "status='running' is no end of a run; a run ends as success"),
        (lambda: dw.run_status_sensor(status="success", jobs=[]), "jobs is empty"),
    ],
)
def test_what_makes_no_sense_is_refused_with_file_and_line(define: Any, sentence: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        define()

    assert sentence in str(refused.value)
    assert refused.value.where is not None
    assert refused.value.where.file == __file__


def test_sensors_are_collected_and_two_of_one_name_are_refused(tmp_path: Path) -> None:
    text = """
import deltaworks as dw

@dw.asset_sensor(asset="orders")
def on_orders(commits: dw.Commits) -> None: ...
"""
    (tmp_path / "one.py").write_text(text)
    (tmp_path / "hidden.py").write_text(text + text)

    one = load_file(tmp_path / "one.py")
    with pytest.raises(InvalidDefinition, match=r"hidden.py:4: sensor 'on_orders' is not held by any name"):
        load_file(tmp_path / "hidden.py")
    again = load_file(tmp_path / "one.py")

    assert list(one.sensors) == ["on_orders"]
    assert dw.Definitions.merge(one, one).sensors == one.sensors
    with pytest.raises(InvalidDefinition, match="sensor 'on_orders' is defined twice; the other definition is at"):
        dw.Definitions.merge(one, again)
    with pytest.raises(InvalidDefinition, match="sensor 'on_orders' is defined twice"):
        dw.Definitions(
            schedules=[dw.define_schedule("on_orders", job=load, cron="0 0 * * *")], sensors=one.sensors.values()
        )
    with pytest.raises(InvalidDefinition, match=r"among the sensors is none; decorate its function with @sensor"):
        dw.Definitions(sensors=[untold])  # type: ignore[list-item]


@dw.view
def late(orders: pl.LazyFrame) -> pl.LazyFrame:
    return orders


@pytest.mark.parametrize(
    ("sensor", "sentence"),
    [
        (dw.asset_sensor(asset="order"), "watches 'order', but no asset has that key. Did you mean 'orders'?"),
        (dw.asset_sensor(asset=late), "watches 'late', which is a view and has no commits"),
        (dw.run_failure_sensor(jobs=[lod]), "watches job 'lod', but no job has that name. Did you mean 'load'?"),
    ],
)
def test_what_the_project_lacks_is_refused(sensor: Any, sentence: str) -> None:
    def watch() -> None: ...

    definitions = dw.Definitions([orders, late], jobs=[load], sensors=[sensor(watch)])

    with pytest.raises(InvalidDefinition) as refused:
        refuse_unfit_sensors(definitions, build_graph(definitions, NOW))

    assert sentence in str(refused.value)
    assert str(refused.value).startswith(__file__)


def test_a_resource_that_is_not_given_is_told_at_load() -> None:
    @dw.sensor
    def ask(mail: Mail) -> None: ...

    with pytest.raises(InvalidDefinition, match="sensor 'ask' asks for a Mail as 'mail', but there is none"):
        dw.Definitions(sensors=[ask]).refuse_missing_resources()

    mail = Mail(to="us")
    assert dw.Definitions(sensors=[ask], resources={"m": mail}).resources_asked("sensor", ask.asked) == {"mail": mail}
