"""Sources in one process: what an answer may be, what counts as a change, and who is first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.definitions import Definitions
from deltaworks.engine.execution.observe import observe
from deltaworks.engine.execution.sources import MAX_TRIES, Observations, observe_sources
from deltaworks.engine.planning.graph import build_graph
from deltaworks.engine.planning.plan import plan
from deltaworks.engine.planning.request import request
from deltaworks.engine.planning.status import Status
from deltaworks.errors import RequestError, RunError
from deltaworks.io.ledger import read_runs
from deltaworks.io.record import Kind
from deltaworks.io.run_entry import RunStatus
from deltaworks.io.store import Store
from deltaworks.io.table import Table

NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
KEYS = ("a/b", "ü, 100%", "c")
keys = dw.StaticPartitions(KEYS)
hours = dw.HourlyPartitions(start="2013-11-03", end="2013-11-04", timezone="America/New_York")


def source(answer: Callable[[], Any], partitions: Any = keys) -> Asset[..., Any]:
    @dw.observable_source(partitions=partitions)
    def api() -> Any:
        return answer()

    return api


def look(lake: Path, *assets: Asset[..., Any], now: dt.datetime = NOW) -> Observations:
    """Observe all sources among some assets."""
    definitions = Definitions(assets)
    graph = build_graph(definitions, now)
    return observe_sources(
        definitions,
        graph,
        Store.at(str(lake)),
        graph.sources_above(graph.nodes),
        command="test",
        environ={},
        now=lambda: now,
        tell=lambda _: None,
    )


def raises() -> Mapping[str, int]:
    return {"a/b": {}["none"]}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (raises, "KeyError: 'none'"),
        (lambda: {1: 1}, "the function returned int as a partition key, expected text"),
        (lambda: [("c", 1)], "the function returned list, expected the version of each partition by key"),
        (lambda: "v1", "the function returned str, expected the version of each partition by key"),
        (lambda: {"c": None}, "the function returned None for c, expected a version: text or an integer"),
        (lambda: {"c": True}, "the function returned bool for c, expected a version"),
        (lambda: {"c": 1.5}, "the function returned float for c, expected a version"),
        (lambda: {"c": ""}, "the function returned an empty version for c"),
        (lambda: {"c": "\ud800"}, "which is no valid Unicode"),
    ],
)
def test_an_answer_that_is_none_is_told_with_its_place(tmp_path: Path, answer: Callable[[], Any], problem: str) -> None:
    seen = look(tmp_path, source(answer))

    (found,) = seen.sources
    assert found.error is not None
    assert found.error.startswith("api: ")
    assert problem in found.error
    assert f"({__file__}:" in found.error
    assert seen.entry is not None
    assert (seen.entry.status, seen.entry.kind, seen.entry.failures[0].error) == (
        RunStatus.FAILURE,
        Kind.OBSERVE,
        found.error,
    )
    assert not (tmp_path / "api").exists()


@pytest.mark.parametrize("answer", [lambda: {"": 1}, lambda: None, lambda: ""])
def test_a_source_without_partitions_has_one_version(tmp_path: Path, answer: Callable[[], Any]) -> None:
    (found,) = look(tmp_path, source(answer, None)).sources

    assert found.error is not None
    assert "version" in found.error


def test_an_instant_may_be_spelled_with_any_offset_but_once(tmp_path: Path) -> None:
    spelled = {"2013-11-03T05:30Z": 1, "2013-11-03T05:00Z": 2, "2013-11-03T01:00-05:00": 3}
    (found,) = look(tmp_path, source(lambda: spelled, hours)).sources
    (twice,) = look(tmp_path, source(lambda: spelled | {"2013-11-03T06:00Z": 4}, hours)).sources

    assert found.changed == ("2013-11-03T01:00-04:00", "2013-11-03T01:00-05:00")
    assert found.ignored == ("2013-11-03T05:30Z",)
    assert twice.error is not None
    assert "twice" in twice.error


def test_a_run_is_noted_only_for_what_changed(tmp_path: Path) -> None:
    versions: dict[str, Any] = {"a/b": 1, "c": "x"}
    api = source(lambda: versions)
    first, again = look(tmp_path, api), look(tmp_path, api)
    versions.pop("c")
    gone = look(tmp_path, api, now=NOW + dt.timedelta(days=1))

    assert [seen.sources[0].version for seen in (first, again, gone)] == [1, None, 2]
    assert gone.sources[0].gone == ("c",)
    assert again.entry is None
    runs = read_runs(Store.at(str(tmp_path)))
    assert [(run.kind, run.replaced, run.commits) for run in runs] == [(Kind.OBSERVE, 2, 1), (Kind.OBSERVE, 1, 1)]


def test_whoever_is_second_looks_again(tmp_path: Path) -> None:
    answers = [1]

    def answer() -> dict[str, int]:
        if len(answers) == 1:
            answers.append(2)
            look(tmp_path, source(lambda: {"a/b": 7, "c": 7}))
        return {"a/b": answers[-1], "c": 7}

    (found,) = look(tmp_path, source(answer)).sources

    assert (found.version, found.changed) == (2, ("a/b",))
    assert dw.read("api", lake=tmp_path).collect()["version"].to_list() == ["2", "7"]


def test_whoever_is_always_second_gives_up(tmp_path: Path) -> None:
    numbers = iter(range(100))
    other = source(lambda: {"c": next(numbers)})

    def answer() -> dict[str, int]:
        look(tmp_path, other)
        return {"c": -1}

    look(tmp_path, other)
    (found,) = look(tmp_path, source(answer)).sources

    assert found.error is not None
    assert f"others observed it {MAX_TRIES} times in a row" in found.error
    assert Table.read(Store.at(str(tmp_path)), "api").version == 1 + MAX_TRIES


def test_what_is_made_from_it_reads_its_own_rows(tmp_path: Path) -> None:
    versions: dict[str, Any] = {"a/b": 1, "ü, 100%": "x"}

    class Answer(dw.Resource):
        factor: int

    @dw.observable_source(partitions=keys)
    def api(answer: Answer, log: dw.Logger) -> dict[str, int | str]:
        log.info("asked")
        return {key: version * answer.factor for key, version in versions.items()}

    @dw.asset(partitions=keys, partition_by="partition")
    def calls(api: pl.LazyFrame) -> pl.LazyFrame:
        return api.drop("observed_at")

    @dw.asset
    def count(api: pl.DataFrame) -> pl.LazyFrame:
        return pl.LazyFrame({"n": [api.height]})

    resources = {"answer": Answer(factor=2)}
    with pytest.raises(RequestError, match="Cannot make calls c: it is made from api c, which was not there"):
        dw.materialize([api, calls, count], lake=tmp_path, resources=resources, partition="c")
    report = dw.materialize([api, calls], lake=tmp_path, resources=resources)

    assert [each.version for each in report.observed] == [None], "the first call observed it"
    assert (report.entry.materialized, report.entry.skipped) == (2, 1)
    assert dw.read(calls, lake=tmp_path).collect().sort("partition").rows() == [("a/b", "2"), ("ü, 100%", "xx")]
    assert dw.read(api, lake=tmp_path, partition="a/b").collect()["version"].to_list() == ["2"]
    versions["c"] = None
    with pytest.raises(RunError, match="api: TypeError"):
        dw.materialize([api, calls], lake=tmp_path, resources=resources)


def test_a_plan_waits_for_what_was_never_observed_though_other_upstreams_are_missing(tmp_path: Path) -> None:
    ext = dw.external_asset("ext", uri=str(tmp_path / "theirs"))
    api = source(lambda: {"c": 1})

    @dw.asset
    def theirs(ext: pl.LazyFrame) -> pl.LazyFrame:
        return ext

    @dw.asset(partitions=keys, partition_by="partition")
    def calls(api: pl.LazyFrame) -> pl.LazyFrame:
        return api

    definitions = Definitions([ext, api, theirs, calls])
    graph = build_graph(definitions, NOW)
    found = observe(graph, Store.at(str(tmp_path / "lake"))).status
    decided = plan(graph, found, request(graph, list(graph.nodes)))
    report = dw.materialize([ext, api, theirs, calls], lake=tmp_path / "lake")

    assert decided.steps == ()
    assert {str(left.asset): left.reason(graph) for left in decided.left_out} == {
        "theirs": f"it is made from ext, which is missing; others write it at {tmp_path / 'theirs'}",
        "calls": "nothing has been observed of api",
    }
    assert (report.entry.materialized, report.entry.skipped) == (1, 3)
    with pytest.raises(RequestError, match="Cannot make theirs: it is made from ext, which is missing"):
        plan(graph, found, request(graph, [theirs.key]))


def test_thousands_of_partitions_are_one_file_and_one_row_changes(tmp_path: Path) -> None:
    many = dw.StaticPartitions([f"k/{number}" for number in range(10_000)])
    versions = {f"k/{number}": 1 for number in range(10_000)}
    api = source(lambda: versions, many)

    @dw.asset(partitions=many, partition_by="partition")
    def calls(api: pl.LazyFrame) -> pl.LazyFrame:
        return api

    look(tmp_path, api)
    versions["k/77"] = 2
    (found,) = look(tmp_path, api).sources

    store = Store.at(str(tmp_path))
    status = observe(build_graph(Definitions([api, calls]), NOW), store).status
    assert found.changed == ("k/77",)
    assert status[api.key].count(Status.FRESH) == 10_000
    assert len([path for path in store.list("api") if path.endswith(".parquet")]) == 2
    assert Table.read(store, "api").changed_at("k/77") == 2
