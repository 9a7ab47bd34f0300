"""What jobs of ops are given, and what they tell: config that is validated first, and hooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pydantic
import pytest

import deltaworks as dw
from deltaworks.errors import RequestError
from deltaworks.io.ledger import read_runs
from deltaworks.io.store import Store
from tests.acceptance.ops import cups, flour


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


class Sender(pydantic.BaseModel):
    name: str = "nobody"
    city: str = "nowhere"


class Parcel(dw.Config):
    labels: Mapping[str, int] = pydantic.Field(default_factory=dict)
    sender: Sender = Sender()


def test_a_field_counts_as_the_last_says_it_who_gives_it(tmp_path: Any) -> None:
    seen: list[Parcel] = []

    @dw.op
    def pack(parcel: Parcel) -> None:
        seen.append(parcel)
        raise ValueError("torn")

    @dw.graph
    def ship() -> None:
        pack()

    job = ship.to_job(config={"pack": {"labels": {"a": 1}, "sender": {"name": "ann"}}})
    given = {"pack": {"labels": {"b": 2}, "sender": {"city": "rome"}}}

    run = job.execute_in_process(lake=tmp_path, config=given, raise_on_failure=False)
    again = {"pack": {"labels": {"c": 3}}}
    job.execute_in_process(lake=tmp_path, config=again, retry_of=run.run_id, raise_on_failure=False)

    sender = Sender(name="ann", city="rome")
    assert seen == [Parcel(labels={"b": 2}, sender=sender), Parcel(labels={"c": 3}, sender=sender)]
    kept = [entry.config for entry in read_runs(Store.at(str(tmp_path)))]
    assert kept[1] == {"pack": {"labels": {"c": 3}, "sender": {"city": "rome"}}}


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
