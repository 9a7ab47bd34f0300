"""Config of assets: typed, given by file and option, validated before anything starts, kept, and counted if asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import SecretStr

import deltaworks as dw
from deltaworks.errors import InvalidDefinition, RequestError
from deltaworks.io.ledger import read_runs
from deltaworks.io.store import Store
from tests.acceptance.conftest import Here

TABLES = """
import polars as pl
import deltaworks as dw

class Limits(dw.Config):
    most: int = 3
    names: list[str] = []

class Needed(dw.Config):
    url: str

@dw.asset(config_counts=True)
def small(limits: Limits) -> pl.LazyFrame:
    return pl.LazyFrame({"n": range(limits.most)})

@dw.asset(name="raw/v1.2", config=Needed(url="here"))
def raw(needed: Needed) -> pl.LazyFrame:
    return pl.LazyFrame({"url": [needed.url]})

@dw.asset
def bare(needed: Needed) -> pl.LazyFrame:
    return pl.LazyFrame({"url": [needed.url]})

@dw.asset(retry=dw.RetryPolicy(max_retries=0))
def below(small: pl.LazyFrame) -> pl.LazyFrame:
    return small.select(pl.len().cast(pl.Int64).alias("rows"))

nightly = dw.define_asset_job("nightly", selection=["small", "bare"], config={"bare": {"url": "there"}})
"""


def rows(here: Here, asset: str) -> Any:
    return here.run("show", asset, "--json").json["rows"]


def statuses(here: Here) -> dict[str, str]:
    found = here.status()
    return {
        asset: next(word for word in ("fresh", "stale", "missing") if each["partitions"][word])
        for asset, each in found.items()
    }


def test_config_comes_from_the_project_a_job_a_file_and_an_option_and_the_ledger_keeps_it(here: Here) -> None:
    here.write("tables.py", TABLES)
    here.write("run.toml", '["raw/v1.2"]\nurl = "file"\n[small]\nmost = 5\nnames = ["a"]\n')

    by_file = here.run("materialize", "small", "raw/v1.2", "--config", f"{here.folder}/run.toml", "--json")
    kept = here.run("runs", "show", "latest", "--json").json
    by_option = here.run(
        "materialize", "small", "raw/v1.2", "--config", "small.most=4", "--config", "raw/v1.2.url=option"
    )
    by_job = here.run("job", "run", "nightly", "--config", "small.most=2")

    assert [by_file.code, by_option.code, by_job.code] == [0, 0, 0], (by_file.err, by_option.err, by_job.err)
    assert kept["config"] == {"small": {"most": 5, "names": ["a"]}, "raw/v1.2": {"url": "file"}}
    assert rows(here, "raw/v1.2") == [{"url": "option"}]
    assert rows(here, "bare") == [{"url": "there"}]
    assert [each["rows"] for each in here.run("history", "small", "--json").json] == [2, 4, 5]


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("small.most=many", "--config small.most=many: config field small.most: Input should be a valid integer"),
        ("small.least=1", "asset 'small' has no config field 'least'. It has most, names."),
        ("smal.most=1", "there is no asset 'smal' that takes config. Did you mean 'small'?"),
        ("below.most=1", "there is no asset 'below' that takes config."),
        ("bad.toml", "bad.toml: config field small.most: Input should be a valid integer"),
        ("most=1", "a key is an op or an asset and a field"),
    ],
)
def test_config_that_does_not_fit_is_refused_before_anything_starts(here: Here, config: str, sentence: str) -> None:
    here.write("tables.py", TABLES)
    here.write("bad.toml", '[small]\nmost = "x"\n')

    done = here.run("backfill", "small", "--config", config.replace("bad.toml", f"{here.folder}/bad.toml"))

    assert done.code == 2
    assert sentence in done.sentence
    assert not here.lake.exists()


def test_a_job_that_configures_what_takes_no_config_is_found_by_check_and_not_run(here: Here) -> None:
    here.write("tables.py", TABLES.replace('config={"bare"', 'config={"below"'))

    (problem,) = here.run("check", "--json").json["problems"]
    refused = here.run("job", "run", "nightly")

    assert problem["kind"] == "unfit_job"
    assert "job 'nightly': its config: there is no asset 'below' that takes config." in problem["message"]
    assert (refused.code, "there is no asset 'below' that takes config." in refused.sentence) == (2, True)


def test_a_field_that_nobody_gives_is_asked_for(here: Here) -> None:
    here.write("tables.py", TABLES)

    done = here.run("materialize", "bare")

    assert done.code == 2
    assert done.sentence == (
        "asset 'bare': config field 'url' is missing; give it by --config bare.url=..., or in a file."
    )
    assert here.run("runs", "list", "--json").json == []


def test_a_changed_config_of_the_project_makes_stale_only_what_counts_it(here: Here) -> None:
    here.write("tables.py", TABLES)
    here.run("materialize", "small", "raw/v1.2", "below")
    assert statuses(here) == {"small": "fresh", "raw/v1.2": "fresh", "below": "fresh", "bare": "missing"}

    here.edit("tables.py", "most: int = 3", "most: int = 4")
    here.edit("tables.py", 'url="here"', 'url="elsewhere"')

    assert statuses(here) == {"small": "stale", "raw/v1.2": "fresh", "below": "stale", "bare": "missing"}
    told = here.run("status", "small", "below", "--partitions").out
    assert "config changed: it was made with another one than the project's" in told
    assert "since config changed: it was made with another one" in told
    here.run("backfill", "small", "below")
    assert statuses(here) == {"small": "fresh", "raw/v1.2": "fresh", "below": "fresh", "bare": "missing"}
    assert rows(here, "below") == [{"rows": 4}]


def test_a_materialization_is_run_again_with_the_config_that_it_was_made_with(here: Here) -> None:
    here.write("tables.py", TABLES)
    here.run("materialize", "small", "--config", "small.most=7")

    same = here.run("rerun", "small@v1", "--verify", "--json")
    for entry in (here.lake / "_deltaworks" / "ledger" / "runs").rglob("*.json"):
        entry.write_text(json.dumps(json.loads(entry.read_text()) | {"config": {}}))
    lost = here.run("rerun", "small@v1", "--verify")

    assert same.code == 0, same.out
    assert "the ledger does not keep that of run" in lost.sentence


def test_a_run_that_is_retried_goes_on_with_the_config_that_it_began_with(here: Here) -> None:
    here.write(
        "tables.py", TABLES.replace("range(limits.most)}", 'range(limits.most)} if limits.most > 3 else {"n": fails}')
    )
    failed = here.run("materialize", "small", "--config", "small.most=2")

    here.edit("tables.py", '{"n": fails}', '{"n": range(limits.most)}')
    again = here.run("runs", "retry", "latest", "--json")

    assert (failed.code, again.code) == (1, 0), again.err
    assert len(rows(here, "small")) == 2


def test_a_job_that_is_tried_again_keeps_the_config_that_its_run_was_given(here: Here) -> None:
    job = 'job = dw.define_asset_job("job", ["small", "bare"], config={"small": {"most": 2}, "bare": {"url": "there"}})'
    here.write("tables.py", TABLES.replace("[needed.url]})\n\n@dw.asset(retry", "fails})\n\n@dw.asset(retry") + job)

    first = here.run("job", "run", "job", "--run-id", "r1", "--config", "small.most=5")
    here.edit("tables.py", "fails", "[needed.url]")
    again = here.run("job", "run", "job", "--run-id", "r1", "--config", "bare.url=elsewhere")

    assert (first.code, again.code) == (1, 0), again.err
    (entry,) = read_runs(Store.at(str(here.lake)))
    assert entry.config == {"small": {"most": 5, "names": []}, "bare": {"url": "elsewhere"}}
    assert (len(rows(here, "small")), rows(here, "bare")) == (5, [{"url": "elsewhere"}])


class Plain(dw.Config):
    n: int = 1


class Secretive(dw.Config):
    token: SecretStr = SecretStr("x")


class Lacking(dw.Config):
    n: int


def test_config_goes_into_other_processes_and_into_tests(tmp_path: Path) -> None:
    @dw.asset
    def counted(plain: Plain) -> pl.LazyFrame:
        return pl.LazyFrame({"n": [plain.n]})

    dw.materialize([counted], lake=tmp_path, config={"counted": Plain(n=5)})

    assert dw.read(counted, lake=tmp_path).collect().to_dicts() == [{"n": 5}]
    assert counted(Plain(n=2)).collect().item() == 2
    with pytest.raises(RequestError, match=r"config=: config field counted\.n: Input should be a valid integer"):
        dw.materialize([counted], lake=tmp_path, config={"counted": {"n": "many"}})


def test_a_child_process_is_given_the_config_of_the_run(here: Here) -> None:
    here.write("tables.py", TABLES)

    done = here.run("materialize", "small", "--config", "small.most=6", "--executor", "processes", "--workers", "1")

    assert done.code == 0, done.err
    assert len(rows(here, "small")) == 6


def test_definitions_whose_config_makes_no_sense_are_refused() -> None:
    with pytest.raises(InvalidDefinition, match="Secretive has a secret, but config is kept in the ledger"):

        @dw.asset
        def secretive(config: Secretive) -> pl.LazyFrame: ...

    with pytest.raises(InvalidDefinition, match="Lacking has a field without a default"):

        @dw.asset(config_counts=True)
        def lacking(config: Lacking) -> pl.LazyFrame: ...

    with pytest.raises(InvalidDefinition, match="it is given a Plain, but the function takes a Lacking"):

        @dw.asset(config=Plain())
        def other(config: Lacking) -> pl.LazyFrame: ...

    with pytest.raises(InvalidDefinition, match="config_counts=, but the function has no argument that is a Config"):

        @dw.asset(config_counts=True)
        def none() -> pl.LazyFrame: ...

    with pytest.raises(InvalidDefinition, match="is a Config, which only assets and ops are given"):

        @dw.view
        def late(none: pl.LazyFrame, config: Plain) -> pl.LazyFrame: ...
