"""A run is found by its id, whatever has become of the entries of others."""

import datetime as dt
from dataclasses import replace

from deltaworks.engine.execution.attempt import begin_attempt
from deltaworks.io.folding import find_foldable, fold_runs
from deltaworks.io.ledger import write_run
from deltaworks.io.run_entry import RunEntry, RunStatus
from deltaworks.io.run_lookup import look_up_run

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
ENDED = RunEntry("r1", RunStatus.FAILURE, "job run", "2026-01-02T00:00:00+00:00", "2026-01-02T00:00:05+00:00")


def test_a_run_is_found_before_and_after_it_is_folded(lake):
    write_run(lake.store, ENDED)
    write_run(lake.store, replace(ENDED, run_id="r2", started_at="2026-02-02T00:00:00+00:00"))
    assert (look_up_run(lake.store, "r1"), look_up_run(lake.store, "r3")) == (ENDED, None)

    fold_runs(lake.store, find_foldable(lake.store, NOW.date()))

    assert (look_up_run(lake.store, "r1"), look_up_run(lake.store, "r3")) == (ENDED, None)


def test_a_damaged_entry_of_another_run_keeps_none_from_its_next_attempt(lake):
    write_run(lake.store, ENDED)
    lake.store.put("_deltaworks/ledger/runs/2026-02-03/r2.json", b"{")

    found = begin_attempt(lake.store, "r1", "job run", NOW)

    assert (found.attempt, found.started_at) == (2, ENDED.started_at)
    assert begin_attempt(lake.store, "r3", "job run", NOW).attempt == 1
