"""Tasks that take a moment go to the workers of a cluster in bundles, and each still has an outcome of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from deltaworks.engine.definitions.policies import Limits
from deltaworks.engine.execution.workers.dask.bundle import MOMENT_S, MOST, Load, Sent, Sizes
from deltaworks.engine.execution.workers.dask.session import Session
from tests.engine.execution import carried_out
from tests.engine.execution.carried_out import DEATHS, Given, outcomes, reason_of, task, wait_until
from tests.engine.execution.on_dask import on_dask
from tests.engine.execution.test_dask import ROOT, on_scheduler, scheduler, worker_process

CREW = "deltaworks.engine.execution.workers.dask.crew"


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))  # where other processes find what tasks do


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tasks each bundle holds that goes to a worker, put down as they go."""
    found: list[int] = []
    submit: Callable[..., Any] = Session.submit

    def note(session: Session, keys: Sequence[str], calls: Sequence[Any], *more: Any) -> Any:
        found.extend(len(call.__reduce__()[1][1]) for call in calls)
        return submit(session, keys, calls, *more)

    monkeypatch.setattr(Session, "submit", note)
    return found


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let eight tasks go together, however long they may take."""
    monkeypatch.setattr(Sizes, "of", lambda *_: 8)


def sent(number: int, kind: str = "a", *resources: tuple[str, float]) -> Sent[Any]:
    return Sent(task(number), Load(f"{kind}-{number}", kind, Limits(), b""), kind, resources)


def sizes_of(bundles: Any) -> list[tuple[str, int]]:
    return [(bundle[0].kind, len(bundle)) for bundle in bundles]


def test_as_many_go_together_as_take_a_moment() -> None:
    sizes = Sizes()
    assert sizes.of("a") == 1  # nobody knows how long it takes

    sizes.note("a", MOMENT_S / 4)
    assert (sizes.of("a"), sizes.of("b")) == (4, 1)
    sizes.note("a", 1.0)
    assert sizes.of("a") == 1  # what is slower counts at once
    for _ in range(40):
        sizes.note("a", 0.0)
    assert sizes.of("a") == MOST  # and is forgotten little by little

    sizes.keep_apart(["a"])
    sizes.note("a", 0.0)
    assert sizes.of("a") == 1


def test_only_those_of_a_kind_with_the_same_needs_go_together_and_every_thread_has_something_to_do() -> None:
    sizes = Sizes()
    for kind in ("a", "b"):
        sizes.note(kind, 0.0)
    some = [sent(number) for number in range(5)]
    mixed = [*some, sent(5, "b"), sent(6, "b", ("GPU", 1)), sent(7, "b", ("GPU", 1)), sent(8, "c"), sent(9, "c")]

    assert sizes_of(sizes.bundles(mixed, 100)) == [("a", 5), ("b", 1), ("b", 2), ("c", 1), ("c", 1)]
    assert sizes_of(sizes.bundles(some, 2)) == [("a", 2), ("a", 2), ("a", 1)]
    assert sizes_of(sizes.bundles(some, 0)) == [("a", 1)] * 5
    assert [each for bundle in sizes.bundles(mixed, 2) for each in bundle] == mixed


def test_those_that_take_a_moment_come_back_one_by_one_though_they_went_together(trips: list[int]) -> None:
    executor = on_dask(carried_out.do_nothing)
    for first in range(0, 300, 100):
        for number in range(first, first + 100):
            executor.submit(task(number))
        found = outcomes(executor, 100)
        assert sorted(found) == list(range(first, first + 100))
        assert {reason_of(outcome) for outcome in found.values()} == {None}
    for number in range(300, 400):
        executor.submit(task(number))
    wait_until(lambda: executor.capacity > 2 * executor.workers + 24, "more are worth submitting while such ones wait")
    outcomes(executor, 100)
    assert executor.capacity == 2 * executor.workers + 24
    executor.close()

    assert sum(trips) == 400
    assert max(trips) > 4
    assert len(trips) < 200


def test_what_dies_takes_none_of_those_with_it_that_it_goes_with(eight: None, trips: list[int]) -> None:
    executor = on_dask(carried_out.die_by_number)
    for number in range(40):
        executor.submit(task(number))
    found = outcomes(executor, 40)
    executor.close()

    assert max(trips) == 8
    assert sorted(number for number in found if reason_of(found[number])) == list(range(len(DEATHS)))
    assert {name for number in range(len(DEATHS)) for name in found[number].error_names} >= {"WorkerDied"}


def test_those_behind_one_that_takes_long_are_put_off_and_go_again(
    eight: None, trips: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{CREW}.LONG_S", 0.0)
    executor = on_dask(carried_out.do_nothing)
    for number in range(40):
        executor.submit(task(number))
    found = outcomes(executor, 40)
    executor.close()

    assert sorted(found) == list(range(40))
    assert len(trips) == 40  # one of each bundle was carried out
    assert max(trips) > 1


def test_those_behind_one_that_takes_long_go_to_others_while_it_does(
    eight: None, trips: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deltaworks.engine.execution.workers.dask.executor.PING_S", 0.2)
    monkeypatch.setattr("deltaworks.engine.execution.workers.dask.dispatch.TOGETHER_S", 0.5)
    (tmp_path / "quick").mkdir()
    (tmp_path / "quick" / "go").touch()
    executor = on_dask(carried_out.stay)
    for number in range(40):  # of the first ones some go by themselves, since no worker is busy
        executor.submit(task(number, tmp_path if number == 4 else tmp_path / "quick"))

    found = set[int]()

    def are_most_back() -> bool:
        found.update(outcome.task.number for outcome in executor.wait(0.1))
        return found >= set(range(5, 40))  # those that were done before it are told with it

    wait_until(are_most_back, "those behind it are carried out elsewhere")
    assert 4 not in found
    (tmp_path / "go").touch()
    found |= {outcome.task.number for outcome in executor.wait(10.0)}
    assert 4 in found
    executor.close()

    assert max(trips) == 8
    assert sum(trips) > 40  # some have gone twice


def test_those_of_a_bundle_that_have_not_begun_are_taken_back(eight: None, trips: list[int], tmp_path: Path) -> None:
    executor = on_dask(carried_out.stay)
    for number in range(40):
        executor.submit(task(number, tmp_path))
    wait_until(lambda: len(list(tmp_path.glob("begun-*"))) == 2, "one begins on each worker")

    taken = {each.number for each in executor.cancel()}
    (tmp_path / "go").touch()
    found = outcomes(executor, 2)
    executor.close()

    assert max(trips) == 8
    assert taken | set(found) == set(range(40))
    assert not any(reason_of(outcome) for outcome in found.values())
    assert len(list(tmp_path.glob("begun-*"))) == 2


def test_a_worker_that_is_gone_loses_its_bundle_and_such_tasks_go_alone_from_then_on(
    trips: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dask import config

    monkeypatch.setattr("deltaworks.engine.execution.workers.dask.bundle.MOMENT_S", 60.0)  # as those may take that wait
    with (
        config.set({"distributed.scheduler.allowed-failures": 0}),
        scheduler(n_workers=0) as cluster,
        worker_process(cluster.scheduler_address, tmp_path) as worker,
    ):
        executor = on_scheduler(cluster.scheduler_address, Given(carried_out.stay))
        before = tmp_path / "before"
        before.mkdir()
        (before / "go").touch()
        executor.submit(task(24, before))
        assert reason_of(outcomes(executor, 1)[24]) is None  # in a moment

        for number in range(24):
            executor.submit(task(number, tmp_path))
        wait_until(lambda: len(list(tmp_path.glob("begun-*"))) == 1, "one begins")
        worker.kill()
        cluster.scale(1)
        (tmp_path / "go").touch()
        found = outcomes(executor, 24)
        together = len(trips)
        for number in range(24):
            executor.submit(task(number, tmp_path))
        again = outcomes(executor, 24)
        executor.close()

    lost = [number for number in found if "WorkerLost" in found[number].error_names]
    assert lost
    assert max(trips) > 1
    assert all("its Dask worker tcp://" in str(reason_of(found[number])) for number in lost)
    assert trips[together:] == [1] * 24
    assert {reason_of(outcome) for outcome in again.values()} == {None}
