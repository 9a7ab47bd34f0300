"""What an object store is asked for at the same time comes in order, and little is asked for in vain."""

from __future__ import annotations

import threading
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from deltaworks.io.store import Store
from deltaworks.io.together import AT_ONCE, WITHIN, together, until_none

PATIENCE_S = 30.0


@pytest.fixture
def far() -> Store:
    return Store.at("s3://bucket/lake")  # nothing is asked of it here


@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize("number", [0, 1, 3, 200])
def test_results_come_in_the_order_of_what_they_are_made_of(number: int, eager: bool, far: Store) -> None:
    assert list(together(far, str, range(number), eager=eager)) == list(map(str, range(number)))


def test_as_many_are_on_their_way_as_may_be(far: Store) -> None:
    together_now = threading.Barrier(AT_ONCE)

    def meet(number: int) -> int:
        together_now.wait(PATIENCE_S)
        return number

    assert list(together(far, meet, range(AT_ONCE * 3))) == list(range(AT_ONCE * 3))


def test_fewer_are_on_their_way_within_what_is_done_at_the_same_time(far: Store) -> None:
    now, most, lock = 0, 0, threading.Lock()
    together_now = threading.Barrier(AT_ONCE * WITHIN)

    def leaf(number: int) -> int:
        nonlocal now, most
        with lock:
            now, most = now + 1, max(most, now + 1)
        if number < WITHIN:
            together_now.wait(PATIENCE_S)
        with lock:
            now -= 1
        return number

    found = list(together(far, lambda _: list(together(far, leaf, range(3 * WITHIN))), range(AT_ONCE)))

    assert found == [list(range(3 * WITHIN))] * AT_ONCE
    assert most == AT_ONCE * WITHIN


def test_on_a_local_disk_one_comes_after_the_other_when_it_is_asked_for(tmp_path: Path) -> None:
    begun = list[int]()

    results = together(Store(tmp_path), begun.append, count())
    next(results)
    next(results)

    assert begun == [0, 1]


def test_the_fewer_were_taken_the_less_is_asked_for_in_vain(far: Store) -> None:
    for taken in (1, 3, 10, 1000):
        begun = list[int]()
        with closing(together(far, lambda number, begun=begun: begun.append(number), count(), eager=False)) as results:
            for _ in range(taken):
                next(results)

        assert taken <= len(begun) <= taken + min(AT_ONCE, taken // 2)


def test_what_fails_is_raised_where_its_result_would_be(far: Store) -> None:
    found = list[float]()

    with pytest.raises(ZeroDivisionError):
        found.extend(together(far, lambda number: 6 / number, [3, 2, 1, 0, 1]))
    results = together(far, lambda number: 6 / number, [3, 2, 1, 0, 1])
    assert [next(results), next(results), next(results)] == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_what_is_looked_for_ends_with_the_first_that_is_not_there(far: Store) -> None:
    there = {0: "a", 1: "b", 2: "c", 4: "e"}

    assert list(until_none(far, there.get, count())) == ["a", "b", "c"]
    assert list(until_none(far, there.get, [4, 5])) == ["e"]
    assert list(until_none(far, there.get, [0, 1])) == ["a", "b"]


def test_no_thread_is_left(far: Store) -> None:
    results = together(far, str, count())
    next(results)
    results.close()
    list(together(far, str, range(50)))

    assert not [each.name for each in threading.enumerate() if each.name.startswith("deltaworks-store")]
