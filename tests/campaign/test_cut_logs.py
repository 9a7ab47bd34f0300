"""Wherever a log, a checkpoint or its hint is cut, `doctor` finds it; other readers take some cuts for the whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from deltaworks.io.damage import inspect
from deltaworks.io.store import Store
from deltaworks.io.table import Table
from tests.acceptance.conftest import Here, Project
from tests.acceptance.test_doctor import write_project
from tests.campaign.recorder import Row, recorded

TABLE, DAY = "doubled", "2024-01-03"


def do(*command: str) -> Callable[[Project], object]:
    def run(project: Project) -> None:
        done = project.run(*command)
        assert done.code == 0, done.err

    return run


def append(project: Project) -> None:
    uri = str(project.lake / TABLE)
    write_deltalake(uri, pl.read_delta(uri).filter(pl.col("day") < pl.date(2024, 1, 4)), mode="append")


def compact(project: Project) -> None:
    append(project)
    do("maintain", TABLE)(project)
    DeltaTable(str(project.lake / TABLE)).optimize.compact()


COMMITS: dict[str, Callable[[Project], object]] = {
    "one partition": do("materialize", TABLE, "--partition", DAY),
    "ten partitions": do("materialize", TABLE),
    "a wipe": do("wipe", TABLE, "--partition", DAY, "--partition", "2024-01-04"),
    "a rollback": lambda project: (
        do("wipe", TABLE, "--partition", DAY)(project),
        do("rollback", TABLE, "--to", "v1", "--partition", DAY)(project),
    ),
    "an append by others": append,
    "an overwrite by others": lambda project: write_deltalake(
        str(project.lake / TABLE), pl.read_delta(str(project.lake / TABLE)), mode="overwrite", partition_by=["day"]
    ),
    "a deletion by others": lambda project: DeltaTable(str(project.lake / TABLE)).delete(f"day = '{DAY}'"),
    "a compaction by others": compact,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("made") / "project"
    folder.mkdir()
    here = write_project(Here(folder))
    do("backfill")(here)
    return here


def read_by_others(table: Path) -> bool:
    """Whether delta-rs takes a log for a whole one."""
    try:
        DeltaTable(str(table)).file_uris()
    except Exception:  # noqa: BLE001 - bare ones, too
        return False
    return True


def cut_everywhere(row: Row, project: Project, every: int) -> int:
    """Cut the last commit at bytes; return at how many of the cuts delta-rs sees nothing."""
    store, unseen = Store(project.lake, durable=False), 0
    path = max((project.lake / TABLE / "_delta_log").glob("*.json"))
    whole, version = path.read_bytes(), int(path.stem)
    ends = set(range(0, len(whole) - 1, every))  # nobody needs the newline at the end
    ends |= {number + 1 for number, byte in enumerate(whole[:-1]) if byte == ord("\n")}
    for end in sorted(ends):
        with row.one():
            path.write_bytes(whole[:end])
            assert [each.version for each in inspect(store, TABLE).commits] == [version], f"cut at byte {end}"
        if whole[end - 1 : end] in (b"\n", b""):
            unseen += read_by_others(project.lake / TABLE)
    path.write_bytes(whole)
    assert inspect(store, TABLE).commits == ()
    return unseen


@pytest.mark.soak
def test_a_last_commit_that_is_cut_at_any_byte_is_found(made: Project, tmp_path: Path) -> None:
    with recorded("the last commit cut at every byte") as row:
        unseen = 0
        for name, commit in COMMITS.items():
            here = Here(shutil.copytree(made.folder, tmp_path / name.replace(" ", "-")))
            commit(here)
            unseen += cut_everywhere(row, here, every=1)
        row.note = f"{len(COMMITS)} kinds of commits; delta-rs opens the table after {unseen} of the cuts"
        assert unseen > 0, "else there would be no need for doctor to look closer"


@pytest.mark.parametrize("name", ["an append by others", "a wipe"])
def test_a_last_commit_that_is_cut_between_lines_is_found(name: str, made: Project, tmp_path: Path) -> None:
    here = Here(shutil.copytree(made.folder, tmp_path / "project"))
    COMMITS[name](here)

    with recorded("the last commit cut at every byte") as row:
        assert cut_everywhere(row, here, every=500) > 0


@pytest.mark.soak
def test_a_checkpoint_or_hint_that_is_cut_at_any_byte_is_found(made: Project, tmp_path: Path) -> None:
    here = Here(shutil.copytree(made.folder, tmp_path / "project"))
    store = Store(here.lake, durable=False)
    DeltaTable(str(here.lake / TABLE)).create_checkpoint()
    log = here.lake / TABLE / "_delta_log"
    with recorded("a checkpoint or its hint cut at every byte") as row:
        for path in (next(log.glob("*.checkpoint.parquet")), log / "_last_checkpoint"):
            whole = path.read_bytes()
            for end in range(len(whole.rstrip())):  # the newline at the end is nobody's loss
                with row.one():
                    path.write_bytes(whole[:end])
                    (found,) = inspect(store, TABLE).checkpoints
                    assert f"{TABLE}/_delta_log/{path.name}" in found.paths, f"cut at byte {end}"
                    assert Table.read(store, TABLE).version == 1, "what we read is in the commits"
            path.write_bytes(whole)
