"""What jobs of ops are given, and what they tell: config that is validated first, and hooks."""

from __future__ import annotations

import pytest

import deltaworks as dw
from deltaworks.errors import RequestError
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
