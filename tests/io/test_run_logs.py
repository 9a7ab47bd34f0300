"""A run's log is read as it was written, also while it grows, and goes when it is old."""

import datetime as dt
import os
from dataclasses import replace

import pytest

from deltaworks.errors import RequestError, StorageError
from deltaworks.io.run_logs import FOLDER, OBJECT_BYTES, LogReader, LogWriter, find_old_logs
from tests.exactness.failing_store import FailingStore, Moment, Trigger


def test_a_reader_gets_each_line_once_while_the_log_grows(lake):
    writer, reader = LogWriter(lake.store, "r", 1), LogReader(lake.store, "r")
    assert list(reader.read()) == []

    writer.write({"n": 1})
    assert list(reader.read()) == [], "it is not flushed"
    writer.flush()
    first = list(reader.read())
    writer.write({"n": 2, "text": "\u00e9\n\udcff"})
    writer.flush()

    assert first == [{"n": 1}]
    assert list(reader.read()) == [{"n": 2, "text": "\u00e9\n?"}]
    assert list(reader.read()) == []


def test_a_long_log_is_several_objects_and_attempts_follow_one_another(lake):
    for attempt in (1, 2):
        writer = LogWriter(lake.store, "r", attempt)
        for number in range(30):
            writer.write({"attempt": attempt, "n": number, "text": "x" * (OBJECT_BYTES // 10)})
        writer.flush()

    lines = list(LogReader(lake.store, "r").read())

    assert [(line["attempt"], line["n"]) for line in lines] == [(a, n) for a in (1, 2) for n in range(30)]
    sizes = [file.size_bytes for file in lake.store.files(FOLDER)]
    assert len(sizes) == 6
    assert max(sizes) < 1.2 * OBJECT_BYTES


def test_a_reader_goes_on_where_another_one_was(lake):
    writer, reader = LogWriter(lake.store, "r", 1), LogReader(lake.store, "r")
    for number in range(3):
        writer.write({"n": number})
    writer.flush()
    first = next(reader.read())
    second = LogWriter(lake.store, "r", 2)
    second.write({"n": 3})
    second.flush()

    rest = list(LogReader(lake.store, "r", reader.position).read())

    assert [first, *rest] == [{"n": number} for number in range(4)]
    assert LogReader(lake.store, "nothing").position is None
    for wrong in ("", "3", "001-000000", "001-000000:-1", "../x:0", "001-000000:" + "9" * 5000):
        with pytest.raises(RequestError, match="There is nothing after"):
            LogReader(lake.store, "r", wrong)


def test_of_a_log_that_is_too_long_the_beginning_and_the_end_are_read(lake):
    for attempt, count in ((1, 3), (2, 9)):
        writer = LogWriter(lake.store, "r", attempt)
        for number in range(count):
            writer.write({"attempt": attempt, "n": number, "text": "x" * OBJECT_BYTES})
        writer.flush()
    whole, short = LogReader(lake.store, "r", most_objects=12), LogReader(lake.store, "r", most_objects=4)

    seen, shown = list(whole.read()), list(short.read())

    assert (len(seen), whole.has_gaps) == (12, False)
    assert [(line["attempt"], line["n"]) for line in shown] == [(2, 0), (2, 6), (2, 7), (2, 8)]
    assert (short.has_gaps, short.position) == (True, whole.position)


def test_a_disk_that_refuses_costs_the_lines_and_nothing_else(lake):
    def refuse() -> None:
        raise StorageError("full")

    store = FailingStore(lake.store.root, False, Trigger("put", 1, Moment.BEFORE, refuse))
    writer = LogWriter(store, "r", 1)

    writer.write({"n": 1})
    writer.flush()

    assert str(writer.problem) == "full"
    writer.flush()
    assert list(LogReader(lake.store, "r").read()) == [{"n": 1}]


def test_a_damaged_line_hides_no_other(lake):
    path = f"{FOLDER}/r/001-000000.jsonl"
    lake.store.put(path, b'{"n": 1}\n{"n": \n[]\n{"n": 2}\n{"half')

    damaged = {"event": "damaged_line", "object": path}
    assert list(LogReader(lake.store, "r").read()) == [{"n": 1}, damaged, damaged, {"n": 2}]


def test_only_runs_whose_whole_log_is_old_are_swept(lake):
    for run, attempt in (("old", 1), ("old", 2), ("young", 1), ("young", 2)):
        writer = LogWriter(replace(lake.store), run, attempt)
        writer.write({})
        writer.flush()
    now = dt.datetime.now(dt.UTC)
    for path in (
        f"{FOLDER}/old/001-000000.jsonl",
        f"{FOLDER}/old/002-000000.jsonl",
        f"{FOLDER}/young/001-000000.jsonl",
    ):
        os.utime(lake.store.root / path, (0, 0))

    found = sorted(file.path for file in find_old_logs(lake.store, now - dt.timedelta(days=30)))

    assert found == [f"{FOLDER}/old/001-000000.jsonl", f"{FOLDER}/old/002-000000.jsonl"]
