"""A backfill that is canceled at any moment, also amid a commit, leaves whole partitions and says how it ended."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from tests.exactness.processes import ASSETS, PATIENCE_S, rows, write_project
from tests.exactness.test_kills import Witness

DAYS = 25
CANCELS = 3


def test_canceled_backfills_lose_nothing_and_make_nothing_twice(tmp_path: Path) -> None:
    seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(2**32))
    print(f"KILL_SEED={seed}")
    chance = random.Random(seed)
    reference = write_project(tmp_path / "reference", DAYS)
    code, said = reference.run("backfill")
    assert code == 0, said
    expected = {asset: rows(reference.lake / asset) for asset in ASSETS}
    witness = Witness(write_project(tmp_path / "canceled", DAYS), expected)
    for _ in range(CANCELS):
        with witness.project.start("backfill", "--workers", "2") as process:
            witness.wait_for_a_run(process)
            time.sleep(chance.uniform(0, 2))
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=PATIENCE_S)
        assert "Traceback" not in said
        witness.look()
        assert {run["status"] for run in witness.project.runs()} <= {"canceled", "success"}, said
        if process.returncode == 0:
            witness.look_at_the_end()
            witness.forget()
    code, said = witness.project.run("backfill")
    assert code == 0, said
    witness.look()
    witness.look_at_the_end()
