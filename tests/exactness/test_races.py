"""Processes that write to the same tables at once never lose or double a row."""

from __future__ import annotations

import datetime as dt
import random
import shutil
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from tests.exactness.naive import read_history
from tests.exactness.processes import ASSETS, PATIENCE_S, Processes, rows, wait_until, without_claims, write_project

DAYS = 24


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Processes:
    """The project, made by a run that nobody disturbed."""
    made = write_project(tmp_path_factory.mktemp("made") / "project", DAYS, seconds=0.004)
    code, said = made.run("backfill", "--workers", "1")
    assert code == 0, said
    return made


@pytest.fixture
def project(tmp_path: Path) -> Processes:
    return write_project(tmp_path / "project", DAYS, seconds=0.004)


@pytest.fixture
def expected(made: Processes) -> dict[str, dict[str, list[tuple[object, ...]]]]:
    """What a run that nobody disturbs makes."""
    return {asset: rows(made.lake / asset) for asset in ASSETS}


def at_once(project: Processes, *commands: tuple[str, ...]) -> list[tuple[int, str]]:
    """Run commands at once: none gets past its first partition before all have come to theirs.

    Their claims are deleted all the time, so that they do not wait for one another: no table hangs on a claim.
    """
    with ExitStack() as stack:
        processes = [stack.enter_context(project.start(*command, crowd=len(commands))) for command in commands]
        stack.enter_context(without_claims(project.lake / "_deltaworks" / "claims" / "work"))
        said = [process.communicate(timeout=PATIENCE_S)[0] for process in processes]
        return [(process.returncode, out) for process, out in zip(processes, said, strict=True)]


def made_once(project: Processes) -> None:
    for asset, history in project.histories().items():
        made = sorted(key for key, _ in history.materializations())
        assert made == project.keys, f"{asset}: each partition was made once"


def test_two_backfills_of_the_same_range_share_the_work(
    project: Processes, expected: dict[str, dict[str, list[tuple[object, ...]]]]
) -> None:
    ended = at_once(project, ("backfill",), ("backfill",))

    assert [code for code, _ in ended] == [0, 0], ended
    first, second = project.runs()
    for run in (first, second):
        assert run["materialized"] + run["skipped"] == 3 * project.days
    assert first["materialized"] + second["materialized"] == 3 * project.days
    made_once(project)
    assert {asset: rows(project.lake / asset) for asset in ASSETS} == expected
    assert project.statuses() == {asset: {"fresh"} for asset in ASSETS}
    code, said = project.run("backfill")
    assert code == 0, said
    assert "Nothing to do" in said


def test_four_backfills_of_other_partitions_do_not_disturb_each_other(
    project: Processes, expected: dict[str, dict[str, list[tuple[object, ...]]]]
) -> None:
    quarters = [project.keys[first : first + 6] for first in range(0, DAYS, 6)]

    ended = at_once(project, *(("backfill", "source", "child", "--from", q[0], "--to", q[-1]) for q in quarters))

    assert [code for code, _ in ended] == [0, 0, 0, 0], ended
    code, said = project.run("backfill")
    assert code == 0, said
    made_once(project)
    assert {asset: rows(project.lake / asset) for asset in ASSETS} == expected


def test_two_processes_that_create_a_table_at_once_both_find_it_good(
    project: Processes, expected: dict[str, dict[str, list[tuple[object, ...]]]]
) -> None:
    first, last = project.keys[0], project.keys[-1]

    ended = at_once(
        project, ("materialize", "source", "--partition", first), ("materialize", "source", "--partition", last)
    )

    assert [code for code, _ in ended] == [0, 0], ended
    history = read_history(project.lake / "source")
    assert sorted(key for key, _ in history.materializations()) == [first, last]
    assert rows(project.lake / "source") == {key: expected["source"][key] for key in (first, last)}


@pytest.mark.parametrize("command", ["backfill", "materialize"])
def test_a_writer_from_outside_is_never_overwritten_unseen(
    command: str, made: Processes, tmp_path: Path, expected: dict[str, dict[str, list[tuple[object, ...]]]]
) -> None:
    project = Processes(shutil.copytree(made.folder, tmp_path / "project"), DAYS)
    text = next(project.folder.glob("*.py"))
    text.write_text(text.read_text("utf-8").replace("FACTOR = 1", "FACTOR = 2"), "utf-8")
    again = {key: [(d, n * 2, x) for d, n, x in found] for key, found in expected["source"].items()}  # type: ignore[operator]
    day = project.keys[7]
    chance = random.Random(7)

    with project.start(command, "source") as process:
        wait_until(lambda: len(project.runs()) > 1 or process.poll() is not None, "the start of the run")
        writes = _write_outside(project.lake / "source", day, chance)
        said, _ = process.communicate(timeout=PATIENCE_S)

    assert len(writes) > 5, "most of the writes went through"
    history = read_history(project.lake / "source")
    content: list[tuple[object, ...]] = []
    for change in history.changes[day]:
        if change.run_id is not None:
            content = again[day] if change.version > 1 else expected["source"][day]
            continue
        is_overwrite, written = writes.pop(change.version)
        content = written if is_overwrite else sorted([*content, *written])
    assert writes == {}, "every acknowledged write stands in the log"
    assert rows(project.lake / "source") == {**again, day: content}
    assert process.returncode in (0, 1), said
    if process.returncode == 1:
        assert f"{day} changed at version" in said
    seen = {key: len(changes) for key, changes in history.changes.items() if key != day}
    assert set(seen.values()) == {2}, "every other partition was made once again"


def _write_outside(table: Path, day: str, chance: random.Random) -> dict[int, tuple[bool, list[tuple[object, ...]]]]:
    """Write to a day for a while; return what was written, by version, and whether it replaced what was there."""
    writes: dict[int, tuple[bool, list[tuple[object, ...]]]] = {}
    for number in range(30):
        df = pl.DataFrame({"day": [dt.date.fromisoformat(day)], "n": [1000 + number], "x": [0.5]})
        properties = CommitProperties(custom_metadata={"write": str(number)})
        is_overwrite = chance.random() < 0.5
        handle = DeltaTable(str(table))
        try:
            if is_overwrite:
                predicate = f"day = '{day}'"
                write_deltalake(handle, df, mode="overwrite", predicate=predicate, commit_properties=properties)
            else:
                write_deltalake(handle, df, mode="append", commit_properties=properties)
        except CommitFailedError:
            continue
        # Not by delta-rs' history(): it counts versions back from the latest, wrongly while others commit.
        (version,) = (
            int(file.stem)
            for file in (table / "_delta_log").glob("[0-9]*.json")
            if f'"write":"{number}"' in file.read_text("utf-8")
        )
        writes[version] = (is_overwrite, [(day, 1000 + number, 0.5)])
        if len(writes) == 12:
            break
    return writes
