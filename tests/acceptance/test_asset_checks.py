"""Asset checks before the commit: what fails is never visible, and what else there is goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest

import deltaworks as dw
from deltaworks import LazyFrame
from tests.acceptance.checked import KEYS, Sale, Work, days, failures, height, sales
from tests.acceptance.conftest import Here


@dw.asset_check(sales, blocking=True)
def not_empty(result: LazyFrame[Sale]) -> dw.CheckResult:
    rows = height(result)
    return dw.CheckResult(rows > 0, {"rows": rows}, message=f"expected rows, found {rows}")


@dw.asset_check(sales, blocking=True)
def not_half_empty(result: LazyFrame[Sale], before: dw.Committed[Sale]) -> dw.CheckResult:
    is_now, was = height(result), height(before)
    return dw.CheckResult(is_now * 2 >= was, {"rows": is_now, "rows_before": was})


@dw.asset_check(sales, blocking=True)
def not_fewer_than_yesterday(result: LazyFrame[Sale], yesterday: dw.Previous[Sale]) -> bool:
    return height(result) >= height(yesterday)


def test_what_fails_is_not_committed_and_readers_keep_the_old_content(tmp_path: Path) -> None:
    work = Work(tmp_path, [not_empty])
    work.make()
    work.rows |= {KEYS[1]: 0, KEYS[2]: 9}

    report = work.again()

    assert failures(report) == {
        KEYS[1]: f"sales {KEYS[1]}: check not_empty failed: expected rows, found 0. Nothing was committed for it."
    }
    assert work.heights() == dict.fromkeys(KEYS, 4) | {KEYS[2]: 9}
    assert work.records()[-1]["groups"][0]["keys"] == [key for key in KEYS if key != KEYS[1]]
    assert not (set(tmp_path.rglob("*.parquet")) - live_files(work)), "what was staged and refused is deleted"


def live_files(work: Work) -> set[Path]:
    """The files that a version of the table has had, and what else the lake keeps in Parquet files."""
    named = [path for path in work.folder.rglob("*.parquet") if "_deltaworks" in path.parts]
    adds = [
        action["add"]["path"]
        for path in (work.folder / "sales" / "_delta_log").glob("*.json")
        for action in pl.read_ndjson(path).to_dicts()
        if action.get("add")
    ]
    return {*named, *(work.folder / "sales" / path for path in adds)}


def test_the_rows_that_failed_are_kept_for_who_looks_for_the_cause(tmp_path: Path) -> None:
    @dw.asset_check(sales, blocking=True)
    def at_most_three(result: LazyFrame[Sale]) -> bool:
        return height(result) <= 3

    work = Work(tmp_path, [at_most_three], rows={KEYS[0]: 5})

    report = work.make()

    broken = report.broken["sales", KEYS[0]]
    (rule,) = broken.rules
    assert (rule.result.rule, rule.result.is_check, rule.rows) == ("at_most_three", True, 5)
    assert broken.kept.path is not None
    kept = pl.read_parquet(tmp_path / broken.kept.path, hive_partitioning=False)
    assert (kept.height, kept.columns) == (5, ["day", "shop", "amount"])


def test_committed_is_what_the_partition_holds_until_then_and_nothing_at_first(tmp_path: Path) -> None:
    work = Work(tmp_path, [not_half_empty])
    first = work.make()
    work.rows |= {KEYS[0]: 1, KEYS[1]: 2}

    second = work.again()

    assert failures(first) == {}
    assert failures(second) == {
        KEYS[0]: f"sales {KEYS[0]}: check not_half_empty failed: rows 1, rows_before 4. Nothing was committed for it."
    }
    assert work.heights() == dict.fromkeys(KEYS, 4) | {KEYS[1]: 2}


def test_metadata_stands_in_the_record_whether_or_not_a_check_passed(tmp_path: Path) -> None:
    @dw.asset_check(sales)
    def counted(result: LazyFrame[Sale], partition: dw.Partition) -> dw.CheckResult:
        return dw.CheckResult(partition.key == KEYS[0], {"rows": height(result), "day": partition.key})

    work = Work(tmp_path, [counted, not_empty])

    work.make(*KEYS[:2])

    (record,) = work.records()
    assert record["checks"]["passed"] == 3 + 2 * 2, "two of the model, and one that only warns did not"
    assert record["checks"]["not_passed"] == [
        {
            "rule": "counted",
            "severity": "warn",
            "failed_rows": None,
            "column": None,
            "is_check": True,
            "partition": KEYS[1],
        }
    ]
    found = {(each["check"], each["partition"]): each["values"] for each in record["checks"]["metadata"]}
    assert found["counted", KEYS[0]] == {"rows": 4, "day": KEYS[0]}
    assert found["counted", KEYS[1]] == {"rows": 4, "day": KEYS[1]}
    assert found["not_empty", KEYS[1]] == {"rows": 4}


def test_one_that_is_not_blocking_warns(tmp_path: Path) -> None:
    @dw.asset_check(sales)
    def few(result: LazyFrame[Sale]) -> dw.CheckResult:
        return dw.CheckResult(height(result) < 5, message="expected fewer")

    work = Work(tmp_path, [few], rows={KEYS[3]: 8})

    report = work.make()

    assert failures(report) == {}
    assert work.warnings == [f"{KEYS[3]}: check few failed: expected fewer"]
    assert work.heights() == {KEYS[3]: 8}


@pytest.mark.parametrize(("blocking", "severity", "is_refused"), [(True, "warn", False), (False, "fail", True)])
def test_a_result_may_say_what_it_means(tmp_path: Path, blocking: bool, severity: str, is_refused: bool) -> None:
    @dw.asset_check(sales, blocking=blocking)
    def judged(result: LazyFrame[Sale]) -> dw.CheckResult:
        return dw.CheckResult(False, severity=severity)  # type: ignore[arg-type]

    report = Work(tmp_path, [judged]).make(KEYS[0])

    assert bool(report.entry.failures) is is_refused


@pytest.mark.parametrize("blocking", [True, False])
def test_one_that_raises_forbids_the_commit_and_says_where(tmp_path: Path, blocking: bool) -> None:
    @dw.asset_check(sales, blocking=blocking)
    def broken(result: LazyFrame[Sale]) -> bool:
        raise LookupError("no such shop")

    report = Work(tmp_path, [broken]).make(KEYS[0])

    (error,) = failures(report).values()
    assert error.startswith(
        f"sales {KEYS[0]}: check broken could not be judged: LookupError: no such shop ({__file__}:"
    )
    assert error.endswith("). Nothing was committed for it.")


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"rows": 2**63}, "metadata 'rows' is a number of 64 bits, and 63 are the most that every reader takes"),
        ({"name": "half a \ud83d"}, "metadata 'name' has a lone surrogate in its text"),
        ({"half a \ud83d": 1}, "has a lone surrogate in its text"),
        ({"rate": float("nan")}, "metadata 'rate' is nan, which no JSON holds"),
        ({"rows": [1]}, "metadata 'rows' must be text, a number, a Boolean or None, not [1]"),
        (["rows"], "metadata must be a mapping of names to values, not ['rows']"),
    ],
)
def test_what_would_make_the_log_unreadable_for_others_is_no_metadata(tmp_path: Path, metadata: Any, told: str) -> None:
    @dw.asset_check(sales)
    def tells(result: LazyFrame[Sale]) -> dw.CheckResult:
        return dw.CheckResult(True, metadata)

    report = Work(tmp_path, [tells]).make(KEYS[0])

    assert told in failures(report)[KEYS[0]]


def test_metadata_is_what_it_was_when_the_check_answered(tmp_path: Path) -> None:
    facts: dict[str, Any] = {"rows": 4}

    @dw.asset_check(sales)
    def tells(result: LazyFrame[Sale]) -> dw.CheckResult:
        answer = dw.CheckResult(True, facts)
        facts["rows"] = object()
        return answer

    work = Work(tmp_path, [tells])

    work.make(KEYS[0])

    assert work.records()[-1]["checks"]["metadata"][0]["values"] == {"rows": 4}


def test_a_message_is_told_on_a_line_and_steers_no_terminal(tmp_path: Path) -> None:
    @dw.asset_check(sales)
    def odd(result: LazyFrame[Sale]) -> dw.CheckResult:
        return dw.CheckResult(False, message="two\nlines, \x1b[31mred")

    work = Work(tmp_path, [odd])

    work.make(KEYS[0])

    assert work.warnings == [f"{KEYS[0]}: check odd failed: two lines, \\x1b[31mred"]


@pytest.mark.parametrize(("answer", "told"), [(None, "None"), (1, "int"), ("yes", "str")])
def test_only_an_answer_is_taken_for_one(tmp_path: Path, answer: object, told: str) -> None:
    @dw.asset_check(sales)
    def odd(result: LazyFrame[Sale]) -> bool:
        return answer  # type: ignore[return-value]

    report = Work(tmp_path, [odd]).make(KEYS[0])

    (error,) = failures(report).values()
    assert f"check odd could not be judged: the function returned {told}, expected a CheckResult or a Boolean" in error


def test_a_null_of_polars_is_no_answer(tmp_path: Path) -> None:
    @dw.asset_check(sales)
    def positive(result: LazyFrame[Sale]) -> dw.CheckResult:
        return dw.CheckResult(result.select(pl.col("amount").min() >= 0).collect().item())

    report = Work(tmp_path, [positive], rows={KEYS[0]: 2}).make(KEYS[0], KEYS[1])

    assert list(failures(report)) == [KEYS[1]]
    assert "TypeError: passed must be True or False, not None" in failures(report)[KEYS[1]]


def test_a_range_call_is_judged_partition_by_partition(tmp_path: Path) -> None:
    @dw.asset(partitions=days, partition_by="day", backfill=dw.BackfillPolicy.ranges(100))
    def doubled(sales: LazyFrame[Sale]) -> LazyFrame[Sale]:
        return pl.concat([sales, sales])

    seen: list[tuple[str, int, list[object]]] = []

    @dw.asset_check(doubled, blocking=True)
    def few(doubled: LazyFrame[Sale], partition: dw.Partition) -> bool:
        seen.append((partition.key, height(doubled), doubled.collect()["day"].unique().to_list()))
        return height(doubled) < 10

    work = Work(tmp_path, [few], (sales, doubled))
    work.rows |= {KEYS[2]: 5, KEYS[4]: 0}

    report = work.make()

    assert list(failures(report)) == [KEYS[2]]
    assert sorted(key for key, _, _ in seen) == list(KEYS)
    assert all([str(day) for day in found] == ([key] if rows else []) for key, rows, found in seen)
    assert work.heights("doubled") == {key: 8 for key in KEYS if key not in (KEYS[2], KEYS[4])}


def test_an_unpartitioned_asset_is_judged_as_a_whole(tmp_path: Path) -> None:
    @dw.asset
    def total(sales: LazyFrame[Sale]) -> pl.LazyFrame:
        return sales.select(pl.len().cast(pl.Int64).alias("rows"))

    @dw.asset_check("total", blocking=True)
    def grows(result: pl.DataFrame, before: dw.Committed[pa.DataFrameModel]) -> bool:
        was = before.collect()
        return was.is_empty() or result.item() > was.item()

    work = Work(tmp_path, [grows], (sales, total))
    first = work.make()
    second = work.again(names=("total",))

    assert failures(first) == {}
    assert list(failures(second)) == [None]
    assert pl.read_delta(str(tmp_path / "total")).item() == 24


class Limit(dw.Resource):
    most: int


def test_resources_and_loggers_are_given_to_checks_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    @dw.asset_check(sales, blocking=True)
    def few(result: LazyFrame[Sale], counts: Limit, log: dw.Logger) -> bool:
        log.warning("at most %d", counts.most)
        return height(result) <= counts.most

    work = Work(tmp_path, [few], rows={KEYS[0]: 4, KEYS[1]: 2}, resources={"limit": Limit(most=3)})

    report = work.make(*KEYS[:2])

    assert list(failures(report)) == [KEYS[0]]
    assert f"sales {KEYS[0]}: check few: at most 3" in caplog.messages


class Shop(pa.DataFrameModel):
    shop: str


class Shops(dw.Resource):
    known: list[str]


@dw.asset
def shops(shops: Shops) -> LazyFrame[Shop]:
    return pl.LazyFrame({"shop": shops.known}, schema={"shop": pl.String})


@dw.asset_check(sales, blocking=True)
def known_shops(result: LazyFrame[Sale], shops: LazyFrame[Shop]) -> bool:
    return height(result.drop_nulls("shop").join(shops, on="shop", how="anti")) == 0


def test_another_asset_is_made_first_and_recorded_as_read(tmp_path: Path) -> None:
    known = Shops(known=["a", "b"])
    work = Work(tmp_path, [known_shops], (sales, shops), resources={"shops": known})

    report = work.make(workers=2)

    assert failures(report) == {}
    (group,) = work.records()[-1]["groups"]
    assert [(pin["asset"], pin["version"]) for pin in group["reads"].values()] == [("shops", 1)]
    assert group["inputs"] == {}


def test_what_only_checks_read_makes_nothing_stale(tmp_path: Path) -> None:
    work = Work(tmp_path, [known_shops], (sales, shops), resources={"shops": Shops(known=["a", "b"])})
    work.make()
    code = work.graph.node("sales").code

    work.resources = {"shops": Shops(known=["a"])}
    work.again(names=("shops",))

    assert work.status("sales") == "ffffff"
    work.checks = []
    assert (work.status("sales"), work.graph.node("sales").code) == ("ffffff", code)


def test_another_asset_that_fails_is_taken_as_it_is(tmp_path: Path) -> None:
    @dw.asset_check(shops, blocking=True)
    def some(result: LazyFrame[Shop]) -> bool:
        return height(result) > 0

    work = Work(tmp_path, [known_shops, some], (sales, shops), resources={"shops": Shops(known=["a", "b"])})
    work.make()
    work.resources = {"shops": Shops(known=[])}

    report = work.again(names=("sales", "shops"))

    assert [(each.asset, each.partition) for each in report.entry.failures] == [("shops", None)]
    assert report.blocked == ()


def test_what_is_made_from_the_asset_is_read_as_it_was_before(tmp_path: Path) -> None:
    @dw.asset(partitions=days, partition_by="day")
    def copied(sales: LazyFrame[Sale]) -> LazyFrame[Sale]:
        return sales

    @dw.asset_check(sales, blocking=True)
    def not_copied_yet(result: LazyFrame[Sale], copied: LazyFrame[Sale]) -> bool:
        return height(copied) == 0

    work = Work(tmp_path, [not_copied_yet], (sales, copied))

    first, second = work.make(), work.again()

    assert (failures(first), len(failures(second))) == ({}, len(KEYS))


def test_an_asset_without_a_table_is_read_by_its_model(tmp_path: Path) -> None:
    work = Work(tmp_path, [known_shops], (sales, shops), rows={KEYS[1]: 2}, resources={"shops": Shops(known=[])})

    report = work.make(KEYS[0], KEYS[1], names=("sales",))

    assert list(failures(report)) == [KEYS[1]], "a day without sales has none in unknown shops"


def test_a_check_reads_through_views(tmp_path: Path) -> None:
    @dw.view
    def shouting(shops: LazyFrame[Shop]) -> pl.LazyFrame:
        return shops.with_columns(pl.col("shop").str.to_uppercase())

    @dw.asset_check(sales, blocking=True)
    def none_shouts(result: LazyFrame[Sale], shouting: pl.LazyFrame) -> bool:
        return height(result.join(shouting, on="shop")) == 0

    known = Shops(known=["a", "b"])
    work = Work(tmp_path, [none_shouts], (sales, shops, shouting), resources={"shops": known})

    report = work.make()

    assert failures(report) == {}
    (group,) = work.records()[-1]["groups"]
    assert [pin["asset"] for pin in group["reads"].values()] == ["shops"]


def test_a_check_may_look_at_other_partitions_of_another_asset(tmp_path: Path) -> None:
    @dw.asset(partitions=days, partition_by="day")
    def targets(partition: dw.Partition) -> LazyFrame[Sale]:
        return pl.LazyFrame([{"day": partition.start, "shop": "a", "amount": partition.start.day}])

    found: dict[str, list[int]] = {}
    window = dw.Input(mapping=dw.TimeWindowMapping(start_offset=-1))

    @dw.asset_check(sales)
    def looked(result: LazyFrame[Sale], targets: Annotated[LazyFrame[Sale], window], partition: dw.Partition) -> bool:
        found[partition.key] = sorted(targets.collect()["amount"])
        return True

    Work(tmp_path, [looked], (sales, targets)).make()

    assert found == {key: [number, number + 1][number == 0 :] for number, key in enumerate(KEYS)}


READINGS = """
import pandera.polars as pa
import polars as pl
import deltaworks as dw
from deltaworks import LazyFrame

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-04")


class Reading(pa.DataFrameModel):
    day: pl.Date
    value: int = pa.Field(ge=5, metadata={"on_fail": "quarantine"})


@dw.asset(partitions=days, partition_by="day")
def readings(partition: dw.Partition) -> LazyFrame[Reading]:
    values = [5, 7, -partition.start.day]
    return pl.LazyFrame({"value": values}).select(day=pl.lit(partition.start), value="value")


@dw.asset_check(readings, blocking=True)
def steady(result: LazyFrame[Reading], before: dw.Committed[Reading], yesterday: dw.Previous[Reading]) -> bool:
    lowest = result.select(pl.col("value").min()).collect().item()
    return before.collect().is_empty() or lowest > -2


@dw.asset_check(readings, when="after")
def later(result: LazyFrame[Reading]) -> bool:
    return result.collect().height == 2
"""


def test_rows_that_come_back_are_judged_by_checks_too(here: Here) -> None:
    here.write("tables.py", READINGS)
    first = here.run("backfill", "--json")
    here.edit("tables.py", "ge=5", "ge=-5")

    done = here.run("materialize", "readings", "--from-rejects", "--json")

    assert first.code == 0, first.err
    assert (done.code, done.json["totals"]["materialized"]) == (1, 1)
    assert {each["partition"]: each["error"] for each in done.json["failures"]} == {
        key: f"readings {key}: check steady failed. Nothing was committed for it." for key in KEYS[1:3]
    }
    assert pl.read_delta(str(here.lake / "readings")).group_by("day").len().sort("day")["len"].to_list() == [3, 2, 2]
    (told,) = here.run("runs", "show", "--json").json["checks"]["failures"]
    assert (told["check"], told["partition"], told["problem"]) == ("later", KEYS[0], "check later failed")


def test_neither_a_rollback_nor_a_rerun_asks_a_check(here: Here) -> None:
    here.write("tables.py", READINGS)
    here.run("backfill")
    here.edit("tables.py", "lowest > -2", "False")
    here.edit("tables.py", "[5, 7,", "[5, 8,")

    redone = here.run("materialize", "readings", "--json")
    compared = here.run("rerun", "readings@v1", "--verify", "--json")
    here.run("wipe", "readings", "--partition", KEYS[0])
    back = here.run("rollback", "readings", "--to", "v1", "--partition", KEYS[0], "--json")

    assert len(redone.json["failures"]) == 3
    assert (compared.code, compared.json["failures"]) == (1, []), "other rows, but nothing failed"
    assert back.code == 0
    assert pl.read_delta(str(here.lake / "readings")).filter(value=7).height == 3
