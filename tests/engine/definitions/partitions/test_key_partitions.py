"""Partitions by keys: a list in the code, or one that a lake keeps."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deltaworks as dw
from deltaworks.engine.definitions.partitions.partition import Partition
from deltaworks.engine.planning.graph import build_graph
from deltaworks.errors import InvalidDefinition
from deltaworks.io.partition_keys import key_problem

quick = settings(deadline=None, max_examples=60)
REGIONS = dw.StaticPartitions(["us", "eu", "a b=c/%é"])
NOW = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)


@quick
@given(st.lists(st.text(min_size=1, max_size=8).filter(lambda key: key_problem(key) is None), unique=True, min_size=1))
def test_keys_and_ordinals_lead_to_each_other(keys: list[str]) -> None:
    partitions = dw.StaticPartitions(keys)
    ordinals = pl.int_range(len(keys), eager=True)

    assert partitions.size == len(keys)
    assert partitions.keys(ordinals).to_list() == keys == [partitions.key(ordinal) for ordinal in ordinals]
    assert partitions.ordinals(pl.Series(keys)).to_list() == ordinals.to_list()
    assert [partitions.ordinal(key) for key in keys] == ordinals.to_list()


def test_what_is_no_key_has_no_ordinal() -> None:
    asked = pl.Series(["eu", "EU", "", None, "us ", "us", "eu"])

    assert REGIONS.ordinals(asked).to_list() == [1, None, None, None, None, 0, 1]
    assert REGIONS.ordinals(pl.Series([], dtype=pl.String)).to_list() == []
    assert REGIONS.ordinal("EU") is None


def test_a_hundred_thousand_keys_are_no_matter() -> None:
    partitions = dw.StaticPartitions([f"key {number}" for number in range(100_000)])

    keys = partitions.keys(pl.int_range(partitions.size, eager=True))

    assert partitions.ordinals(keys.reverse()).to_list() == list(range(99_999, -1, -1))


def test_a_range_goes_by_place_and_needs_keys_that_are_there() -> None:
    assert list(REGIONS.between("us", "eu") or ()) == [0, 1]
    assert list(REGIONS.between("eu", "us") or ()) == []
    assert REGIONS.between("us", "asia") is None
    assert REGIONS.run_end(0) == 2


def test_static_partitions_are_equal_by_their_keys_in_order() -> None:
    same = dw.StaticPartitions(["us", "eu", "a b=c/%é"])
    _ = same.ordinal("us")  # what is worked out on the way does not count

    assert same == REGIONS
    assert hash(same) == hash(REGIONS)
    assert same != dw.StaticPartitions(["eu", "us", "a b=c/%é"])
    assert pickle.loads(pickle.dumps(same)) == copy.copy(same) == REGIONS
    assert (REGIONS.until(NOW), REGIONS.scheme, REGIONS.coordinates(1)) == (REGIONS, "static", (1,))
    assert str(REGIONS) == "the keys us, eu, a b=c/%é"
    assert str(dw.StaticPartitions([f"k{n}" for n in range(5000)])) == "the 5,000 keys k0 to k4999"


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ("us", "StaticPartitions: keys must be a list such as ['us', 'eu'], not 'us'"),
        (7, "StaticPartitions: keys must be a list such as ['us', 'eu'], not 7"),
        ([], "StaticPartitions: there must be at least one key, such as ['us', 'eu']"),
        (["us", "eu", "us"], "StaticPartitions: partition key 'us' is given twice"),
        (["us", 7], "StaticPartitions: partition key 7 is no text; write '7'"),
        (["us", ""], "StaticPartitions: a partition key is empty; a key has at least one character"),
    ],
)
def test_what_is_no_list_of_keys_is_refused(keys: Any, reason: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        dw.StaticPartitions(keys)

    assert caught.value.reason == reason


COLUMNS: list[tuple[list[str], list[Any], pl.DataType]] = [
    (["us", "1", "é"], ["us", "1", "é"], pl.String()),
    (["1", "-7", "300"], [1, -7, 300], pl.Int16()),
    (["true", "false"], [True, False], pl.Boolean()),
    (["2013-11-01", "1999-01-31"], [dt.date(2013, 11, 1), dt.date(1999, 1, 31)], pl.Date()),
]


@pytest.mark.parametrize(("keys", "values", "dtype"), COLUMNS)
def test_a_claim_is_right_for_every_dtype_that_keys_can_have(
    keys: list[str], values: list[Any], dtype: pl.DataType
) -> None:
    partitions = dw.StaticPartitions(keys)
    df = pl.DataFrame({"k": [*values, None, *values]}, schema={"k": dtype})

    assert partitions.column_problem(dtype) is None
    for ordinal, value in enumerate(values):
        assert df.filter(partitions.claim(ordinal, ordinal, "k"))["k"].to_list() == [value] * 2
        assert df.filter(partitions.claim(ordinal, ordinal, pl.col("k")))["k"].to_list() == [value] * 2
    assert df.filter(partitions.claim(0, 1, "k"))["k"].to_list() == values[:2] * 2


def test_a_claim_on_text_goes_into_the_scan_without_a_cast(tmp_path: Path) -> None:
    pl.DataFrame({"region": ["us", "eu"], "n": [1, 2]}).write_parquet(tmp_path / "a.parquet")
    lf = pl.scan_parquet(tmp_path / "a.parquet")

    one = lf.filter(REGIONS.claim(0, 0, "region")).explain()
    several = lf.filter(REGIONS.claim(0, 1, "region")).explain()

    assert 'SELECTION: col("region") == "us"' in one
    assert 'SELECTION: col("region").is_in([["us", "eu"]])' in several
    assert "cast" not in one + several


@pytest.mark.parametrize(
    ("keys", "dtype", "reason"),
    [
        (["7", "07"], pl.Int64(), "has dtype Int64, whose keys are whole numbers in its range, such as '7', but one "
         "key is '07'"),
        (["300"], pl.Int8(), "has dtype Int8, whose keys are whole numbers in its range, such as '7', but one key is "
         "'300'"),
        (["us"], pl.Int8(), "has dtype Int8, whose keys are whole numbers in its range, such as '7', but one key is "
         "'us'"),
        (["true", "True"], pl.Boolean(), "has dtype Boolean, whose keys are 'true' and 'false', but one key is 'True'"),
        (["2013-11-1"], pl.Date(), "has dtype Date, whose keys are dates such as '2013-11-01', but one key is "
         "'2013-11-1'"),
        (["1.5"], pl.Float64(), "has dtype Float64, but partitions by keys need a String, integer, Boolean or Date "
         "column"),
    ],
)  # fmt: skip
def test_a_key_that_its_column_cannot_hold_is_refused(keys: list[str], dtype: pl.DataType, reason: str) -> None:
    assert dw.StaticPartitions(keys).column_problem(dtype) == reason
    assert dw.DynamicPartitions("keys").with_keys(keys).column_problem(dtype) == reason


def test_a_call_is_asked_for_keys() -> None:
    one, several = Partition(REGIONS, 1, 1, ("region",)), Partition(REGIONS, 0, 1, ("region",))
    df = pl.DataFrame({"region": ["us", "eu", "asia", None]})

    assert (one.key, several.keys) == ("eu", ["us", "eu"])
    assert df.filter(one.contains("region"))["region"].to_list() == ["eu"]
    assert df.filter(several.contains(pl.col("region")))["region"].to_list() == ["us", "eu"]
    with pytest.raises(ValueError, match=r"are not partitions of one time; use \.key, \.keys or \.contains"):
        _ = one.start
    with pytest.raises(ValueError, match=r"'region' is no dimension .* use the partition itself"):
        one.dimension("region")


def test_dynamic_partitions_are_known_once_a_lake_was_asked() -> None:
    regions = dw.DynamicPartitions("regions")

    known = regions.with_keys(["us", "eu", "us"])

    with pytest.raises(AssertionError, match="no keys before they are read"):
        _ = regions.size
    assert known.values == ("eu", "us")
    assert (known.scheme, known.size, known.ordinal("us")) == ("dynamic regions", 2, 1)
    assert known == dw.DynamicPartitions("regions").with_keys(["us", "eu"])
    assert known != regions
    assert known != dw.DynamicPartitions("others").with_keys(["us", "eu"])
    assert known.without_keys() == regions
    assert known.until(NOW) == known
    assert regions.until(NOW) == regions.with_keys([])
    assert pickle.loads(pickle.dumps(known)) == known
    assert str(known) == "the keys eu, us of 'regions'"
    assert str(regions) == "the keys of 'regions'"
    assert str(regions.until(NOW)) == "the keys of 'regions', of which there is none yet"


def test_dynamic_partitions_may_follow_a_column_of_another_asset() -> None:
    @dw.asset(name="raw/sales", partitions=REGIONS, partition_by="region")
    def sales() -> pl.LazyFrame: ...  # type: ignore[empty-body]

    followed = dw.DynamicPartitions.from_column(sales, "region")

    assert followed == dw.DynamicPartitions.from_column("raw/sales", "region")
    assert followed.scheme == "dynamic raw/sales.region"
    assert followed.with_keys(["us"]) != followed
    assert str(followed.with_keys(["us"])) == "the key us of column 'region' of raw/sales"


@pytest.mark.parametrize("name", ["", "a b", "a/b", "..", "é", 7, None, "a" * 101, "-a"])
def test_keys_are_kept_under_a_plain_name(name: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"DynamicPartitions: the name .* such as 'regions'"):
        dw.DynamicPartitions(name)


def test_without_a_lake_there_is_no_key_yet() -> None:
    regions = dw.DynamicPartitions("regions")

    @dw.asset(partitions=regions, partition_by="region")
    def sales() -> pl.LazyFrame: ...  # type: ignore[empty-body]

    without, some = (
        build_graph(dw.Definitions([sales]), NOW),
        build_graph(dw.Definitions([sales]), NOW, {regions: ["us", "eu"]}),
    )

    assert without.node("sales").partitions.size == 0
    assert some.node("sales").partitions == regions.with_keys(["eu", "us"])


def test_keys_from_a_column_that_is_not_there_are_refused_where_they_are_asked_for() -> None:
    @dw.asset(partitions=REGIONS, partition_by="region")
    def sales() -> pl.LazyFrame: ...  # type: ignore[empty-body]

    @dw.asset
    def total() -> pl.LazyFrame: ...  # type: ignore[empty-body]

    def reason(upstream: Any, column: str) -> str:
        @dw.asset(partitions=dw.DynamicPartitions.from_column(upstream, column), partition_by="region")
        def report() -> pl.LazyFrame: ...  # type: ignore[empty-body]

        with pytest.raises(InvalidDefinition) as caught:
            build_graph(dw.Definitions([sales, total, report]), NOW)
        assert caught.value.where == report.where
        return caught.value.reason

    asked = "asset 'report': its partitions are the keys of column"
    assert reason("sale", "region") == f"{asked} 'region' of sale, but no asset has that name. Did you mean 'sales'?"
    assert reason(sales, "state") == f"{asked} 'state' of sales, but its partition columns are region"
    assert reason(total, "region") == f"{asked} 'region' of total, but that asset has no partitions"
    assert reason("report", "region") == f"{asked} 'region' of report, but it cannot follow itself"


def test_names_of_keys_that_are_one_folder_on_some_disks_are_refused() -> None:
    @dw.asset(partitions=dw.DynamicPartitions("regions"), partition_by="region")
    def sales() -> pl.LazyFrame: ...  # type: ignore[empty-body]

    @dw.asset(partitions=dw.DynamicPartitions("Regions"), partition_by="region")
    def costs() -> pl.LazyFrame: ...  # type: ignore[empty-body]

    with pytest.raises(InvalidDefinition, match="dynamic partitions 'Regions' and 'regions' differ only in case"):
        build_graph(dw.Definitions([sales, costs]), NOW)
