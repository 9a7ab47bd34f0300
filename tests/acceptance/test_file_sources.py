"""Sources of files: new, changed and deleted files are told from one another, and nothing else of what is read."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from tests.acceptance.conftest import Here, Project
from tests.acceptance.observed import FILES, SETTINGS, counts, lay_out_files, observed, put, ranges, totals
from tests.io.s3_server import Bucket, serve


@pytest.fixture
def january(here: Project) -> Project:
    """A folder with a file a day for January, and tables that can be made from it."""
    return lay_out_files(here)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The files and their tables, made; tests work on copies of them."""
    folder = tmp_path_factory.mktemp("january") / "project"
    folder.mkdir()
    made = lay_out_files(Here(folder))
    assert made.run("backfill").code == 0
    return made


@pytest.fixture
def made_january(made_once: Project, tmp_path: Path) -> Project:
    return Here(shutil.copytree(made_once.folder, tmp_path / "made"))


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


def test_a_source_without_anything_left_is_told_apart_from_one_never_seen(made_january: Project) -> None:
    for file in (made_january.folder / "data").rglob("*.csv"):
        file.unlink()

    made = made_january.run("backfill", "rides", "--json")

    reasons = {each["reason"] for each in made.json["left_out"]}
    assert reasons == {"there was nothing of trips when it was last observed"}


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
