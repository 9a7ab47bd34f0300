"""Sources: what has no log is observed first, and what is made from it is stale exactly where its version changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import write_deltalake

from tests.acceptance.conftest import Here, Project
from tests.acceptance.observed import FILES, SETTINGS, answer, lay_out_files, lay_out_service, put
from tests.io.s3_server import Bucket, serve

pytestmark = pytest.mark.xdist_group("sources")


@pytest.fixture
def january(here: Project) -> Project:
    """A folder with a file a day for January, and tables that can be made from it."""
    return lay_out_files(here)


@pytest.fixture
def service(here: Project) -> Project:
    """An API with 300 partitions, one without, and tables that can be made from them."""
    return lay_out_service(here)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    """Both, made; tests work on copies of them."""
    made: dict[str, Project] = {}
    for name, lay_out in (("january", lay_out_files), ("service", lay_out_service)):
        folder = tmp_path_factory.mktemp(name) / "project"
        folder.mkdir()
        made[name] = lay_out(Here(folder))
        assert made[name].run("backfill").code == 0
    return made


@pytest.fixture
def made_january(made_once: dict[str, Project], tmp_path: Path) -> Project:
    return Here(shutil.copytree(made_once["january"].folder, tmp_path / "made"))


@pytest.fixture
def made_service(made_once: dict[str, Project], tmp_path: Path) -> Project:
    return Here(shutil.copytree(made_once["service"].folder, tmp_path / "made"))


def totals(result: Any) -> tuple[int, int, int, int]:
    return tuple(result.json["totals"][name] for name in ("materialized", "failed", "skipped", "commits"))  # type: ignore[return-value]


def counts(project: Project, asset: str) -> tuple[int, int, int]:
    found = project.status()[asset]["partitions"]
    assert found["total"] == found["fresh"] + found["stale"] + found["missing"]
    assert (found["external"], found["failed"]) == (0, 0)
    return found["fresh"], found["stale"], found["missing"]


def ranges(project: Project, asset: str, word: str) -> list[tuple[list[str], list[str]]]:
    """The ranges of an asset with a status, each with its causes."""
    found = project.status("--partitions")[asset]["ranges"]
    return [
        (bounds, each["causes"]) for each in found if each["status"] == word for bounds in each["partitions"]["ranges"]
    ]


def observed(result: Any) -> dict[str, dict[str, Any]]:
    return {each["asset"]: each for each in result.json["observed"]}


def test_files_are_observed_first_and_what_is_made_from_them_is_read_by_their_paths(january: Project) -> None:
    assert january.run("check").code == 0
    planned = january.run("plan", "--json")
    assert (planned.code, planned.json["steps"], planned.json["never_observed"]) == (0, [], ["trips"])
    assert "trips was never observed; a backfill observes it first." in january.run("plan").out
    assert counts(january, "trips") == (0, 0, 59)
    assert not january.lake.exists()

    made = january.run("backfill", "--json")

    assert (made.code, totals(made)[:3]) == (0, (31 + 31, 0, 28 + 28)), made.err
    assert observed(made)["trips"]["changed"] == {"count": 31, "ranges": [["2013-01-01", "2013-01-31"]]}
    assert counts(january, "trips") == (31, 0, 28)
    assert pl.read_delta(str(january.lake / "rides"))["n"].sort().to_list() == list(range(1, 32))
    stored = pl.read_delta(str(january.lake / "trips")).sort("path")
    assert stored.row(0)[:2] == ("2013-01-01", "2013-01/2013-01-01 trips.csv"), "no path of this machine"
    assert stored.columns == ["partition", "path", "version", "observed_at"]
    (first,) = january.run("history", "trips", "--json").json
    assert (first["kind"], first["rows"], first["partitions"]["count"]) == ("observe", 31, 31)
    assert january.run("history", "rides", "--json").json[0]["inputs"] == {"trips": 1}
    assert january.run("doctor").code == 0


def test_one_file_touched_makes_exactly_its_partition_stale(made_january: Project) -> None:
    put(made_january, "2013-01-10", 1000)
    assert counts(made_january, "rides") == (31, 0, 28), "nobody looked yet"

    seen = made_january.run("materialize", "trips", "--json")

    assert (seen.code, totals(seen)) == (0, (0, 0, 0, 1))
    assert observed(seen)["trips"]["changed"] == {"count": 1, "ranges": [["2013-01-10", "2013-01-10"]]}
    ((bounds, causes),) = ranges(made_january, "rides", "stale")
    assert bounds == ["2013-01-10", "2013-01-10"]
    run_id = seen.json["run_id"]
    assert causes == [
        f"data: trips 2013-01-10 was observed to have changed at version 2 by run {run_id}, version 1 was read"
    ]
    assert [bounds for bounds, _ in ranges(made_january, "trailing", "stale")] == [["2013-01-10", "2013-01-11"]]
    why = made_january.run("why", "rides", "--partition", "2013-01-10").out
    assert "was observed to have changed at version 2" in why
    assert made_january.run("runs", "list", "--json").json[0]["run_id"] == run_id

    made = made_january.run("backfill", "--json")

    assert totals(made)[:2] == (3, 0)
    assert 1000 in pl.read_delta(str(made_january.lake / "rides"))["n"].to_list()
    assert [bounds for bounds, _ in ranges(made_january, "rides", "stale")] == []


def test_a_second_file_of_a_partition_counts_and_one_that_is_left_alone_does_not(made_january: Project) -> None:
    before = {row[1]: row[3] for row in pl.read_delta(str(made_january.lake / "trips")).rows()}
    put(made_january, "2013-01-10", 500, "late.csv")
    (made_january.folder / "data" / "2013-01" / ".2013-01-11 late.csv.tmp").touch()

    made = made_january.run("backfill", "rides", "--json")

    assert observed(made)["trips"]["changed"]["ranges"] == [["2013-01-10", "2013-01-10"]]
    after = {row[1]: row[3] for row in pl.read_delta(str(made_january.lake / "trips")).rows()}
    assert {path: at for path, at in after.items() if path in before} == before, "what did not change keeps its time"
    day = pl.read_delta(str(made_january.lake / "rides")).filter(pl.col("day") == pl.lit("2013-01-10").str.to_date())
    assert sorted(day["n"].to_list()) == [10, 500]


def test_a_deleted_file_is_missing_and_what_is_made_from_it_cannot_be_made(made_january: Project) -> None:
    put(made_january, "2013-01-10", 0).unlink()

    made = made_january.run("backfill", "--json")

    assert (made.code, totals(made)[1]) == (0, 0)
    assert observed(made)["trips"]["gone"] == {"count": 1, "ranges": [["2013-01-10", "2013-01-10"]]}
    assert counts(made_january, "trips") == (30, 0, 29)
    ((bounds, causes),) = ranges(made_january, "rides", "stale")
    assert bounds == ["2013-01-10", "2013-01-10"]
    assert causes[0].startswith("data: trips 2013-01-10 was observed to be gone at version 2 by run")
    left = {
        each["asset"]: each["reason"]
        for each in made.json["left_out"]
        if each["partitions"]["ranges"][0][0] == "2013-01-10"
    }
    assert left == {
        "rides": "it is made from trips 2013-01-10, 2013-02-01..2013-02-28, which was not there when it was last "
        "observed; `deltaworks wipe rides --partition 2013-01-10` deletes what was made from it",
        "trailing": "it is stale only for rides, which cannot be made now",
    }
    named = made_january.run("materialize", "rides", "--partition", "2013-01-10")
    assert (named.code, "Cannot make rides 2013-01-10: it is made from trips 2013-01-10" in named.err) == (2, True)
    ((_, gone),) = [each for each in ranges(made_january, "trips", "missing") if each[0][0] == "2013-01-10"]
    assert gone[0].startswith("observed to be gone at version 2")

    put(made_january, "2013-01-10", 7)
    assert totals(made_january.run("backfill", "--json"))[:2] == (3, 0)


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


def test_objects_of_a_bucket_are_observed(here: Project) -> None:
    here.write("deltaworks.toml", SETTINGS)
    here.write(
        "tables.py",
        FILES.replace("data/**/*.csv", "s3://bucket/trips/*.csv")
        .replace("return pl.concat(pl.scan_csv(path, try_parse_dates=True) for path in trips.collect()['path'])", "")
        .replace(
            'return pl.concat(pl.scan_csv(path, try_parse_dates=True) for path in trips.collect()["path"])',
            'return trips.select(pl.col("partition").str.to_date().alias("day"), '
            'n=pl.col("path").str.len_chars().cast(pl.Int64))',
        ),
    )
    objects = {f"trips/2013-01-{day:02}.csv": (5, f"tag{day}") for day in range(1, 32)}
    with serve(Bucket("bucket", objects | {"trips/readme.csv": (1, "x"), "trips/2014-01-01.csv": (1, "x")})) as bucket:
        made = here.run("backfill", "rides", "--json", **bucket.environ)
        bucket.objects["trips/2013-01-09.csv"] = (5, "another")
        again = here.run("backfill", "rides", "--json", **bucket.environ)

    refused = here.run("backfill", "rides", "--json", **(bucket.environ | {"AWS_ACCESS_KEY_ID": "nobody"}))

    assert (made.code, totals(made)[:2]) == (0, (31, 0)), made.err
    assert observed(made)["trips"]["ignored"] == {"count": 2, "some": ["2014-01-01", "readme.csv"]}
    assert totals(again)[:2] == (1, 0)
    lengths = pl.read_delta(str(here.lake / "rides"))["n"].unique().to_list()
    assert lengths == [len("s3://bucket/trips/2013-01-01.csv")], "a reader gets the whole URI"
    assert refused.code == 1


def test_a_source_is_not_adopted(made_service: Project) -> None:
    refused = made_service.run("adopt", "api")

    assert refused.code == 2
    assert refused.sentence == "api cannot be adopted: it is observed, so its table is made for it."


def test_a_source_without_anything_left_is_told_apart_from_one_never_seen(made_january: Project) -> None:
    for file in (made_january.folder / "data").rglob("*.csv"):
        file.unlink()

    made = made_january.run("backfill", "rides", "--json")

    reasons = {each["reason"] for each in made.json["left_out"]}
    assert reasons == {"there was nothing of trips when it was last observed"}


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


def test_who_runs_again_what_reads_a_source_is_told_what_is_not_kept(made_january: Project) -> None:
    sentence = "of trips only versions are kept; its files are read as they are now, and may have changed since"

    same = made_january.run("rerun", "rides@v1", "--verify", "--json")
    put(made_january, "2013-01-10", 1000)
    other = made_january.run("rerun", "rides@v1", "--verify")

    assert (same.code, same.json["notes"]) == (0, [f"source: {sentence}"])
    assert (other.code, f"note: source: {sentence}" in other.out) == (1, True)
    assert made_january.run("rerun", "trailing@v1", "--verify", "--json").json["notes"] == []
    assert f"note: {sentence}" in made_january.run("why", "rides", "--partition", "2013-01-10").out
    read = [made_january.run("why", asset, "--json").json["sources_read"] for asset in ("rides", "trailing", "trips")]
    assert read == [["trips"], [], []]


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


def test_what_was_made_from_files_that_are_gone_is_wiped_as_the_message_says(made_january: Project) -> None:
    for number in range(5, 11):
        put(made_january, f"2013-01-{number:02}", 0).unlink()

    told = made_january.run("backfill", "rides").out
    command = told.partition("`deltaworks ")[2].partition("`")[0]

    assert command == "wipe rides --from 2013-01-05 --to 2013-01-10"
    assert made_january.run(*command.split()).code == 0
    assert counts(made_january, "rides") == (25, 0, 34)
    assert "wipe" not in made_january.run("backfill", "rides").out, "there is nothing left to wipe"


def test_a_pattern_that_matches_no_file_is_noted_and_no_failure(january: Project) -> None:
    january.edit("tables.py", '"data/**/*.csv"', '"data/**/*.cvs"')

    told = january.run("backfill")
    noted = observed(january.run("materialize", "trips", "--json"))["trips"]

    assert told.code == 0
    assert told.out.count(f"note: trips: no file matches {january.folder}/data/**/*.cvs") == 1
    assert (noted["error"], noted["note"]) == (None, f"no file matches {january.folder}/data/**/*.cvs")
    january.edit("tables.py", "*.cvs", "*.csv")
    assert "note" not in observed(january.run("materialize", "trips", "--json"))["trips"]
