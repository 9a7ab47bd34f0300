"""A backfill that is killed at any moment leaves whole partitions, and the next one goes on where it was."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.campaign.recorder import Row, recorded
from tests.exactness.naive import leftovers
from tests.exactness.processes import ASSETS, PATIENCE_S, Processes, rows, wait_until, write_project

DAYS = 24
RUN_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")
LOG_FILE = re.compile(r"\d{20}\.json|\..*\.tmp|_last_checkpoint|.*\.checkpoint\.parquet|0{20}\.json#\d+")
"""What may lie in a log; the last is what delta-rs has left of creating the table."""

Rows = dict[str, list[tuple[object, ...]]]


@dataclass
class Witness:
    """What has been seen of one lake so far, and what a run that nobody disturbed made."""

    project: Processes
    expected: dict[str, Rows]
    committed: dict[str, dict[str, tuple[int, str]]] = field(default_factory=dict[str, dict[str, tuple[int, str]]])
    """By asset and key: the version and the run that made it."""

    def forget(self) -> None:
        """Begin with an empty lake."""
        shutil.rmtree(self.project.lake)
        self.committed = {}

    def look(self) -> None:
        """Compare the lake with what it must be after a kill."""
        for asset, history in self.project.histories().items():
            if history.table_id is None:
                assert asset not in self.committed
                continue
            made: dict[str, tuple[int, str]] = {}
            for key, change in history.materializations():
                assert key not in made, f"{asset} {key} was made twice: at {made[key]} and at version {change.version}"
                made[key] = (change.version, str(change.run_id))
            before = self.committed.get(asset, {})
            assert before.items() <= made.items(), "what is committed stays as it is"
            self.committed[asset] = made
            assert rows(self.project.lake / asset) == {key: self.expected[asset][key] for key in made}
            self._look_at_files(asset, history.live.keys())
            known = {run["run_id"] for run in self.project.runs()}
            for file in leftovers(self.project.lake / asset, history):
                found = RUN_ID.search(file)
                assert found, f"{file} is named by no run"
                assert found[0] in known

    def look_at_the_end(self) -> None:
        """Make sure that nothing is left to do."""
        made = {asset: sorted(each) for asset, each in self.committed.items()}
        assert made == dict.fromkeys(ASSETS, self.project.keys)
        assert self.project.statuses() == {asset: {"fresh"} for asset in ASSETS}

    def wait_for_a_run(self, process: subprocess.Popen[str]) -> None:
        """Wait until a new run stands in the ledger, or nothing was left to run."""
        before = len(self.project.runs())
        wait_until(lambda: process.poll() is not None or len(self.project.runs()) > before, "the start of a run")

    def wait_for_a_commit(self, process: subprocess.Popen[str]) -> None:
        """Wait until anything was committed anew, or nothing was left to commit."""
        before = self._commits()
        wait_until(lambda: process.poll() is not None or self._commits() > before, "a commit")

    def _commits(self) -> int:
        return sum(1 for _ in self.project.lake.glob("*/_delta_log/*.json"))

    def _look_at_files(self, asset: str, live: set[str]) -> None:
        table = self.project.lake / asset
        assert all((table / file).is_file() for file in live)
        for file in (table / "_delta_log").iterdir():
            assert LOG_FILE.fullmatch(file.name), file


def all_workers() -> dict[int, int]:
    """The processes that runs have started, each with its parent."""
    shown = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    told = (
        line.split(maxsplit=2) for line in shown.splitlines() if "deltaworks.engine.execution.workers.child" in line
    )
    return {int(pid): int(parent) for pid, parent, _ in told}


def kill_again_and_again(folder: Path, kills: int, days: int, kind: str = "threads") -> None:
    """Kill the process of a run, or in turns with it one of its workers, and look at the lake each time."""
    with recorded("kill -9 in backfill") as row:
        kill_and_look(folder, kills, days, kind, row)


def kill_and_look(folder: Path, kills: int, days: int, kind: str, row: Row) -> None:
    chance = row.chance
    reference = write_project(folder / "reference", days)
    code, said = reference.run("backfill", "--executor", kind)
    assert code == 0, said
    (run,) = reference.runs()
    longest_s = (
        dt.datetime.fromisoformat(run["ended_at"]) - dt.datetime.fromisoformat(run["started_at"])
    ).total_seconds()
    witness = Witness(write_project(folder / "killed", days), {asset: rows(reference.lake / asset) for asset in ASSETS})
    assert {asset: len(witness.expected[asset]) for asset in ASSETS} == dict.fromkeys(ASSETS, days)
    killed, in_the_middle, ends = 0, 0, 0
    seen: set[int] = set()
    while killed < kills or (in_the_middle == 0 and killed < 3 * kills):
        with witness.project.start("backfill", "--workers", "2", "--executor", kind) as process:
            if chance.random() < 0.9:
                witness.wait_for_a_run(process)
            if chance.random() < 0.5:
                witness.wait_for_a_commit(process)
                time.sleep(chance.uniform(0, longest_s / 20))
            else:
                time.sleep(chance.uniform(0, longest_s))
            workers = [pid for pid, parent in all_workers().items() if parent == process.pid]
            seen.update(workers)
            victim = chance.choice(workers) if workers and killed % 2 else process.pid
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            said, _ = process.communicate(timeout=PATIENCE_S)
        row.tried += process.returncode != 0
        witness.look()
        row.survived += process.returncode != 0
        if victim != process.pid and process.returncode == 1:
            assert "killed by signal 9 (SIGKILL)" in said
            killed += 1
            continue
        if process.returncode == -signal.SIGKILL:
            killed += 1
            in_the_middle += 0 < sum(map(len, witness.committed.values())) < days * len(ASSETS)
            continue
        assert process.returncode == 0, said
        ends += 1
        witness.look_at_the_end()
        witness.forget()
    code, said = witness.project.run("backfill")
    assert code == 0, said
    witness.look()
    witness.look_at_the_end()
    wait_until(lambda: seen.isdisjoint(all_workers()), "the end of all workers")
    row.note = f"{kind}: {killed} kills, {in_the_middle} of them amid commits, {ends} runs to the end"
    assert in_the_middle > kills // 10, "the kills came too early or too late to say anything"


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_killed_backfills_lose_nothing_and_make_nothing_twice(tmp_path: Path, kind: str) -> None:
    kill_again_and_again(tmp_path, kills=5, days=DAYS, kind=kind)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_many_killed_backfills(tmp_path: Path, kind: str) -> None:
    kill_again_and_again(tmp_path, kills=200, days=365, kind=kind)
