"""What a cluster does beyond what every executor does: workers that are not fit, limits, resources, what is printed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deltaworks.engine.definitions.policies import Limits
from deltaworks.engine.execution.workers.capture import Line
from deltaworks.engine.execution.workers.cluster import Cluster, Tls
from deltaworks.engine.execution.workers.dask.executor import DaskExecutor
from deltaworks.engine.execution.workers.dask.versions import difference, versions_here
from deltaworks.errors import ClusterLost, InvalidDefinition, RequestError
from tests.engine.execution import carried_out
from tests.engine.execution.carried_out import Given, Work, outcomes, reason_of, task, wait_until
from tests.engine.execution.on_dask import on_dask

ROOT = Path(__file__).parents[3]

SILENT_S = 2.0
"""How long a crew works on here without a word."""


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))  # where other processes find what tasks do


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the run and its crews take each other for dead soon."""
    dask = "deltaworks.engine.execution.workers.dask"
    monkeypatch.setattr(f"{dask}.crew.SILENT_S", SILENT_S)
    monkeypatch.setattr(f"{dask}.executor.PING_S", SILENT_S / 8)
    monkeypatch.setattr(f"{dask}.session.SILENCE_S", SILENT_S / 2)


class Unloadable:
    def __call__(self) -> Work:
        raise InvalidDefinition("module 'tables' is another one here")


@dataclass(frozen=True)
class DiesOnce:
    """Ends the first process that loads it."""

    folder: str

    def __call__(self) -> Work:
        try:
            (Path(self.folder) / "died").touch(exist_ok=False)
        except FileExistsError:
            return carried_out.do_nothing
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class SlowlyMade:
    """Takes longer to be loaded than a crew works on without a word."""

    def __call__(self) -> Work:
        time.sleep(2 * SILENT_S)
        return carried_out.do_nothing


@contextmanager
def scheduler(**options: Any) -> Iterator[Any]:
    """A scheduler with one worker that talk over TCP, in this process: what they say to each other is pickled."""
    from distributed import LocalCluster

    loopback = {"dashboard_address": "127.0.0.1:0", "worker_dashboard_address": "127.0.0.1:0", "host": "127.0.0.1"}
    with LocalCluster(
        threads_per_worker=1, processes=False, **{"n_workers": 1, "protocol": "tcp", **loopback, **options}
    ) as found:
        yield found


def on_scheduler(
    address: str,
    make: Any,
    tls: Tls | None = None,
    resources: Mapping[str, float] | None = None,
    lines: list[Line] | None = None,
    notes: list[str] | None = None,
) -> DaskExecutor[Any, Any]:
    return DaskExecutor(
        Cluster(address, tls),
        1,
        make,
        limits_of=lambda _: Limits(),
        resources_of=lambda _: resources or {},
        environ={},
        line=([] if lines is None else lines).append,
        note=([] if notes is None else notes).append,
    )


@contextmanager
def worker_process(address: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker with one thread in a process of its own."""
    options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder / "dask"))
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, *options]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "worker.log").open("wb") as log, subprocess.Popen(command, env=environ, stderr=log) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_worker_differs_by_what_matters_and_the_sentence_says_what_is_expected() -> None:
    expected = {"Python": "3.11", "deltaworks": "0.2.0", "polars": "2.1.0", "deltalake": "1.6.6"}

    assert difference(expected, dict(expected)) is None
    assert difference(expected, {**expected, "polars": "2.0.0", "Python": "3.12"}) == (
        "has Python 3.12, polars 2.0.0, expected Python 3.11, polars 2.1.0, as where the run is coordinated: install "
        "the same on both"
    )
    assert difference(versions_here(), versions_here()) is None


def test_workers_that_are_there_and_those_that_come_are_seen_to_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    lines, notes = list[Line](), list[str]()
    with scheduler() as cluster:
        with pytest.raises(
            RequestError, match=r"^Dask worker tcp://\S+: its worker process cannot load the project: mod"
        ):
            on_scheduler(cluster.scheduler_address, Unloadable())

        executor = on_scheduler(cluster.scheduler_address, Given(carried_out.is_main), lines=lines, notes=notes)
        executor.submit(task(1))
        found = outcomes(executor, 1)
        wait_until(lambda: len(lines) == 2, "what the call says comes")
        assert reason_of(found[1]) is None
        assert {(line.step, line.stream, line.text, line.level) for line in lines} == {
            ("a k0..k2", "stdout", "said to nobody", None),
            ("a k0..k2", "log", "1 is here", "WARNING"),
        }
        assert ["runs calls of workers that died again by itself, up to 3 times" in note for note in notes] == [True]
        assert str(executor.dashboard).startswith("http://127.0.0.1:")

        # From here on this process, where the next worker is as well, has another version than the coordinator had.
        monkeypatch.setattr("deltaworks.engine.execution.workers.dask.crew.versions_here", lambda: {"polars": "0.1"})
        cluster.scale(2)
        wait_until(lambda: len(cluster.workers) == 2 and cluster.scheduler.total_nthreads == 2, "a worker joins")
        for number in range(2, 8):
            executor.submit(task(number))
        reasons = {reason_of(outcome) for outcome in outcomes(executor, 6).values()}
        executor.close()
    assert reasons == {None}  # those that came to it have gone to the other one
    assert len(notes) == 2
    assert notes[1].startswith("Dask worker tcp://")
    assert "polars 0.1" in notes[1]
    assert notes[1].endswith("install the same on both; what it is given of this run goes to others")


def test_calls_fail_with_the_reason_once_no_worker_is_fit_any_more(
    monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    monkeypatch.setattr("deltaworks.engine.execution.workers.dask.roster.DROUGHT_S", 0.5)
    notes = list[str]()
    with scheduler() as cluster:
        executor = on_scheduler(cluster.scheduler_address, Given(carried_out.do_nothing), notes=notes)
        monkeypatch.setattr("deltaworks.engine.execution.workers.dask.crew.versions_here", lambda: {"polars": "0.1"})
        cluster.scale(0)
        wait_until(lambda: cluster.scheduler.total_nthreads == 0, "the only worker leaves")
        cluster.scale(1)
        executor.submit(task(1))
        reason = str(reason_of(outcomes(executor, 1)[1]))
        executor.close()

    assert reason.startswith("a k0..k2: Dask worker tcp://")
    assert "polars 0.1" in reason
    assert sum("what it is given of this run goes to others" in note for note in notes) == 1
    assert sum("has had no worker that is fit for" in note for note in notes) == 1


def test_a_process_that_dies_while_it_loads_the_project_says_nothing_about_the_next_one(tmp_path: Path) -> None:
    notes = list[str]()
    executor: DaskExecutor[Any, Any] = DaskExecutor(
        Cluster(),
        1,
        DiesOnce(str(tmp_path)),
        limits_of=lambda _: Limits(),
        resources_of=lambda _: {},
        environ={},
        line=lambda _: None,
        note=notes.append,
    )
    for number in range(5):
        executor.submit(task(number))
    found = outcomes(executor, 5)
    executor.close()

    assert (tmp_path / "died").exists()
    (reason,) = {reason_of(outcome) for outcome in found.values()} - {None}
    assert "was killed by signal 9" in str(reason)
    assert sum(reason_of(outcome) is not None for outcome in found.values()) == 1
    assert notes == []


def test_calls_that_need_what_is_away_wait_for_it_also_beside_a_worker_that_is_not_fit(
    monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    notes = list[str]()
    with scheduler(resources={"GPU": 1}) as cluster:
        make, address = Given(carried_out.do_nothing), cluster.scheduler_address
        needy = on_scheduler(address, make, resources={"GPU": 1}, notes=notes)
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr("deltaworks.engine.execution.workers.dask.crew.versions_here", lambda: {"polars": "0.1"})
            cluster.scale(2)
            wait_until(lambda: cluster.scheduler.total_nthreads == 2, "one that is not fit joins")
        for number in range(20):
            needy.submit(task(number))
        assert {reason_of(outcome) for outcome in outcomes(needy, 20).values()} == {None}
        needy.close()


def test_a_run_says_that_there_is_no_worker_left(monkeypatch: pytest.MonkeyPatch, impatient: None) -> None:
    monkeypatch.setattr("deltaworks.engine.execution.workers.dask.roster.DROUGHT_S", 0.5)
    notes = list[str]()
    with scheduler() as cluster:
        executor = on_scheduler(cluster.scheduler_address, Given(carried_out.do_nothing), notes=notes)
        cluster.scale(0)
        wait_until(lambda: cluster.scheduler.total_nthreads == 0, "the only worker leaves")
        executor.submit(task(1))

        def is_told() -> bool:
            assert list(executor.wait(0.01)) == []
            return len(notes) == 2

        wait_until(is_told, "it says so")
        cluster.scale(1)
        assert reason_of(outcomes(executor, 1)[1]) is None
        executor.close()

    address = cluster.scheduler_address
    assert notes[1].startswith(f"the Dask scheduler at {address} has had no worker for ")
    assert notes[1].endswith(f"1 calls wait; start one with `dask worker {address} --nthreads 1`, or cancel the run")


@pytest.mark.soak
def test_calls_with_limits_are_ended_and_what_dies_takes_its_own_task_with_it(tmp_path: Path) -> None:
    executor = on_dask(carried_out.sleep_on, Limits(timeout_s=1))

    for number in range(3):
        executor.submit(task(number, tmp_path))
    found = outcomes(executor, 3)
    executor.close()

    assert reason_of(found[0]) == "a k0..k2: ran longer than timeout_s=1, so its process was ended"
    assert "CallTimedOut" in found[0].error_names
    assert not any(reason_of(found[number]) for number in (1, 2))


def test_a_process_that_dies_is_told_with_its_worker() -> None:
    executor = on_dask(carried_out.die_by_number)

    executor.submit(task(0))
    found = outcomes(executor, 1)
    executor.close()

    assert "the worker process ended with exit code 7" in str(reason_of(found[0]))
    assert str(reason_of(found[0])).startswith("a k0..k2: on Dask worker ")
    assert "WorkerDied" in found[0].error_names


def test_calls_go_where_what_they_need_is_offered() -> None:
    with scheduler(resources={"GPU": 1}) as cluster:
        executor = on_scheduler(cluster.scheduler_address, Given(carried_out.do_nothing), resources={"GPU": 1})
        executor.submit(task(1))
        assert reason_of(outcomes(executor, 1)[1]) is None
        executor.close()

        lacking = on_scheduler(cluster.scheduler_address, Given(carried_out.do_nothing), resources={"TPU": 2})
        lacking.submit(task(1))
        assert reason_of(outcomes(lacking, 1)[1]) == (
            'a k0..k2: no Dask worker offers TPU, which executor.resources asks for; start one with --resources "TPU=2"'
        )
        lacking.close()


def test_a_worker_that_hangs_ends_no_calls_of_others_and_holds_up_no_cancel(tmp_path: Path, impatient: None) -> None:
    with scheduler() as cluster, worker_process(cluster.scheduler_address, tmp_path) as other:
        wait_until(lambda: cluster.scheduler.total_nthreads == 2, "the other worker joins")
        executor = on_scheduler(cluster.scheduler_address, Given(carried_out.stay))
        for number in range(6):
            executor.submit(task(number, tmp_path))
        wait_until(lambda: len(list(tmp_path.glob("begun-*"))) == 2, "a call begins on each worker")

        other.send_signal(signal.SIGSTOP)
        time.sleep(2 * SILENT_S)  # twice as long as a crew works on without a word
        taken = {each.number for each in executor.cancel()}
        (tmp_path / "go").touch()
        (kept,) = set(range(6)) - taken
        assert reason_of(outcomes(executor, 1)[kept]) is None
        executor.close()


def test_a_project_may_take_its_time_to_be_loaded(impatient: None) -> None:
    with scheduler() as cluster:
        executor = on_scheduler(cluster.scheduler_address, SlowlyMade())
        executor.submit(task(1))
        assert reason_of(outcomes(executor, 1)[1]) is None
        executor.close()


def test_a_worker_that_comes_again_is_waited_for_by_calls_that_need_what_it_offers(impatient: None) -> None:
    with scheduler(resources={"GPU": 1}) as cluster:
        executor = on_scheduler(cluster.scheduler_address, Given(carried_out.do_nothing), resources={"GPU": 1})
        cluster.scale(0)
        wait_until(lambda: cluster.scheduler.total_nthreads == 0, "the only worker leaves")
        time.sleep(SILENT_S)  # so long that the run has looked what there is

        executor.submit(task(1))
        cluster.scale(1)
        assert reason_of(outcomes(executor, 1)[1]) is None
        executor.close()


def test_what_others_cancel_on_the_cluster_is_lost_and_a_scheduler_that_ends_says_so(tmp_path: Path) -> None:
    with scheduler() as cluster:
        executor = on_scheduler(cluster.scheduler_address, Given(carried_out.stay))
        executor.submit(task(1, tmp_path))
        wait_until((tmp_path / "begun-1").exists, "it begins")
    with pytest.raises(ClusterLost, match=r"^The Dask scheduler at tcp://\S+ is gone"):
        outcomes(executor, 1)
    executor.close()


def test_a_scheduler_is_talked_to_under_tls(tmp_path: Path) -> None:
    from distributed import Security

    key, cert = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    subject = ("-subj", "/CN=localhost", "-days", "2", "-nodes")
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-keyout", key, "-out", cert, *subject]
    subprocess.run(request, check=True, capture_output=True)
    names = {
        f"tls_{who}_{what}": file
        for who in ("client", "scheduler", "worker")
        for what, file in (("key", key), ("cert", cert))
    }
    security = Security(tls_ca_file=cert, require_encryption=True, **names)

    with scheduler(protocol="tls", security=security) as cluster:
        executor = on_scheduler(cluster.scheduler_address, Given(carried_out.do_nothing), Tls(cert, cert, key))
        executor.submit(task(1))
        assert reason_of(outcomes(executor, 1)[1]) is None
        executor.close()

        with pytest.raises(RequestError, match=r"^No Dask scheduler answers at tls://"):
            on_scheduler(cluster.scheduler_address, Given(carried_out.do_nothing))
        with pytest.raises(
            RequestError, match=r"^executor.tls: \S+gone.pem cannot be read \(No such file or directory\)"
        ):
            on_scheduler(
                cluster.scheduler_address, Given(carried_out.do_nothing), Tls(str(tmp_path / "gone.pem"), cert, key)
            )


def test_a_scheduler_that_is_not_there_is_told_with_what_to_do() -> None:
    with pytest.raises(
        RequestError, match=r"^No Dask scheduler answers at tcp://127.0.0.1:1: .* Start one with `dask sc"
    ):
        on_scheduler("tcp://127.0.0.1:1", Given(carried_out.do_nothing))
