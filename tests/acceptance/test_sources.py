"""Sources: what has no log is asked for its version first; what is made from it is stale just where that changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

from tests.acceptance.conftest import Here, Project
from tests.acceptance.observed import answer, counts, lay_out_service, observed, ranges, totals


@pytest.fixture
def service(here: Project) -> Project:
    """An API with 300 partitions, one without, and tables that can be made from them."""
    return lay_out_service(here)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The API and its tables, made; tests work on copies of them."""
    folder = tmp_path_factory.mktemp("service") / "project"
    folder.mkdir()
    made = lay_out_service(Here(folder))
    assert made.run("backfill").code == 0
    return made


@pytest.fixture
def made_service(made_once: Project, tmp_path: Path) -> Project:
    return Here(shutil.copytree(made_once.folder, tmp_path / "made"))


def test_an_observation_without_a_change_commits_nothing_and_notes_no_run(service: Project) -> None:
    made = service.run("backfill", "--json")
    runs = len(service.run("runs", "list", "--json").json)

    again = service.run("backfill", "--json")
    alone = service.run("materialize", "api", "--json")

    assert totals(made)[:3] == (302, 0, 0)
    assert "the API was asked" in made.err
    assert (totals(again), again.json["run_id"], totals(alone), alone.json["run_id"]) == ((0, 0, 0, 0), None) * 2
    assert observed(again)["api"] == {
        "asset": "api",
        "version": None,
        "changed": {"count": 0, "ranges": []},
        "gone": {"count": 0, "ranges": []},
        "ignored": {"count": 0, "some": []},
        "error": None,
    }
    assert "observed: nothing changed in api" in service.run("materialize", "api").out
    assert len(service.run("runs", "list", "--json").json) == runs
    assert service.status()["api"]["version"] == 1


def test_of_hundreds_of_partitions_just_the_changed_ones_are_made_again(made_service: Project) -> None:
    answer(made_service, {str(number): 2 if number % 100 == 7 else 1 for number in range(299)} | {"x": 1, "y": 2})

    made = made_service.run("backfill", "--json")

    seen = observed(made)["api"]
    assert (seen["changed"]["count"], seen["gone"]["ranges"], seen["ignored"]) == (
        3,
        [["299", "299"]],
        {"count": 2, "some": ["x", "y"]},
    )
    assert totals(made) == (3, 0, 1, 2)
    assert made_service.status()["rates"]["partitions"]["fresh"] == 1
    assert "ignored: api: 'x', 'y': no partitions of its definition" in made_service.run("backfill").out


def test_only_the_sources_of_what_is_selected_are_asked(service: Project) -> None:
    made = service.run("backfill", "converted", "--json")
    service.write("rates.txt", "v2")
    nothing = service.run("backfill", "other", "--json")
    by_status = service.run("backfill", "status:stale", "--json")

    assert [list(observed(each)) for each in (made, nothing)] == [["rates"], []]
    assert (totals(by_status)[0], sorted(observed(by_status))) == (1, ["api", "rates"])
    assert pl.read_delta(str(service.lake / "converted")).rows() == [("v2",)]


def test_a_source_that_fails_stops_what_is_made_from_it_and_nothing_else(service: Project) -> None:
    service.write("api.json", "not json")

    made = service.run("backfill", "--json")
    told = service.run("backfill", "calls")

    assert (made.code, made.json["status"]) == (1, "failure")
    assert totals(made)[:3] == (2, 1, 300)
    (failure,) = made.json["failures"]
    assert (failure["asset"], failure["partition"]) == ("api", None)
    place = service.folder / "tables.py"
    assert failure["error"] == f"api: JSONDecodeError: Expecting value: line 1 column 1 (char 0) ({place}:13)"
    assert [each["reason"] for each in made.json["left_out"]] == ["api could not be observed"]
    assert counts(service, "api") == (0, 0, 300)
    assert (told.code, f"failed: {failure['error']}" in told.out) == (1, True)

    answer(service, {"1": 1})
    assert service.run("backfill", "calls", "--partition", "1", "--json").json["status"] == "success"


def test_what_can_only_be_read_tells_the_last_observation(made_service: Project) -> None:
    answer(made_service, {"1": 2})
    before = {path: path.read_bytes() for path in made_service.lake.rglob("*") if path.is_file()}
    shutil.rmtree(made_service.lake / "_deltaworks" / "index")
    (made_service.lake / "_deltaworks" / "index").write_text(
        "no folder", encoding="utf-8"
    )  # so that nobody can write one

    for command in (["status"], ["plan"], ["why", "calls", "--partition", "1"], ["backfill", "--dry-run"]):
        assert made_service.run(*command).code == 0
    planned = made_service.run("plan", "calls", "--json").json
    assert (planned["steps"], planned["as_observed"]) == ([], {"api": 1})
    assert "As last observed: api (version 1); a backfill observes it first." in made_service.run("plan", "calls").out

    now = {path: path.read_bytes() for path in made_service.lake.rglob("*") if path.is_file()}
    assert {path: now[path] for path in before if path in now} == {path: before[path] for path in before if path in now}
    assert len([path for path in now if path not in before]) == 1


def test_processes_that_observe_at_once_agree(service: Project) -> None:
    answer(service, {str(number): 1 for number in range(50)})

    def observe(_: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "deltaworks", "materialize", "api", "--json"]
        return subprocess.run(command, cwd=service.folder, capture_output=True, text=True, timeout=120, check=False)

    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(observe, range(3)))

    assert [each.returncode for each in done] == [0] * 3, [each.stderr for each in done]
    seen = [json.loads(each.stdout)["observed"][0] for each in done]
    assert sum(each["changed"]["count"] for each in seen) == 50, "whoever came second found all as it was"
    assert service.status()["api"]["version"] == 1
    assert counts(service, "api") == (50, 0, 250)
    assert service.run("doctor").code == 0


def test_a_source_is_forgotten_and_observed_again(made_service: Project) -> None:

    some = made_service.run("wipe", "api", "--partition", "1", "--partition", "2", "--json")
    missing = counts(made_service, "api")
    stale = [(bounds, causes[0][:27]) for bounds, causes in ranges(made_service, "calls", "stale")]
    made = made_service.run("backfill", "--json")
    whole = made_service.run("wipe", "rates", "--yes")

    assert (some.code, some.json["emptied"]["count"]) == (0, 2), some.err
    assert missing == (298, 0, 2)
    assert stale == [(["1", "2"], "data: api 1..2 was wiped at")]
    assert observed(made)["api"]["changed"]["count"] == totals(made)[0] == 2
    assert "forgotten; the next run observes it again" in whole.out
    assert counts(made_service, "rates") == (0, 0, 1)
    assert [each["kind"] for each in made_service.run("history", "api", "--json").json] == [
        "observe",
        "wipe",
        "observe",
    ]
    assert made_service.run("doctor").code == 0
    everything = made_service.run("wipe", "api", "--yes", "--json")
    assert (everything.json["emptied"]["count"], counts(made_service, "api")) == (300, (0, 0, 300))


def test_what_makes_no_sense_for_a_source_is_refused(made_service: Project) -> None:

    rollback = made_service.run("rollback", "api", "--to", "v0")
    rerun = made_service.run("rerun", "api@v1", "--verify")

    assert (rollback.code, rollback.sentence[:15]) == (2, "api is observed")
    assert (rerun.code, rerun.sentence) == (
        2,
        "No run makes api (it is observed), so none can be run again.",
    )
    assert made_service.run("rerun", "calls@v1", "--verify").code == 0


def test_what_is_listed_shown_and_kept_in_order(made_service: Project) -> None:

    listed = {each["asset"]: each for each in made_service.run("list", "--json").json["assets"]}
    shown = made_service.run("show", "api", "--partition", "7", "--json").json
    chosen = made_service.run("status", "kind:source", "--json").json["assets"]
    maintained = made_service.run("maintain", "--json")

    assert [listed[name]["kind"] for name in ("api", "rates", "calls")] == ["source", "source", "asset"]
    assert listed["api"]["code_version"] is None
    assert [(row["partition"], row["version"]) for row in shown["rows"]] == [("7", "1")]
    assert {each["asset"] for each in chosen} == {"api", "rates"}
    assert (maintained.code, maintained.json["totals"]["removed"]) == (0, 0)


def test_others_who_write_to_the_table_of_a_source_are_put_right(made_service: Project) -> None:
    path = str(made_service.lake / "api")
    write_deltalake(path, pl.read_delta(path).with_columns(version=pl.lit("0")).head(3), mode="append")

    status, doctor = made_service.status(), made_service.run("doctor")
    made = made_service.run("backfill", "--json")

    assert (status["api"]["partitions"]["fresh"], status["api"]["partitions"]["undefined"]) == (300, 0)
    assert doctor.code == 0
    assert (observed(made)["api"]["changed"]["count"], totals(made)[0]) == (3, 3)
    assert pl.read_delta(path).height == 300


def test_readers_are_checked_against_what_a_source_offers(service: Project) -> None:
    service.edit(
        "tables.py",
        "@dw.asset\ndef converted(rates: pl.LazyFrame) -> pl.LazyFrame:",
        "import pandera.polars as pa\nclass Wanted(pa.DataFrameModel):\n    partition: str\n    version: int\n"
        "@dw.asset\ndef converted(rates: dw.LazyFrame[Wanted]) -> pl.LazyFrame:",
    )

    problems = service.run("check", "--json").json["problems"]

    assert [problem["kind"] for problem in problems] == ["contract", "contract"]
    assert "lets it be null" in problems[0]["message"]
    assert "has it as String" in problems[1]["message"]


def test_an_edited_observer_makes_nothing_stale(made_service: Project) -> None:
    made_service.edit("tables.py", 'log.info("the API was asked")', 'log.info("the API was asked again")')

    assert totals(made_service.run("backfill", "--json")) == (0, 0, 0, 0)


def test_a_source_that_changed_its_partitions_says_so(made_service: Project) -> None:
    made_service.edit(
        "tables.py",
        "keys = dw.Static",
        "keys = dw.DailyPartitions(start='2013-01-01', end='2013-02-01')\nold = dw.Static",
    )

    refused = made_service.run("materialize", "api")

    assert (refused.code, "Nothing was written" in refused.sentence) == (2, True)
    assert made_service.run("wipe", "api", "--yes").code == 0
    answer(made_service, {"2013-01-05": 1})
    assert made_service.run("materialize", "api").code == 0
    assert counts(made_service, "api") == (1, 0, 30)


def test_a_source_is_not_adopted(made_service: Project) -> None:
    refused = made_service.run("adopt", "api")

    assert refused.code == 2
    assert refused.sentence == "api cannot be adopted: it is observed, so its table is made for it."


@pytest.mark.parametrize("forgotten_before", [False, True])
def test_a_source_that_gets_partitions_or_loses_them_is_wiped_first(
    made_service: Project, *, forgotten_before: bool
) -> None:
    if forgotten_before:
        for source in ("api", "rates"):
            assert made_service.run("wipe", source, "--yes").code == 0
    text = (made_service.folder / "tables.py").read_text("utf-8")
    text = text.replace("@dw.observable_source(partitions=keys)\ndef api", "@dw.observable_source\ndef api")
    text = text.replace("@dw.observable_source\ndef rates():", "@dw.observable_source(partitions=keys)\ndef rates():")
    text = text.replace('return json.loads((HERE / "api.json").read_text())', "return 7")
    text = text.replace('partition_by="partition", backfill=dw.BackfillPolicy.ranges(max_partitions=100)', "")
    text = text.replace("@dw.asset(partitions=keys, )\ndef calls", "@dw.asset(name='sevens')\ndef calls")
    text = text.replace('return (HERE / "rates.txt").read_text()', 'return {"1": "v1", "2": "v2"}')
    made_service.write("tables.py", text)

    for source, was in (("api", "has partitions, but its source has none"), ("rates", "is one whole")):
        refused = made_service.run("materialize", source)
        assert refused.code == 2
        assert was in refused.sentence
        assert "`deltaworks wipe` forgets it and makes the table ready" in refused.sentence
        wiped = made_service.run("wipe", source, "--yes", "--json")
        assert wiped.code == 0, wiped.err
        assert made_service.run("wipe", source, "--yes", "--json").json["version"] is None, "nothing is left to do"

    assert [counts(made_service, source) for source in ("api", "rates")] == [(0, 0, 1), (0, 0, 300)]
    made = made_service.run("backfill", "--json")
    assert made.code == 0, made.out
    assert observed(made)["rates"]["changed"]["ranges"] == [["1", "2"]]
    assert [counts(made_service, source) for source in ("api", "rates")] == [(1, 0, 0), (2, 0, 298)]
    assert made_service.status()["api"]["partitions"]["undefined"] == 0
    assert pl.read_delta(str(made_service.lake / "converted"))["version"].sort().to_list() == ["v1", "v2"]
    assert made_service.run("doctor").code == 0
    again = made_service.run("rerun", "converted@v1", "--verify").sentence
    assert again.startswith("Version 1 of converted was made when rates had no partitions, and now it has partitions '")
    assert made_service.run("rerun", "converted@v2", "--verify").code == 0
    shutil.rmtree(made_service.lake / "_deltaworks" / "index")
    assert [counts(made_service, source) for source in ("api", "rates")] == [(1, 0, 0), (2, 0, 298)]


def test_a_source_that_could_not_be_observed_says_since_when_and_why(made_service: Project) -> None:
    before = made_service.run("status", "--json").json
    made_service.write("api.json", "not json")
    assert made_service.run("backfill").code == 1
    (first, *_) = (run["started_at"] for run in made_service.run("runs", "list", "--json").json)
    made_service.write("api.json", "[]")
    assert made_service.run("backfill", "calls").code == 1

    found = made_service.status()

    problem = found["api"]["problem"]
    since = first[:19].replace("T", " ")
    assert problem.startswith(f"not observed since {since} UTC: the function returned list, expected the version of")
    assert [asset for asset, each in found.items() if "problem" in each] == ["api"]
    assert f"api was {problem}" in made_service.run("status").out
    of_api, of_calls = (made_service.run("why", asset, "--json").json for asset in ("api", "calls"))
    assert (of_api["problem"], of_calls["problem"], of_calls["problems_above"]) == (problem, None, {"api": problem})
    assert f"api was {problem}" in made_service.run("why", "calls").out
    assert made_service.run("plan", "calls", "--json").json["problems"] == {"api": problem}
    assert made_service.run("plan", "converted", "--json").json["problems"] == {}

    answer(made_service, {str(number): 1 for number in range(300)})
    noted = made_service.run("backfill", "--json")

    assert made_service.run("status", "--json").json == before
    assert noted.json["run_id"] is not None, "that it can be observed again is worth a run in the ledger"
    assert made_service.run("backfill", "--json").json["run_id"] is None
    made_service.write("api.json", "not json")
    made_service.run("backfill")
    shutil.rmtree(made_service.lake / "_deltaworks" / "ledger")
    assert made_service.run("status", "--json").json == before, "only the ledger knows"


def test_nothing_is_told_twice_where_both_streams_are_one(service: Project) -> None:
    service.write("api.json", "not json")
    service.edit("tables.py", 'pl.LazyFrame({"n": [1]})', "1 / 0")
    command = [sys.executable, "-m", "deltaworks", "backfill"]

    both = subprocess.run(
        command, cwd=service.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    apart = subprocess.run(command, cwd=service.folder, capture_output=True, text=True, check=False)

    for sentence in ("JSONDecodeError", "ZeroDivisionError", "rates"):
        assert both.stdout.count(sentence) == 1, both.stdout
    for sentence in ("JSONDecodeError", "ZeroDivisionError"):
        assert (apart.stdout.count(sentence), apart.stderr.count(sentence)) == (1, 1), "each stream is whole by itself"
