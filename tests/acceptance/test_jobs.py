"""Jobs as Dagster's users know them: diamonds, nested graphs, fan-outs, branches, and what cannot fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import polars as pl
import pytest

import deltaworks as dw
from deltaworks.errors import InvalidDefinition, RequestError
from deltaworks.testing import FrozenClock
from tests.acceptance.ops import Carrier, carriers, cups, flour, grams, joined, letters, recipe, upper, word


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


@pytest.mark.parametrize(
    ("misuse", "problem"),
    [
        (lambda made, _: take(made == 1), "the output of 'one' .* cannot be compared"),
        (lambda made, _: take(made != 1), "the output of 'one' .* cannot be compared"),
        (lambda made, _: take(f"{made}"), "the output of 'one' .* cannot be made a text"),
        (
            lambda made, _: take({"n": [made]}),
            "'take', input 'value' is given <the output of 'one'> inside of a dict",
        ),
        (lambda made, _: take([[made]]), "is given <the output of 'one'> inside of a list"),
        (lambda _, each: take({"n": each}), "is given <the output of 'several', for each key> inside of a dict"),
        (lambda _, each: take("some" if each else "none"), "the output of 'several', for each key .* decided on"),
        (lambda _, each: take(str(each)), "the output of 'several', for each key .* cannot be made a text"),
    ],
)
def test_what_has_no_value_yet_is_taken_for_none(misuse: Callable[[Any, Any], Any], problem: str) -> None:
    with pytest.raises(InvalidDefinition, match=problem):

        @dw.graph
        def careless() -> None:
            misuse(one_more(), several())


@dw.op(name="one")
def one_more() -> int:
    return 1


@dw.op(out=dw.DynamicOut())
def several() -> Iterator[dw.DynamicOutput[int]]:
    yield dw.DynamicOutput(1, "a")


@dw.op
def take(value: Any) -> None: ...


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
