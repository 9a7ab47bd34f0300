"""Resources are made ready once a process and run, before the first call that asks, and put away however it ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import PrivateAttr, ValidationError

import deltaworks as dw
from deltaworks.errors import InvalidSettings, RunError
from tests.acceptance.conftest import Project
from tests.acceptance.running import PATIENCE_S, of_module, reached, started

days = dw.DailyPartitions(start="2024-01-01", end="2024-01-05")


class Client(dw.Resource):
    token: str = "none"
    _told: list[str] = PrivateAttr(default_factory=list)

    @contextmanager
    def for_run(self) -> Iterator[Any]:
        if self.token == "wrong":
            raise ConnectionError(f"no entry with {self.token}")
        self._told.append("client open")
        yield self
        self._told.append("client closed")


class Shop(dw.Resource):
    client: Client
    _told: list[str] = PrivateAttr(default_factory=list)

    @contextmanager
    def for_run(self) -> Iterator[Any]:
        self.client._told.append("shop open")
        yield self
        self.client._told.append("shop closed")

    def rows(self, partition: dw.Partition) -> pl.LazyFrame:
        self.client._told.append("asked")
        return pl.LazyFrame({"day": [partition.start], "n": [1]})


@dw.asset(partitions=days, partition_by="day")
def sold(shop: Shop, partition: dw.Partition) -> pl.LazyFrame:
    return shop.rows(partition)


@dw.asset(partitions=days, partition_by="day")
def returned(sold: pl.LazyFrame, shop: Shop, client: Client, partition: dw.Partition) -> pl.LazyFrame:
    assert shop.client is client, "one instance a run, in fields too"
    if partition.key == "2024-01-03":
        raise ValueError("nobody counts on a Wednesday")
    return sold


@dw.asset_check(asset=sold, blocking=True)
def is_sold(result: pl.LazyFrame, shop: Shop) -> bool:
    shop.client._told.append("checked")
    return True


def test_a_resource_is_made_ready_once_for_all_calls_and_checks_and_put_away_after_a_failure(tmp_path: Path) -> None:
    client = Client()

    with pytest.raises(RunError, match="nobody counts on a Wednesday"):
        dw.materialize(
            [sold, returned], lake=tmp_path, checks=[is_sold], resources={"shop": Shop(client=client), "client": client}
        )

    told = client._told
    assert told[:2] == ["client open", "shop open"]
    assert told[-2:] == ["shop closed", "client closed"]
    assert sorted(told[2:-2]) == ["asked"] * 4 + ["checked"] * 4


def test_what_cannot_be_made_ready_fails_the_calls_that_ask_and_no_others(tmp_path: Path) -> None:
    @dw.asset
    def apart() -> pl.LazyFrame:
        return pl.LazyFrame({"n": [1]})

    with pytest.raises(RunError, match=r"resource Client could not be made ready: ConnectionError: no entry"):
        dw.materialize([apart, sold], lake=tmp_path, resources={"shop": Shop(client=Client(token="wrong"))})

    assert dw.read(apart, lake=tmp_path).collect().height == 1


def test_a_retry_makes_ready_what_could_not_be_before(tmp_path: Path) -> None:
    class Waking(dw.Resource):
        _asked: list[int] = PrivateAttr(default_factory=list)

        @contextmanager
        def for_run(self) -> Iterator[Any]:
            self._asked.append(1)
            if len(self._asked) == 1:
                raise ConnectionError("not yet")
            yield self

    @dw.asset(retry=dw.RetryPolicy(max_retries=1, delay_s=0.01, retry_on=[ConnectionError]))
    def woken(waking: Waking) -> pl.LazyFrame:
        return pl.LazyFrame({"asked": [len(waking._asked)]})

    dw.materialize([woken], lake=tmp_path, resources={"waking": Waking()})

    assert dw.read(woken, lake=tmp_path).collect().item() == 2


def test_a_view_may_read_what_is_put_away_afterwards(tmp_path: Path) -> None:
    class Rate(dw.Resource):
        _is_open: list[bool] = PrivateAttr(default_factory=list)

        @contextmanager
        def for_run(self) -> Iterator[Any]:
            self._is_open.append(True)
            yield self
            self._is_open.clear()

        def of(self, n: int) -> int:
            assert self._is_open, "it is put away"
            return n * 2

    @dw.asset
    def prices() -> pl.LazyFrame:
        return pl.LazyFrame({"n": [1, 2]})

    @dw.view
    def exchanged(prices: pl.LazyFrame, rate: Rate) -> pl.LazyFrame:
        return prices.with_columns(pl.col("n").map_elements(rate.of, return_dtype=pl.Int64))

    dw.materialize([prices], lake=tmp_path)

    rows = dw.read(exchanged, lake=tmp_path, upstream=[prices], resources={"rate": Rate()})

    assert rows.collect()["n"].sum() == 6


def test_what_does_not_fit_is_refused_before_the_environment_is_read() -> None:
    with pytest.raises(ValidationError, match=r"(?s)tokn.*Extra inputs are not permitted"):
        Client(tokn=dw.EnvVar("TOKEN"))  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match=r"(?s)client.*Field required"):
        Shop(name=dw.EnvVar("NAME"))  # type: ignore[call-arg]
    with pytest.raises(InvalidSettings, match="environment variable TOKEN, which is not set"):
        Client(token=dw.EnvVar("TOKEN")).resolve({})


IN_PROCESSES = """
import contextlib

class Connection(dw.Resource):
    @contextlib.contextmanager
    def for_run(self):
        tell("open")
        try:
            yield self
        finally:
            tell("closed")

def tell(what):
    with open(HERE / "told", "a") as file:
        file.write(f"{what} {os.getpid()}\\n")

connection = Connection()

@dw.asset(partitions=days, partition_by="day")
def stocked(connection: Connection, partition: dw.Partition) -> LazyFrame[Row]:
    tell("asked")
    if partition.key == "2024-01-04":
        hold("fourth")
    return rows(partition)
"""


def test_a_process_puts_away_what_it_made_ready_when_its_run_is_canceled(project: Project) -> None:
    of_module(project, IN_PROCESSES)

    with started(project, "backfill", "--executor", "processes", "--workers", "1") as process:
        reached(project, "fourth")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE_S)

    assert "Traceback" not in err
    told = [line.split() for line in (project.folder / "told").read_text().splitlines()]
    assert [what for what, _ in told] == ["open", "asked", "asked", "asked", "asked", "closed"]
    assert {int(pid) for _, pid in told}.isdisjoint({process.pid})
    assert len({pid for _, pid in told}) == 1
