"""Which steps of a job run, are skipped or blocked, in any order, with any outcomes, and again after a failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltaworks.engine.definitions.ops.graph import Graph, graph
from deltaworks.engine.definitions.ops.op import RunWhen, op
from deltaworks.engine.definitions.ops.ports import DynamicOut, Out
from deltaworks.engine.planning.step_agenda import Constant, Fate, GivenValue, Listed, StepAgenda, StepEnd
from deltaworks.engine.planning.step_graph import StepGraph, StepId, resolve_steps

WITH = StepEnd(Fate.SUCCESS, frozenset({"result"}))
WITHOUT = StepEnd(Fate.SUCCESS)
FAILED = StepEnd(Fate.FAILED, reason="it raised")


@op(out=Out(is_required=False))
def work(direct: Any = None, listed: Any = None) -> Any:
    """Stands for any op."""


@op(out=DynamicOut())
def spread(after: Any = None) -> Any:
    """Stands for any op that fans out."""


def keys(*names: str) -> StepEnd:
    return StepEnd(Fate.SUCCESS, frozenset({"result"}), {"result": names})


def steps_of(composed: Graph) -> StepGraph:
    return resolve_steps(composed, {})


def run(
    steps: StepGraph,
    outcome: Callable[[str], StepEnd],
    recorded: Mapping[StepId, StepEnd] | None = None,
    pick: Callable[[int], int] = lambda _: 0,
) -> tuple[dict[str, StepEnd], list[str]]:
    """Run steps, several at a time, ending in any order; return all ends and what was run, by address."""
    agenda = StepAgenda(steps, recorded)
    ran: list[str] = []
    running: list[StepId] = []
    while not agenda.is_done:
        while agenda.has_ready and (not running or pick(2)):
            step = agenda.take()
            assert step is not None
            for need in steps.nodes[step.path].needs:
                assert StepId(need.path, step.keys[: need.level]) not in running, "it began before what it needs ended"
            running.append(step)
        step = running.pop(pick(len(running)))
        ran.append(steps.address(step))
        agenda.end(step, outcome(ran[-1]))
    return {steps.address(step): end for step, end in agenda.ends.items()}, ran


@dataclass(frozen=True)
class Made:
    """One op of a random graph."""

    direct: int | None
    listed: tuple[int, ...]
    run_when: RunWhen
    outcomes: tuple[StepEnd, StepEnd]
    """In the first run, and where it is run in the retry."""

    @property
    def parents(self) -> tuple[int, ...]:
        return self.listed if self.direct is None else (self.direct, *self.listed)


@st.composite
def made_graphs(draw: st.DrawFn) -> list[Made]:
    made: list[Made] = []
    for number in range(draw(st.integers(1, 12))):
        before = st.integers(0, number - 1)
        direct = draw(st.none() | before) if number else None
        listed = tuple(draw(st.lists(before, max_size=3, unique=True))) if number else ()
        run_when = draw(st.sampled_from(RunWhen))
        first = draw(st.sampled_from([WITH, WITH, WITHOUT, FAILED]))
        again = (
            draw(st.sampled_from([WITH, WITHOUT, FAILED])) if first is FAILED else draw(st.sampled_from([WITH, FAILED]))
        )
        made.append(Made(direct, listed, run_when, (first, again)))
    return made


def composed_of(made: list[Made]) -> Graph:
    def body() -> None:
        handles: list[Any] = []
        for number, each in enumerate(made):
            given: dict[str, Any] = {}
            if each.direct is not None:
                given["direct"] = handles[each.direct]
            if each.listed:
                given["listed"] = [handles[place] for place in each.listed]
            handles.append(work.alias(f"s{number}", run_when=each.run_when)(**given))

    return graph(body)


def naive(made: list[Made], outcomes: list[StepEnd]) -> list[Fate]:
    """What becomes of each op, decided from what became of its parents, as the rules say it."""
    fates: list[Fate] = []
    there: list[bool] = []
    for each, outcome in zip(made, outcomes, strict=True):
        bad = any(fates[parent] in (Fate.FAILED, Fate.BLOCKED) for parent in each.parents)
        some = any(there[parent] for parent in each.parents)
        lacks = (each.direct is not None and not there[each.direct]) or (
            bool(each.listed) and not any(there[parent] for parent in each.listed)
        )
        fate = Fate.SUCCESS
        if each.run_when is RunWhen.ALL_SUCCESS:
            fate = Fate.BLOCKED if bad else Fate.SKIPPED if lacks else Fate.SUCCESS
        elif each.run_when is RunWhen.ANY_SUCCESS and each.parents and not some:
            fate = Fate.BLOCKED if bad else Fate.SKIPPED
        elif each.run_when is RunWhen.ANY_FAILED and not bad:
            fate = Fate.SKIPPED
        if fate is Fate.SUCCESS:
            fate = outcome.fate
        fates.append(fate)
        there.append(fate is Fate.SUCCESS and "result" in outcome.given)
    return fates


def runs_as_the_rules_say_and_is_taken_up_where_it_failed(made: list[Made], data: Any) -> None:
    steps = steps_of(composed_of(made))
    names = [f"s{number}" for number in range(len(made))]

    def pick(of: int) -> int:
        return data.draw(st.integers(0, of - 1)) if of > 1 else 0

    first = [each.outcomes[0] for each in made]
    ends, ran = run(steps, lambda name: first[int(name[1:])], pick=pick)

    fates = naive(made, first)
    assert [ends[name].fate for name in names] == fates
    assert sorted(ran) == sorted(
        name for name, fate in zip(names, fates, strict=True) if fate in (Fate.SUCCESS, Fate.FAILED)
    )

    same: list[bool] = []
    for each, fate in zip(made, fates, strict=True):
        same.append(fate is not Fate.FAILED and all(same[parent] for parent in each.parents))
    second = [each.outcomes[0] if kept else each.outcomes[1] for each, kept in zip(made, same, strict=True)]
    recorded = {StepId((name,)): ends[name] for name in names}
    ends, ran = run(steps, lambda name: second[int(name[1:])], recorded, pick)

    fates = naive(made, second)
    assert [ends[name].fate for name in names] == fates
    assert sorted(ran) == sorted(
        name
        for name, fate, kept in zip(names, fates, same, strict=True)
        if not kept and fate in (Fate.SUCCESS, Fate.FAILED)
    )


@settings(max_examples=250, deadline=None)
@given(made_graphs(), st.data())
def test_random_graphs_run_as_the_rules_say_and_are_taken_up_where_they_failed(made: list[Made], data: Any) -> None:
    runs_as_the_rules_say_and_is_taken_up_where_it_failed(made, data)


@pytest.mark.soak
@settings(max_examples=5_000, deadline=None, derandomize=False)
@given(made_graphs(), st.data())
def test_many_random_graphs_run_as_the_rules_say(made: list[Made], data: Any) -> None:
    runs_as_the_rules_say_and_is_taken_up_where_it_failed(made, data)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.lists(st.sampled_from("xyz"), unique=True), max_size=4),
    st.sets(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz"))),
    st.data(),
)
def test_fans_within_fans_have_a_step_for_each_pair_of_keys(
    found: dict[str, list[str]], failing: set[tuple[str, str]], data: Any
) -> None:
    @graph
    def each(piece: Any) -> Any:
        return spread.alias("parts")(piece).map(lambda part: work.alias("inner")(part, [piece])).collect()

    @graph
    def nested() -> None:
        work.alias("total")(spread.alias("pieces")().map(each).collect())

    def outcome(address: str) -> StepEnd:
        name = address.rpartition(".")[2]
        if name == "pieces":
            return keys(*found)
        if name == "parts":
            return keys(*found[address[len("each[")]])
        if name == "total":
            return WITH
        return FAILED if (address[len("each[")], name[len("inner[")]) in failing else WITH

    steps = steps_of(nested)
    ends, ran = run(steps, outcome, pick=lambda of: data.draw(st.integers(0, of - 1)) if of > 1 else 0)

    inner = {(piece, part) for piece, parts in found.items() for part in parts}
    expected = {"pieces"} | {f"each[{piece}].parts" for piece in found}
    expected |= {f"each[{piece}].inner[{part}]" for piece, part in inner}
    failed = inner & failing
    assert sorted(ran) == sorted(expected if failed else expected | {"total"})
    assert ends["total"].fate is (Fate.BLOCKED if failed else Fate.SUCCESS)

    agenda = StepAgenda(steps, {step: ends[steps.address(step)] for step in _ids(steps, found)})
    again: set[str] = set()
    while (step := agenda.take()) is not None:
        again.add(steps.address(step))
        agenda.end(step, WITH)
    assert again == ({f"each[{piece}].inner[{part}]" for piece, part in failed} | {"total"} if failed else set())


def _ids(steps: StepGraph, found: dict[str, list[str]]) -> list[StepId]:
    yield_of: dict[int, list[tuple[str, ...]]] = {
        0: [()],
        1: [(piece,) for piece in found],
        2: [(piece, part) for piece, parts in found.items() for part in parts],
    }
    return [StepId(path, keys) for path, node in steps.nodes.items() for keys in yield_of[len(node.fans)]]


def test_a_collection_has_its_values_in_the_order_of_the_keys_and_leaves_out_what_was_skipped() -> None:
    @graph
    def fan() -> None:
        work(spread().map(work.alias("each")).collect())

    steps = steps_of(fan)
    outcomes = {"spread": keys("b", "a", "c"), "each[a]": WITHOUT}
    agenda = StepAgenda(steps)
    while (step := agenda.take()) is not None and step.path != ("work",):
        agenda.end(step, outcomes.get(steps.address(step), WITH))

    assert step is not None
    given = agenda.arguments(step)["direct"]
    assert isinstance(given, Listed)
    assert [item.step.keys for item in given.items if isinstance(item, GivenValue)] == [("b",), ("c",)]


@pytest.mark.parametrize(
    ("end", "fate"), [(FAILED, Fate.BLOCKED), (StepEnd(Fate.SUCCESS, frozenset({"result"})), Fate.SUCCESS)]
)
def test_a_fan_without_keys_is_collected_as_an_empty_list_and_one_that_failed_blocks(end: StepEnd, fate: Fate) -> None:
    @graph
    def fan() -> None:
        work(spread().map(work.alias("each")).collect())

    ends, _ = run(steps_of(fan), lambda name: keys() if (name, fate) == ("spread", Fate.SUCCESS) else end)

    assert ends["work"].fate is fate
    assert ("each[?]" in ends) is (fate is Fate.BLOCKED)


def test_what_is_called_inside_a_map_is_done_for_each_key() -> None:
    @graph
    def fan() -> None:
        spread().map(lambda piece: work.alias("both")(piece, [work.alias("beside")()]))

    _, ran = run(steps_of(fan), lambda name: keys("a", "b") if name == "spread" else WITH)

    assert sorted(ran) == ["beside[a]", "beside[b]", "both[a]", "both[b]", "spread"]


def test_a_canceled_run_begins_nothing_more() -> None:
    @graph
    def chain() -> None:
        work.alias("last", run_when="all_done")(work.alias("second")(work.alias("first")()))
        spread().map(work.alias("each"))

    steps = steps_of(chain)
    agenda = StepAgenda(steps)
    first = agenda.take()
    assert first is not None

    agenda.cancel()
    agenda.end(first, WITH)

    assert agenda.is_done
    assert {steps.address(step): end.fate for step, end in agenda.ends.items()} == {
        "first": Fate.SUCCESS,
        "second": Fate.CANCELED,
        "last": Fate.CANCELED,
        "spread": Fate.CANCELED,
        "each[?]": Fate.CANCELED,
    }


def test_constants_stand_in_the_graph() -> None:
    @graph
    def constant() -> None:
        work(3)

    agenda = StepAgenda(steps_of(constant))

    assert agenda.arguments(StepId(("work",))) == {"direct": Constant(3)}
