"""What functions answer is taken apart, and what makes no sense is refused whole, in one sentence."""

from __future__ import annotations

import pickle
from enum import StrEnum
from itertools import count
from typing import Any

import pytest

import deltaworks as dw
from deltaworks.engine.automation.evaluation import MOST_REQUESTS, asked_runs, read_answer, with_tags
from deltaworks.errors import InvalidDefinition

JOBS = ("daily", "weekly")


def read(answer: Any, job: str | None = "daily") -> Any:
    return read_answer("schedule 'morning'", answer, JOBS, job)


class Shop(StrEnum):
    NORTH = "north"
    DAILY = "daily"


class ShopRequest(dw.RunRequest):
    """A request of a class that only user code knows."""


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "it asked for nothing"),
        ([], "it asked for nothing"),
        (dw.SkipReason("holiday"), "holiday"),
        ([dw.SkipReason("no files"), dw.SkipReason("no orders")], "no files; no orders"),
    ],
)
def test_nothing_to_run_has_a_reason(answer: Any, reason: str) -> None:
    assert (read(answer).requests, read(answer).skip_reason) == ((), reason)


def test_requests_are_named_by_their_job_and_may_be_generated() -> None:
    requests = (dw.RunRequest(partition=key, job=job) for key, job in (("a", None), ("b", "weekly")))

    found = read(requests)

    assert [(each.partition, each.job) for each in found.requests] == [("a", "daily"), ("b", "weekly")]
    assert found.skip_reason is None


def test_requests_win_over_reasons_to_skip() -> None:
    assert read([dw.SkipReason("one region is closed"), dw.RunRequest()]).skip_reason is None


def test_requests_are_kept_with_the_ids_of_their_runs() -> None:
    answer = read(dw.RunRequest("2026-01-01", "k", {"n": 1}, {"team": "ops"}))

    (asked,) = asked_runs(answer, ["r1"])

    assert (asked.run_id, asked.job, asked.partition, asked.run_key) == ("r1", "daily", "2026-01-01", "k")
    assert (asked.config, asked.tags) == ({"n": 1}, {"team": "ops"})


def test_texts_and_requests_of_other_classes_are_taken_as_plain_ones() -> None:
    tags = {Shop.NORTH: Shop.NORTH}
    answer = read(ShopRequest(Shop.NORTH, Shop.NORTH, {Shop.NORTH: Shop.NORTH}, tags, Shop.DAILY))

    tagged = with_tags("schedule 'morning'", answer, {Shop.DAILY: Shop.DAILY})

    assert b"Shop" not in pickle.dumps([tagged, read(dw.SkipReason(Shop.NORTH))])
    (request,) = tagged.requests
    assert request == dw.RunRequest("north", "north", {"north": "north"}, {"daily": "daily", "north": "north"}, "daily")


def test_a_flood_is_refused_at_its_beginning() -> None:
    taken = []

    with pytest.raises(InvalidDefinition, match="schedule 'morning' asks for more than 1,000 runs at one tick"):
        read(dw.RunRequest(run_key=str(taken.append(n) or n)) for n in count())

    assert len(taken) == MOST_REQUESTS + 1


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (5, "answered 5; expected RunRequest, SkipReason, None or several RunRequests"),
        ("daily", "answered 'daily'; expected RunRequest"),
        ({"partition": "a"}, r"answered {'partition': 'a'}; expected RunRequest"),
        ([dw.RunRequest(), None], "answered None; expected RunRequest"),
        (Rude(), "answered a Rude whose repr raises RuntimeError"),
        ("x" * 1000, r"answered 'x{76}\.\.\.; expected"),
        (dw.RunRequest(job="dayly"), "asks for a run of job 'dayly', which is not defined. Did you mean 'daily'?"),
        (dw.RunRequest(run_key=""), "gives '' as a run key; expected a text that is not empty"),
        (dw.RunRequest(run_key="x" * 2000), "gives a run key of 2,000 characters; at most 1,000 are allowed"),
        (dw.RunRequest(run_key="\ud800"), "as a run key, which is no valid Unicode"),
        (dw.RunRequest(partition=3), "gives 3 as a partition; expected a text"),  # type: ignore[arg-type]
        (dw.RunRequest(tags={"team": 1}), "gives 1 as a value of tag 'team'; expected a text"),  # type: ignore[dict-item]
        (dw.RunRequest(tags=["a"]), r"gives \['a'\] as the tags of a RunRequest; expected a mapping"),  # type: ignore[arg-type]
        (dw.RunRequest(config={"a": {1, 2}}), "a config that cannot be written as JSON: Object of type set"),
        (dw.RunRequest(config={"a": float("nan")}), "a config that cannot be written as JSON: Out of range"),
        (dw.RunRequest(config={"a": "x" * 200_000}), "a config of 200,009 characters; at most 100,000 are recorded"),
        (dw.SkipReason(""), "gives '' as a skip reason"),
        ([dw.RunRequest(run_key="k"), dw.RunRequest(run_key="k")], "asks twice for a run with the run key 'k'"),
    ],
)
def test_what_makes_no_sense_is_refused(answer: Any, problem: str) -> None:
    with pytest.raises(InvalidDefinition, match=f"^schedule 'morning' .*{problem}"):
        read(answer)


def test_a_request_needs_a_job() -> None:
    with pytest.raises(InvalidDefinition, match=r"has no job of its own, so RunRequest\(job=...\) must name one"):
        read(dw.RunRequest(), job=None)
