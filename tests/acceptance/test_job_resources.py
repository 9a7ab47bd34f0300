"""Resources of jobs of ops: made ready for the first that asks, put away at the end, and silent about secrets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import deltaworks as dw
from deltaworks.errors import InvalidDefinition
from deltaworks.io.ledger import read_runs
from deltaworks.io.store import Store


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


def test_what_cannot_be_made_ready_fails_the_ops_that_ask_and_the_run_is_in_the_ledger(
    tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Stuck(Post):
        @contextmanager
        def for_run(self) -> Iterator[Any]:
            if self.url == "away":
                raise ConnectionError("nobody is there")
            yield self
            raise OSError("it does not close")

    @dw.op
    def send(post: Post) -> str:
        return post.send("hello")

    @dw.op
    def waits() -> int:
        return 1

    @dw.job
    def mail() -> None:
        send()
        waits()

    lake = tmp_path / "lake"
    away = mail.execute_in_process(lake=lake, resources={"post": Stuck(url="away")}, raise_on_failure=False)
    there = mail.execute_in_process(lake=lake, resources={"post": Stuck(url="there")})

    assert away.failures == {"send": "resource Stuck could not be made ready: ConnectionError: nobody is there"}
    assert away.output("waits") == 1
    assert there.output("send") == "hello to there"
    assert "a resource could not be put away: OSError: it does not close" in caplog.text
    assert [entry.status for entry in read_runs(Store.at(str(lake)))] == ["failure", "success"]


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
