"""Jobs as Dagster's users know them: diamonds, nested graphs, fan-outs, branches, retries, resources, config, hooks."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import deltaworks as dw
from deltaworks.errors import InvalidDefinition, RequestError, RunError
from deltaworks.io.ledger import read_runs
from deltaworks.io.store import Store
from deltaworks.testing import FrozenClock


@dw.op
def flour() -> int:
    return 2


@dw.op
def cups(flour: int) -> int:
    return flour * 3


@dw.op
def grams(flour: int) -> float:
    return flour * 500.0


@dw.op
def recipe(cups: int, grams: float) -> str:
    return f"{cups} cups or {grams:.0f} g"


def test_a_diamond_gives_each_op_what_it_reads() -> None:
    @dw.job
    def bake() -> Any:
        bag = flour()
        return recipe(cups(bag), grams(bag))

    result = bake.execute_in_process()

    assert result.success
    assert result.output() == "6 cups or 1000 g"
    assert result.output("cups") == 6
    assert recipe(1, 2.0) == "1 cups or 2 g", "outside of a graph an op is its function"


def test_a_nested_graph_takes_inputs_gives_outputs_and_may_be_used_again_by_another_name() -> None:
    @dw.graph
    def measured(bag: int) -> Any:
        return {"cups": cups(bag), "grams": grams(bag)}

    @dw.graph
    def bake(bag: int = 4) -> Any:
        small, large = measured.alias("small")(flour()), measured.alias("large")(bag)
        return recipe(small.cups, large.grams)

    result = bake.to_job("two_bags").execute_in_process()

    assert result.output() == "6 cups or 2000 g"
    assert {"small.cups", "small.grams", "large.cups", "large.grams"} < set(result.steps)
    assert bake.to_job(inputs={"bag": 1}).execute_in_process().output() == "6 cups or 500 g"


@dw.op(out=dw.DynamicOut())
def letters(word: str) -> Iterator[dw.DynamicOutput[str]]:
    for place, letter in enumerate(word):
        yield dw.DynamicOutput(letter, mapping_key=f"{letter}{place}")


@dw.op
def word() -> str:
    return "tea"


@dw.op
def upper(letter: str) -> str:
    return letter.upper()


@dw.op
def joined(letters: list[str]) -> str:
    return "".join(letters)


def test_a_fan_out_is_mapped_collected_and_nested() -> None:
    @dw.op(out=dw.DynamicOut())
    def doubled(letter: str) -> Iterator[dw.DynamicOutput[str]]:
        yield dw.DynamicOutput(letter, "first")
        yield dw.DynamicOutput(letter.upper(), "second")

    @dw.op
    def flat(lists: list[list[str]]) -> str:
        return "".join(letter for letters in lists for letter in letters)

    @dw.graph
    def twice(letter: str) -> Any:
        return doubled(letter).map(upper).collect()

    @dw.job
    def spelled() -> Any:
        fan = letters(word())
        return {"loud": joined(fan.map(upper).collect()), "twice": flat(fan.map(twice).collect())}

    result = spelled.execute_in_process()

    assert result.outputs == {"loud": "TEA", "twice": "TTEEAA"}
    assert "twice[e1].upper[second]" in result.steps


def test_a_branch_that_is_not_taken_is_skipped_and_the_two_meet_again() -> None:
    @dw.op(out={"good": dw.Out(int, is_required=False), "bad": dw.Out(int, is_required=False)})
    def judge(n: int) -> Iterator[dw.Output[int]]:
        yield dw.Output(n, "good" if n > 0 else "bad")

    @dw.op
    def praise(n: int) -> str:
        return f"{n} is fine"

    @dw.op
    def mend(n: int) -> str:
        return f"{-n} was mended"

    @dw.op(run_when="any_success")
    def tell(praised: str | None = None, mended: str | None = None) -> str:
        return praised or mended or ""

    @dw.graph
    def judged(n: int) -> Any:
        good, bad = judge(n)
        return tell(praise(good), mend(bad))

    fine = judged.to_job("fine", inputs={"n": 3}).execute_in_process()
    poor = judged.to_job("poor", inputs={"n": -3}).execute_in_process()

    assert (fine.output(), poor.output()) == ("3 is fine", "3 was mended")
    assert fine.steps["mend"].ending is dw.Ending.SKIP
    assert fine.steps["mend"].reason == "judge did not give what it reads"
    assert fine.success


def test_a_call_that_fails_is_tried_again_and_then_what_waits_for_it_is_not_run() -> None:
    tried: list[int] = []

    @dw.op(retry=dw.RetryPolicy(max_retries=2, delay_s=0.01))
    def flaky(attempt: dw.Attempt) -> int:
        tried.append(attempt.number)
        if attempt.number < 3:
            raise ConnectionError("not there yet")
        return attempt.number

    @dw.op
    def never() -> int:
        raise ValueError("no luck")

    @dw.op(run_when="any_failed")
    def clean_up(n: int | None = None) -> str:
        return f"cleaned up without {n}"

    @dw.job
    def unlucky() -> None:
        flaky()
        lost = never()
        cups(lost)
        clean_up(lost)

    result = unlucky.execute_in_process(raise_on_failure=False)

    assert tried == [1, 2, 3]
    assert result.steps["flaky"].tries == 3
    assert result.failures.keys() == {"never"}
    assert "ValueError: no luck" in result.failures["never"]
    assert result.steps["cups"].reason == "never failed"
    assert result.output("clean_up") == "cleaned up without None"
    assert not result.success, "whatever ran because of a failure, it is one"
    with pytest.raises(RunError, match="step never failed: ValueError: no luck"):
        unlucky.execute_in_process()


def test_a_test_says_what_time_it_is() -> None:
    @dw.op
    def day(partition: dw.Partition) -> str:
        return partition.key

    @dw.graph
    def daily() -> None:
        day()

    job = daily.to_job(partitions=dw.DailyPartitions(start="2024-01-01"))

    result = job.execute_in_process(partition="2024-01-02", now=FrozenClock("2024-01-03"))

    assert result.output("day") == "2024-01-02"
    with pytest.raises(RequestError, match="2024-01-03"):
        job.execute_in_process(partition="2024-01-03", now=FrozenClock("2024-01-03"))


class Post(dw.Resource):
    def send(self, text: str) -> str:
        return f"{text} to nowhere"


class Greeting(dw.Config):
    name: str
    times: int = 1


@dw.op
def greet(config: Greeting) -> str:
    return f"hello {config.name}" * config.times


def test_config_is_validated_before_anything_starts() -> None:
    ran: list[str] = []

    @dw.op
    def first() -> None:
        ran.append("first")

    @dw.job(config={"greet": {"times": 2}})
    def polite() -> None:
        first()
        greet()

    result = polite.execute_in_process(config={"greet": {"name": "you"}})

    assert result.output("greet") == "hello youhello you"
    ran.clear()
    for config, problem in (
        ({}, r"config field 'name' is missing; give it by --config greet.name="),
        (
            {"greet": {"name": "you", "time": 2}},
            r"config=: op 'greet' of job 'polite' has no config field 'time'. Did you",
        ),
        (
            {"greet": {"name": "you", "times": "x"}},
            r"config=: config field greet.times: Input should be a valid integer",
        ),
        ({"great": {}}, r"has no op 'great' that takes config. Did you mean 'greet'"),
    ):
        with pytest.raises(RequestError, match=problem):
            polite.execute_in_process(config=config)
    assert not ran


def test_hooks_are_told_how_steps_and_runs_end() -> None:
    told: list[str] = []

    @dw.success_hook
    def done(step: dw.StepEnded) -> None:
        told.append(f"{step.step} done")

    @dw.failure_hook
    def failed(step: dw.StepEnded) -> None:
        told.append(f"{step.step} failed")
        raise RuntimeError("hooks may fail")

    @dw.skip_hook
    def skipped(step: dw.StepEnded) -> None:
        told.append(f"{step.step} skipped: {step.reason}")

    @dw.failure_hook
    def run_failed(run: dw.RunEnded, post: Post) -> None:
        told.append(f"{run.job} failed at {', '.join(run.failures)}, {post.send('mail')}")

    @dw.op(hooks=[failed])
    def never() -> int:
        raise ValueError("no luck")

    @dw.job(hooks=[done, skipped, run_failed])
    def told_of() -> None:
        flour()
        cups(never())

    told_of.execute_in_process(resources={"post": Post()}, raise_on_failure=False)

    assert sorted(told[:-1]) == ["cups skipped: never failed", "flour done", "never failed"]
    assert told[-1] == "told_of failed at never, mail to nowhere"


def test_a_retry_goes_on_from_the_failure_with_what_was_stored(tmp_path: Any) -> None:
    ran: list[str] = []
    broken = {"e1"}

    @dw.op
    def table() -> pl.LazyFrame:
        ran.append("table")
        return pl.LazyFrame({"n": [1, 2]})

    @dw.op
    def check(letter: str, table: pl.DataFrame, attempt: dw.Attempt) -> int:
        ran.append(attempt.step)
        if letter == "e" and broken:
            raise ValueError("not yet")
        return table.height

    @dw.op
    def total(counts: list[int]) -> int:
        ran.append("total")
        return sum(counts)

    @dw.job
    def counted() -> Any:
        rows = table()
        return total(letters(word()).map(lambda letter: check(letter, rows)).collect())

    first = counted.execute_in_process(lake=tmp_path, raise_on_failure=False)
    assert sorted(ran) == ["check[a2]", "check[e1]", "check[t0]", "table"]
    assert first.steps["total"].ending is dw.Ending.SKIP

    ran.clear()
    broken.clear()
    second = counted.execute_in_process(lake=tmp_path, retry_of=first.run_id)
    assert ran == ["check[e1]", "total"]
    assert second.output() == 6
    assert second.steps["check[t0]"].is_kept
    assert_frame_equal(second.output("table").collect(), pl.DataFrame({"n": [1, 2]}))

    ran.clear()
    third = counted.execute_in_process(lake=tmp_path, retry_of=second.run_id)
    assert not ran
    assert third.output() == 6


class Carrier(pa.DataFrameModel):
    carrier: str
    flights: int


days = dw.DailyPartitions(start="2024-01-01", end="2024-01-03")


@dw.asset(partitions=days, partition_by="day")
def carriers(partition: dw.Partition) -> pl.LazyFrame:
    return pl.LazyFrame({"day": [partition.start], "carrier": ["UA"], "flights": [partition.start.day]})


@dw.asset
def every_carrier(carriers: pl.LazyFrame) -> dw.LazyFrame[Carrier]:
    return carriers.select("carrier", "flights")


def test_ops_read_tables_at_one_version_and_a_retry_reads_the_same_one(tmp_path: Any) -> None:
    is_broken = True

    @dw.op
    def busiest(rows: Annotated[dw.DataFrame[Carrier], dw.In(asset="every_carrier")]) -> int:
        if is_broken:
            raise ValueError("not yet")
        return rows["flights"].sum()

    @dw.op
    def of_day(rows: Annotated[pl.DataFrame, dw.In(asset="carriers")]) -> int:
        return rows["flights"].sum()

    @dw.graph
    def announced() -> Any:
        return {"all": busiest(), "day": of_day()}

    assets = [carriers, every_carrier]
    job = announced.to_job(partitions=days)
    with pytest.raises(RequestError, match="There is no table every_carrier"):
        job.execute_in_process(lake=tmp_path, assets=assets, partition="2024-01-02")
    dw.materialize(assets, lake=tmp_path)
    first = job.execute_in_process(lake=tmp_path, assets=assets, partition="2024-01-02", raise_on_failure=False)
    pl.DataFrame({"carrier": ["DL"], "flights": [100]}).write_delta(str(tmp_path / "every_carrier"), mode="append")
    is_broken = False

    again = job.execute_in_process(lake=tmp_path, assets=assets, retry_of=first.run_id)
    anew = job.execute_in_process(lake=tmp_path, assets=assets, partition="2024-01-02")

    assert again.outputs == {"all": 3, "day": 2}
    assert anew.outputs == {"all": 103, "day": 2}
    with pytest.raises(RequestError, match="runs for one partition: give --partition"):
        job.execute_in_process(lake=tmp_path, assets=assets)


def test_what_cannot_fit_is_refused_at_load_with_its_line() -> None:
    @dw.op
    def text(carriers: Annotated[pl.LazyFrame, dw.In(asset="carrier")]) -> None: ...

    @dw.op(run_when="any_success")
    def needy(n: int) -> None: ...

    def mismatch() -> None:
        joined(flour())

    def missing() -> None:
        recipe(cups(flour()))

    def undefined() -> None:
        needy(flour())

    def looped() -> None:
        for letter in letters(word()):
            upper(letter)

    def uncollected() -> None:
        joined(letters(word()).map(upper))

    for body, problem in (
        (mismatch, r"test_jobs.py:\d+: op 'joined' takes list\[str\] as 'letters', but the output of 'flour' is int"),
        (missing, r"test_jobs.py:\d+: op 'recipe' needs input 'grams' \(float\)"),
        (undefined, r"there may be no 'n': give it a default"),
        (looped, r"use .map\(...\) instead of a loop"),
        (uncollected, r"one for each key; use .map\(...\) or .collect\(\)"),
    ):
        with pytest.raises(InvalidDefinition, match=problem):
            dw.graph(body)

    @dw.job
    def reading() -> None:
        text()

    with pytest.raises(InvalidDefinition, match=r"reads asset 'carrier' as 'carriers', but there is none.*'carriers'"):
        reading.execute_in_process(assets=[carriers])


def test_what_an_op_returns_is_held_to_what_it_promises() -> None:
    @dw.op
    def wrong() -> int:
        return "three"  # type: ignore[return-value]

    @dw.op(out={"a": dw.Out(int), "b": dw.Out(int)})
    def few() -> Iterator[dw.Output[int]]:
        yield dw.Output(1, "a")

    @dw.op
    def columns() -> dw.LazyFrame[Carrier]:
        return pl.LazyFrame({"carrier": ["UA"]})

    @dw.job
    def promising() -> None:
        wrong()
        few()
        columns()

    failures = promising.execute_in_process(raise_on_failure=False).failures

    assert "it gave str as 'result', expected int" in failures["wrong"]
    assert "it gave no 'b'" in failures["few"]
    assert "model Carrier" in failures["columns"]


def test_several_outputs_need_no_return_annotation() -> None:
    def both():
        return 1, "a"

    def either() -> Any:
        return 1, "a"

    for function in (both, either):
        split = dw.op(out={"number": dw.Out(), "word": dw.Out()})(function)
        assert [port.type for port in split.outputs.values()] == [Any, Any]


def test_a_retry_is_given_the_dates_and_numbers_of_a_config_again(tmp_path: Any) -> None:
    class Since(dw.Config):
        day: dt.date
        at: dt.time
        limits: list[float]

    seen: list[Since] = []

    @dw.op
    def dated(since: Since) -> None:
        seen.append(since)
        if len(seen) == 1:
            raise ValueError("not yet")

    @dw.job
    def daily() -> None:
        dated()

    given: dict[str, Any] = {"day": dt.date(2024, 1, 2), "at": dt.time(3, 4), "limits": [math.inf, math.nan, 0.5]}
    failed = daily.execute_in_process(lake=tmp_path, config={"dated": given}, raise_on_failure=False)
    again = daily.execute_in_process(lake=tmp_path, retry_of=failed.run_id)

    (entry, _) = read_runs(Store.at(str(tmp_path)))
    assert (failed.success, again.success) == (False, True)
    assert entry.config == {"dated": {"day": "2024-01-02", "at": "03:04:00", "limits": ["Infinity", "NaN", 0.5]}}
    assert repr(seen[1]) == repr(seen[0]) == repr(Since(**given))
