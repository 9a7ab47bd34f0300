"""Whatever step a run is killed at, or fails at, its lake is whole, and the next run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from deltaworks.errors import InvalidSettings
from deltaworks.io.failpoints import VARIABLE, Failpoints, Step, acting, hit
from tests.campaign.checker import Verdict
from tests.campaign.forks import Ended, Forks
from tests.campaign.generations import Generations
from tests.campaign.recorder import Row, recorded
from tests.campaign.survivor import Survivor

OF_TICKS = [step for step in Step if step.startswith(("tick.", "launch."))]
OF_RUNS = [step for step in Step if step not in OF_TICKS]
OF_NEW_LAKES = {Step.CREATING, Step.CREATED, Step.INDEX, Step.INDEX_HALF}
"""Steps that a run comes to only where there is nothing yet."""
OF_OLD_LAKES = {Step.CHECKPOINT, Step.CHECKPOINTED}
OFTEN = {Step.LEDGER, Step.CALL, Step.WRITTEN, Step.JUDGED, Step.BEFORE_SYNC, Step.AFTER_SYNC, Step.BEFORE_PUT}
OFTEN |= {Step.AFTER_PUT, Step.COMMITTED, Step.CREATING, Step.CREATED}
"""Steps that every run of three assets comes to three times at least."""


def fail_at(survivor: Survivor, step: Step, action: str, number: int) -> tuple[Ended, Verdict]:
    """Have a run that fails at a step; then one that goes on, and is to make what is left."""
    ended = survivor.run("materialize", failpoints=f"{step}={action}@{number if step in OFTEN else 1}")
    verdict = survivor.look()
    again = survivor.run("backfill")
    assert again.code == 0, again.said
    verdict += survivor.look()
    assert survivor.statuses() == {"fresh"}
    return ended, verdict


def lake_for(step: Step, number: int, folder: Path, server: Forks, template: Generations) -> Survivor:
    is_old = step in OF_OLD_LAKES or (step not in OF_NEW_LAKES and number % 2 == 0)
    return Survivor.at(folder, server, template if is_old else None)


@pytest.mark.soak
def test_a_run_that_is_killed_at_any_step_leaves_a_whole_lake(
    server: Forks, template: Generations, tmp_path: Path
) -> None:
    with recorded("kill at every failpoint of a run") as row:
        for step in OF_RUNS:
            for number in (1, 2, 3):
                survivor = lake_for(step, number, tmp_path / f"{step}-{number}", server, template)
                ended, verdict = fail_at(survivor, step, "kill", number)
                row.count(verdict, also=ended.code == -9)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("action", "fault"),
    [("full", "a full disk at every failpoint of a run"), ("raise", "an error of our own at every failpoint of a run")],
)
def test_a_run_that_fails_at_any_step_leaves_a_whole_lake(
    action: str, fault: str, server: Forks, template: Generations, tmp_path: Path
) -> None:
    with recorded(fault) as row:
        for step in OF_RUNS:
            for number in (1, 2, 3):
                survivor = lake_for(step, number, tmp_path / f"{step}-{number}", server, template)
                ended, verdict = fail_at(survivor, step, action, number)
                also = ended.code in (0, 1) and "Traceback" not in ended.said if action == "full" else ended.code >= 0
                row.count(verdict, also=also)


@pytest.mark.parametrize("step", [Step.CREATED, Step.AFTER_PUT, Step.CHECKPOINT])
def test_a_run_that_is_killed_goes_on(step: Step, server: Forks, template: Generations, tmp_path: Path) -> None:
    survivor = lake_for(step, 1, tmp_path / "lake", server, template)

    ended, verdict = fail_at(survivor, step, "kill", 2)

    assert ended.code == -9
    assert verdict.told == []


def kill_again_and_again(row: Row, kills: int, survivor: Survivor) -> None:
    """Kill runs at random moments of the time that one takes."""
    chance, amid = row.chance, 0
    begun_s = heard_s = time.monotonic()
    run_id, fork = survivor.start("materialize")
    while not fork.has_said:
        heard_s = time.monotonic()
    assert survivor.hear(run_id, fork.wait()).code == 0
    over_s = time.monotonic()
    while row.tried < kills:
        before, is_heard = survivor.commits(), chance.random() < 0.8
        run_id, fork = survivor.start("materialize")
        seconds = chance.uniform(0, over_s - (heard_s if is_heard else begun_s))
        ended = survivor.hear(run_id, fork.kill_after(seconds, is_heard=is_heard))
        verdict = survivor.look()
        if ended.code == 0:
            assert verdict.told == []
            continue
        amid += before < survivor.commits() < before + 3
        row.count(verdict, also=ended.code == -9)
    again = survivor.run("backfill")
    assert again.code == 0, again.said
    assert survivor.look().told == []
    assert survivor.statuses() == {"fresh"}
    row.note = f"{amid} of them between the first and the last commit of a run"
    assert amid > kills // 20 or kills < 100, "the kills came too early or too late to say anything"


def test_six_kills_of_a_run_at_any_moment(server: Forks, template: Generations, tmp_path: Path) -> None:
    with recorded("kill -9 in materialize") as row:
        kill_again_and_again(row, 6, Survivor.at(tmp_path / "lake", server, template))


@pytest.mark.soak
def test_five_hundred_kills_of_a_run_at_any_moment(server: Forks, template: Generations, tmp_path: Path) -> None:
    with recorded("kill -9 in materialize") as row:
        kill_again_and_again(row, 500, Survivor.at(tmp_path / "lake", server, template))


def test_killed_processes_are_what_the_environment_asked_for(tmp_path: Path) -> None:
    project = Generations(tmp_path / "project").write()
    command = [sys.executable, "-m", "deltaworks", "materialize", "whole"]

    def run(failpoints: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, VARIABLE: failpoints, "GENERATION": "1"}
        return subprocess.run(command, cwd=project.folder, env=environ, capture_output=True, text=True, check=False)

    killed, refused = run("commit.before_put=kill"), run("commit.before_putt=kill")

    assert killed.returncode == -9
    assert [file.name for file in (project.lake / "whole" / "_delta_log").glob("*1.json")] == []
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: environment variable {VARIABLE}: 'commit.before_putt=kill' is no failp")
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize("text", ["commit.before_put", "commit.before_put=maim", "run.planned=sleep", "x=kill@1"])
def test_what_is_no_failpoint_is_refused(text: str) -> None:
    with pytest.raises(InvalidSettings, match=r"is no failpoint; expected step=action.*the steps are run\.planned, "):
        Failpoints.parse(text)


def test_a_step_acts_the_time_that_was_asked_for_and_no_other() -> None:
    seen = Counter[Step]()
    with acting(Failpoints.parse("run.turn=raise@2; stage.written=sleep:0")), acting(lambda step: seen.update([step])):
        hit(Step.TURN)
        with pytest.raises(RuntimeError, match=r"raised at run\.turn"):
            hit(Step.TURN)
        hit(Step.TURN)
        hit(Step.WRITTEN)
    hit(Step.TURN)

    assert seen == {Step.TURN: 2, Step.WRITTEN: 1}
