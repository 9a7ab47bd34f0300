"""Ops are given resources, secrets and config, and hooks are told how they end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import deltaworks as dw
from deltaworks.errors import InvalidDefinition, RequestError
from tests.acceptance.ops import cups, flour


class Post(dw.Resource):
    url: str
    token: str = "none"

    def send(self, text: str) -> str:
        return f"{text} to {self.url}"


def test_a_resource_is_made_ready_once_put_away_and_swapped_in_a_test() -> None:
    happened: list[str] = []

    class Watched(Post):
        @contextmanager
        def for_run(self) -> Iterator[Any]:
            happened.append("opened")
            yield self
            happened.append("closed")

    @dw.op
    def send(post: Post) -> str:
        happened.append("sent")
        return post.send("hello")

    @dw.job
    def mail() -> None:
        send.alias("first")()
        send.alias("second")()

    result = mail.execute_in_process(resources={"post": Watched(url="nowhere")})

    assert result.output("first") == "hello to nowhere"
    assert happened == ["opened", "sent", "sent", "closed"]
    with pytest.raises(InvalidDefinition, match=r"op 'first' asks for a Post as 'post', but there is none"):
        mail.execute_in_process()


def test_a_secret_of_the_environment_is_nowhere_but_in_the_op(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POST_TOKEN", "s3cr3t-value")

    @dw.op
    def leak(post: Post) -> Any:
        return post

    @dw.op
    def tell(post: Post) -> None:
        raise RuntimeError(f"rejected: {post.token}")

    @dw.job
    def careless() -> None:
        leak()
        tell()

    resources = {"post": Post(url="nowhere", token=dw.EnvVar("POST_TOKEN"))}
    result = careless.execute_in_process(lake=tmp_path / "lake", resources=resources, raise_on_failure=False)

    assert result.output("leak").token == "s3cr3t-value"
    assert "rejected: $POST_TOKEN" in result.failures["tell"]
    assert "s3cr3t-value" not in repr(result)
    files = [path for path in (tmp_path / "lake").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"s3cr3t-value" in path.read_bytes()]


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

    told_of.execute_in_process(resources={"post": Post(url="nowhere")}, raise_on_failure=False)

    assert sorted(told[:-1]) == ["cups skipped: never failed", "flour done", "never failed"]
    assert told[-1] == "told_of failed at never, mail to nowhere"
