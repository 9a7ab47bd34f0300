"""What is recorded of the steps of runs: the latest attempt says everything, and what nobody goes on from is swept."""

from __future__ import annotations

import datetime as dt
import os
from typing import Any

from deltaworks.io.step_records import FOLDER, StepRecords, find_old_steps


def test_the_latest_attempt_that_says_anything_counts(lake: Any) -> None:
    for attempt in (2, 9, 10):
        records = StepRecords(lake.store, "r", attempt)
        for number in (1, 2):
            records.write_ends(number, [{"attempt": attempt, "number": number}])
    StepRecords(lake.store, "r", 11).write_value("big", b"x" * 10_000)

    assert list(StepRecords(lake.store, "r").read_ends()) == [
        {"attempt": 10, "number": 1},
        {"attempt": 10, "number": 2},
    ]


def test_what_a_later_run_goes_on_from_stays_as_long_as_that(lake: Any) -> None:
    for run, retry_of in (("a", None), ("b", "a"), ("c", "b"), ("alone", None), ("half", None)):
        records = StepRecords(lake.store, run)
        if run != "half":
            records.write_run({"retry_of": retry_of})
        records.write_value("big", b"x" * 10_000)
    month = dt.datetime.now(dt.UTC) - dt.timedelta(days=30)
    for file in lake.store.files(FOLDER):
        if not file.path.startswith(f"{FOLDER}/c/"):
            os.utime(lake.store.root / file.path, (0, 0))

    old = {file.path.split("/")[2] for file in find_old_steps(lake.store, month)}
    for file in lake.store.files(FOLDER):
        os.utime(lake.store.root / file.path, (0, 0))
    all_old = {file.path.split("/")[2] for file in find_old_steps(lake.store, month)}

    assert old == {"alone", "half"}
    assert all_old == {"a", "b", "c", "alone", "half"}
