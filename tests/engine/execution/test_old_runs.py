"""What is kept of runs is deleted when it is old, and not before."""

from __future__ import annotations

import datetime as dt
import os
from typing import Any

from deltaworks.engine.execution.attempt import begin_attempt
from deltaworks.engine.execution.repairs.upkeep import Care, maintain
from deltaworks.io.ledger import read_runs
from deltaworks.io.stores.stored_file import StoredFile
from tests.engine.execution.conftest import NOW

KEPT_OF_RUNS = ("logs", "ledger/plans", "claims/attempts")


def care_for(work: Any) -> set[str]:
    """Maintain everything, and return the folders below the engine's own of which something was deleted."""
    now = dt.datetime.now(dt.UTC)
    report = maintain(work.graph, work.store, list(work.graph.nodes.values()), Care(), lambda: now)
    own: list[StoredFile] = [file for each in report.tables if each.node is None for file in each.removed]
    return {folder for folder in KEPT_OF_RUNS for file in own if file.path.startswith(f"_deltaworks/{folder}/")}


def test_logs_plans_and_attempts_go_thirty_days_after_they_were_written(work: Any) -> None:
    (run,) = read_runs(work.store)
    begin_attempt(work.store, run.run_id, run.command, NOW)
    files = [file.path for folder in KEPT_OF_RUNS for file in work.store.files(f"_deltaworks/{folder}")]
    assert len(files) >= len(KEPT_OF_RUNS)

    for days, gone in ((29, set()), (31, set(KEPT_OF_RUNS))):
        then = (dt.datetime.now(dt.UTC) - dt.timedelta(days=days)).timestamp()
        for path in files:
            os.utime(work.store.root / path, (then, then))

        assert care_for(work) == gone

    assert not any(work.store.exists(path) for path in files)
    assert read_runs(work.store) == [run]
