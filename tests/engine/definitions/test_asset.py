"""Asset: what the decorator makes of a function, and what it refuses."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pandera.polars as pa
import pandera.typing.polars as pt
import polars as pl
import pytest

import deltaworks as dw
from deltaworks import LazyFrame
from deltaworks.engine.definitions.asset import Asset
from deltaworks.engine.definitions.keys import AssetKey
from deltaworks.engine.definitions.mappings.declared import TimeWindowMapping
from deltaworks.engine.definitions.partitions.protocols import Unpartitioned
from deltaworks.errors import DefinitionError, InvalidContract, InvalidDefinition

DAYS = dw.DailyPartitions(start="2013-01-01", end="2014-01-01")


class Flight(pa.DataFrameModel):
    day: pl.Date
    delay: float


class Files(dw.Resource):
    path: str


@dw.asset
def bare(flights: LazyFrame[Flight]) -> LazyFrame[Flight]:
    """Say what the table holds."""
    return flights.filter(pl.col("delay") > 0)


def test_the_decorator_needs_no_parentheses() -> None:
    assert isinstance(bare, Asset)
    assert bare.key == AssetKey("bare")
    assert bare.partitions == Unpartitioned()
    assert bare.description == "Say what the table holds."
    assert bare.model is Flight


def test_an_asset_stays_a_function() -> None:
    lf = pl.LazyFrame({"day": [None, None], "delay": [1.0, -1.0]})

    assert bare(lf).collect().height == 1
    assert bare(flights=lf).collect().height == 1


def test_the_place_of_an_asset_is_the_line_of_its_decorator() -> None:
    assert bare.where.file == __file__
    assert bare.where.line == inspect.getsourcelines(bare.function)[1]
    assert repr(bare) == f"<asset bare at {bare.where}>"


def test_annotations_may_be_local_to_a_function_with_and_without_parentheses() -> None:
    class Local(pa.DataFrameModel):
        delay: float

    class Source(dw.Resource):
        path: str

    @dw.asset
    def one(flights: LazyFrame[Local]) -> LazyFrame[Local]:
        return flights

    @dw.asset(name="raw/other", partitions=DAYS, partition_by="day")
    def other(one: LazyFrame[Local], source: Source, part: dw.Partition, log: dw.Logger) -> LazyFrame[Flight]: ...

    assert one.model is one.signature.upstreams[0].frame.model is Local
    assert other.key == AssetKey("raw/other")
    assert other.signature.resources == {"source": Source}
    assert (other.signature.partition, other.signature.logger) == ("part", "log")


def test_an_input_names_its_upstream_and_its_mapping() -> None:
    @dw.asset(partitions=DAYS, partition_by="day")
    def week(
        days: Annotated[
            LazyFrame[Flight], dw.Input(asset="raw/flights", mapping=dw.TimeWindowMapping(start_offset=-6))
        ],
    ) -> LazyFrame[Flight]:
        return days

    (upstream,) = week.signature.upstreams
    assert (upstream.argument, upstream.key, upstream.mapping) == (
        "days",
        AssetKey("raw/flights"),
        TimeWindowMapping(-6, 0),
    )


def test_frames_are_told_apart_by_kind_and_model() -> None:
    @dw.asset
    def table(
        own: dw.DataFrame[Flight],
        theirs: pt.LazyFrame[Flight],
        eager: pt.DataFrame[Flight],
        plain: pl.LazyFrame,
        any_rows: LazyFrame,
    ) -> pl.DataFrame: ...

    frames = {each.argument: (each.frame.is_lazy, each.frame.model) for each in table.signature.upstreams}
    assert frames == {
        "own": (False, Flight),
        "theirs": (True, Flight),
        "eager": (False, Flight),
        "plain": (True, None),
        "any_rows": (True, None),
    }
    assert table.model is None


def refusal(define: Callable[[], object]) -> DefinitionError:
    with pytest.raises(DefinitionError) as refused:
        define()
    return refused.value


def signatures() -> Iterator[tuple[str, Callable[..., Any], str]]:  # noqa: C901 - a list
    """Yield functions that are no assets, and what is said of them."""

    def f(flights) -> pl.LazyFrame: ...

    yield "no annotation", f, "argument 'flights' has no annotation; write LazyFrame[Model] for an upstream asset"

    def f(flights: pl.LazyFrame): ...

    yield "no return", f, "; there is none"

    def f() -> None: ...

    yield "returns nothing", f, ", not None"

    def f() -> dict[str, int]: ...

    yield "returns a dict", f, ", not dict[str, int]"

    def f(limit: int) -> pl.LazyFrame: ...

    yield (
        "meaningless",
        f,
        "argument 'limit' is an int; it must be LazyFrame[Model] or DataFrame[Model] for an upstream",
    )

    def f(limit: "pl.LazyFrame | None") -> pl.LazyFrame: ...  # noqa: UP037

    yield "optional frame", f, "argument 'limit' is a "

    def f(flights: LazyFrame[int]) -> pl.LazyFrame: ...

    yield "no model", f, "argument 'flights': int in the brackets of a frame is no pandera.polars DataFrameModel"

    def f() -> LazyFrame[Files]: ...

    yield "no model returned", f, "the return annotation: Files in the brackets of a frame is no pandera.polars"

    def f(one: dw.Partition, two: dw.Partition) -> pl.LazyFrame: ...

    yield "two partitions", f, "arguments 'one' and 'two' are both a Partition; one is enough"

    def f(one: Annotated[Files, dw.Input()]) -> pl.LazyFrame: ...

    yield "input on a resource", f, "argument 'one' has an Input, but is a Files; only frames are read"

    def f(one: Annotated[pl.LazyFrame, dw.Input]) -> pl.LazyFrame: ...

    yield "input is a class", f, "argument 'one': write Input(mapping=...) beside the frame"

    def f(one: Annotated[pl.LazyFrame, dw.TimeWindowMapping(-6)]) -> pl.LazyFrame: ...

    yield "bare mapping", f, "argument 'one': write Input(mapping=...) beside the frame, not TimeWindowMapping"

    def f(one: Annotated[pl.LazyFrame, dw.Input(mapping="all")]) -> pl.LazyFrame: ...

    yield "odd mapping", f, "argument 'one': mapping must be a value such as TimeWindowMapping(...), or a function"

    def f(one: Annotated[pl.LazyFrame, dw.Input(mapping=dw.TimeWindowMapping(1))]) -> pl.LazyFrame: ...

    yield "empty window", f, "start_offset 1 lies after end_offset 0"

    def f(one: Annotated[pl.LazyFrame, dw.Input(asset="../x")]) -> pl.LazyFrame: ...

    yield "bad key", f, "argument 'one': asset key '../x' has the part '..'"

    def f(*flights: pl.LazyFrame) -> pl.LazyFrame: ...

    yield "many arguments", f, "argument 'flights' must be a plain, named argument"

    def f(flights: LazyFrame[Nowhere]) -> pl.LazyFrame: ...  # noqa: F821

    yield "undefined name", f, "an annotation uses 'Nowhere', which is not defined"

    def f(flights: pl.Nowhere) -> pl.LazyFrame: ...

    yield "undefined attribute", f, "an annotation cannot be read: "

    async def f() -> pl.LazyFrame: ...

    yield "async", f, "the function must return a frame, so it is neither async nor a generator"

    def f() -> pl.LazyFrame:
        yield

    yield "generator", f, "the function must return a frame, so it is neither async nor a generator"


@pytest.mark.parametrize(("function", "problem"), [pytest.param(f, text, id=name) for name, f, text in signatures()])
def test_a_signature_that_means_nothing_is_refused_with_its_place(function: Callable[..., Any], problem: str) -> None:
    error = refusal(lambda: dw.asset(function))

    assert problem in str(error)
    assert re.match(rf"{re.escape(__file__)}:{function.__code__.co_firstlineno}: asset 'f': ", str(error))
    assert error.asset == "f"


def returning(model: type, **arguments: Any) -> Callable[..., Any]:
    def none() -> Any: ...
    def one(given: Any) -> Any: ...

    function = one if arguments else none
    function.__annotations__ = {**arguments, "return": LazyFrame[model]}
    return function


class Times(pa.DataFrameModel):
    day: pl.Datetime
    maybe: pl.Date | None


class Small(pa.DataFrameModel):
    day: pl.Date
    count: pl.UInt32


@pytest.mark.parametrize(
    ("model", "options", "problem"),
    [
        (Flight, {"partitions": DAYS}, "partitions are given, but not partition_by"),
        (Flight, {"partition_by": "day"}, "partition_by='day' is given, but no partitions"),
        (Flight, {"partitions": "daily"}, "partitions must be a definition such as DailyPartitions"),
        (Flight, {"partitions": dw.DailyPartitions}, "partitions must be a definition such as DailyPartitions"),
        (
            Flight,
            {"partitions": DAYS, "partition_by": "date"},
            "model Flight has no required column 'date', which partition_by names; its columns are day, delay",
        ),
        (Times, {"partitions": DAYS, "partition_by": "maybe"}, "model Times has no required column 'maybe'"),
        (Times, {"partitions": DAYS, "partition_by": "day"}, "partition column 'day' has dtype Datetime"),
        (Small, {}, "column 'count' of model Small has dtype UInt32: Delta does not give it back as it was; use Int64"),
        (Flight, {"name": "_hidden"}, "asset key '_hidden' has the part '_hidden'"),
        (Flight, {"name": "a//b"}, "asset key 'a//b' has the part ''"),
    ],
)
def test_a_table_that_cannot_be_is_refused_with_its_place(model: Any, options: dict[str, Any], problem: str) -> None:
    function = returning(model)

    error = refusal(lambda: dw.asset(**options)(function))

    assert problem in str(error)
    assert str(error).startswith(f"{__file__}:{function.__code__.co_firstlineno}: asset ")


def test_a_partition_argument_needs_partitions() -> None:
    error = refusal(lambda: dw.asset(returning(Flight, given=dw.Partition)))

    assert "argument 'given' is a Partition, but the asset is not partitioned" in str(error)


@pytest.mark.parametrize("argument", [False, True], ids=["returned", "read"])
def test_a_model_that_cannot_be_enforced_is_refused_with_its_own_place(argument: bool) -> None:
    class Dropping(pa.DataFrameModel):
        delay: float

        class Config:
            drop_invalid_rows = True

    function = returning(Flight, given=LazyFrame[Dropping]) if argument else returning(Dropping)

    error = refusal(lambda: dw.asset(function))

    assert isinstance(error, InvalidContract)
    assert error.where is not None
    assert error.where.line == inspect.getsourcelines(Dropping)[1]


def test_the_name_goes_in_by_keyword() -> None:
    error = refusal(lambda: dw.asset("flights"))

    assert "asset decorates a function, not 'flights'; write @asset(name='flights')" in str(error)


def test_a_call_makes_at_least_one_partition() -> None:
    with pytest.raises(InvalidDefinition, match="max_partitions must be 1 or more, not 0"):
        dw.BackfillPolicy.ranges(0)
    assert dw.BackfillPolicy.ranges().max_partitions == 100


@pytest.mark.parametrize(
    ("known_bytes", "known", "most"),
    [(0, 0, 1), (10, 1, 4), (40, 4, 10), (0, 4, 16), (4000, 4, 1), (1000, 400, 40), (10, 10_000, 50)],
)
def test_calls_sized_by_bytes_grow_with_what_is_known(known_bytes: int, known: int, most: int) -> None:
    policy = dw.BackfillPolicy.auto(target_bytes=100, max_partitions=50)

    assert policy.partitions_a_call(known_bytes, known) == most
    assert dw.BackfillPolicy.ranges(7).partitions_a_call(known_bytes, known) == 7
    assert dw.BackfillPolicy.single_run().partitions_a_call(known_bytes, known) is None


def test_a_call_for_several_partitions_keeps_within_the_memory_of_its_run() -> None:
    ranges, one, whole = dw.BackfillPolicy.ranges(50), dw.BackfillPolicy(), dw.BackfillPolicy.single_run()

    assert ranges.within(None) == ranges
    assert ranges.within(1000).partitions_a_call(100, 10) == 40, "at most four times as many as are known"
    assert ranges.within(200).partitions_a_call(100, 10) == 20
    assert dw.BackfillPolicy.auto(target_bytes=100).within(200).target_bytes == 100
    assert (one.within(10), whole.within(10)) == (one, whole), "their calls are never cut"


@pytest.mark.parametrize("limit", ["timeout_s", "memory_mb"])
@pytest.mark.parametrize("value", [0, -1, "5", True, float("nan"), float("inf")])
def test_a_limit_that_nothing_could_keep_is_refused(limit: str, value: Any) -> None:
    with pytest.raises(InvalidDefinition, match=rf"asset 'brief': {limit} must be a number above 0, not ") as caught:

        @dw.asset(**{limit: value})
        def brief() -> pl.LazyFrame:
            return pl.LazyFrame({"a": [1]})

    assert caught.value.where is not None


@pytest.mark.parametrize(
    ("classes", "problem"),
    [
        ("OSError", "must be a list of classes or of their names, not 'OSError'"),
        (OSError, "must be a list of classes or of their names, not <class 'OSError'>"),
        ([int], "takes classes of exceptions or their names, not <class 'int'>"),
        ([OSError, 5], "takes classes of exceptions or their names, not 5"),
    ],
)
@pytest.mark.parametrize("field", ["retry_on", "give_up_on"])
def test_what_is_no_class_of_errors_is_refused(field: str, classes: Any, problem: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        dw.RetryPolicy(**{field: classes})

    assert caught.value.reason == f"RetryPolicy: {field} {problem}"


@pytest.mark.parametrize("days", [-1, "30", True, float("nan"), 1e9])
def test_a_retention_that_is_no_number_of_days_is_refused(days: Any) -> None:
    with pytest.raises(InvalidDefinition, match="retention_days must be a number of days from 0 to 100,000, not"):

        @dw.asset(retention_days=days)
        def brief() -> pl.LazyFrame:
            return pl.LazyFrame({"a": [1]})
