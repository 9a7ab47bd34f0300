"""Everything that can be wrong with a lake, made: what `docs/doctor.md` lists is what stands here."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl
from deltalake import DeltaTable, write_deltalake

from deltaworks.io import index_file
from deltaworks.io.index import FOLDER, FORMAT
from deltaworks.io.process import Process
from tests.acceptance.conftest import Project

DAY = "2024-01-03"
OLD_S = 8 * 86400
RUN = "20240101T000000-0123abcd"


@dataclass(frozen=True)
class Damage:
    """One damage to a project of which everything is made: `numbers`, and `doubled` from it, over ten days."""

    name: str
    make: Callable[[Project], object]


def commit(project: Project, asset: str, version: int) -> Path:
    return project.lake / asset / "_delta_log" / f"{version:020d}.json"


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def without_last_add(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def again(project: Project, asset: str = "doubled") -> None:
    """Commit once more."""
    assert project.run("materialize", asset, "--partition", DAY).code == 0


def read_by_others(project: Project) -> None:
    cut(commit(project, "numbers", 1), 0.5)


def gap(project: Project) -> None:
    again(project)
    commit(project, "doubled", 1).unlink()


def checkpointed(project: Project, asset: str = "doubled") -> Path:
    table = DeltaTable(str(project.lake / asset))
    table.create_checkpoint()
    return project.lake / asset / "_delta_log" / f"{table.version():020d}.checkpoint.parquet"


def other_checkpoint(project: Project) -> None:
    again(project)
    path = checkpointed(project)
    df = pl.read_parquet(path)
    df.filter(pl.col("add").is_null() | (pl.int_range(pl.len()) % 2 == 0)).write_parquet(path)


def cut_hint(project: Project) -> None:
    cut(checkpointed(project).with_name("_last_checkpoint"), 0.5)


def wrong_hint(project: Project) -> None:
    checkpointed(project).unlink()


def wrong_index(project: Project) -> None:
    path = project.lake / FOLDER / "numbers.files"
    df, facts = index_file.from_bytes(path.read_bytes(), FORMAT) or (pl.DataFrame(), {})
    path.write_bytes(index_file.to_bytes(df.head(1), facts))


def data_file(project: Project, asset: str = "numbers") -> Path:
    (file,) = (project.lake / asset / f"day={DAY}").iterdir()
    return file


def old(path: Path, content: bytes = b"left") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (time.time() - OLD_S,) * 2)


def temporaries(project: Project) -> None:
    old(project.lake / "numbers" / "_delta_log" / f"{2:020d}.json#1")
    old(project.lake / "numbers" / "_delta_log" / f".{2:020d}.json.{'0' * 32}.tmp")
    old(project.lake / "numbers" / f"day={DAY}" / "part.parquet#1")


def properties(project: Project) -> None:
    table = DeltaTable(str(project.lake / "numbers"))
    table.alter.set_table_properties({"delta.logRetentionDuration": "interval 1 day"})


def append_again(project: Project) -> None:
    uri = str(project.lake / "doubled")
    write_deltalake(uri, pl.read_delta(uri).filter(pl.col("day") == pl.date(2024, 1, 3)), mode="append")


def half_made(project: Project) -> None:
    shutil.rmtree(project.lake / "doubled" / "_delta_log")
    (project.lake / "doubled" / "_delta_log").mkdir()
    old(project.lake / "doubled" / "_delta_log" / f"{0:020d}.json#1")
    for path in (project.lake / "doubled").rglob("*"):
        os.utime(path, (time.time() - 2 * 3600,) * 2)
    for path in (project.lake / "_deltaworks" / "index").glob("doubled.*"):
        path.unlink()


def newer_record(project: Project) -> None:
    path = commit(project, "doubled", 1)
    info, *others = path.read_bytes().splitlines()
    document = json.loads(info)
    document["commitInfo"]["deltaworks"]["min_engine_format"] = 99
    path.write_bytes(b"\n".join([json.dumps(document).encode(), *others, b""]))


def unknown_record(project: Project) -> None:
    path = commit(project, "doubled", 1)
    path.write_bytes(path.read_bytes().replace(b'"kind":"materialize"', b'"kind":"teleport"'))


def dead_claim(project: Project) -> None:
    here = Process.current()  # whoever had its id before
    who = {"purpose": "deltaworks maintain", **asdict(here), "born": f"{(here.born or '').rpartition(' ')[0]} 1"}
    path = project.lake / "_deltaworks" / "claims" / "maintain.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(who))


def beyond(project: Project) -> None:
    rows = pl.DataFrame({"day": [DAY.replace("2024", "2025")], "n": [1]}).with_columns(pl.col("day").str.to_date())
    write_deltalake(str(project.lake / "doubled"), rows, mode="append")


def vacuumed(project: Project) -> None:
    again(project, "numbers")
    table = DeltaTable(str(project.lake / "numbers"))
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)


def other_columns(project: Project) -> None:
    project.edit(
        "numbers_.py", "numbers: LazyFrame[Row]) -> LazyFrame[Row]", "numbers: LazyFrame[Row]) -> LazyFrame[Text]"
    )
    project.edit("numbers_.py", 'with_columns(pl.col("n") * 2)', 'with_columns(pl.col("n").cast(pl.String))')
    project.edit(
        "numbers_.py", "class Row", "class Text(pa.DataFrameModel):\n    day: pl.Date\n    n: str\n\nclass Row"
    )


DAMAGES = (
    Damage("the last commit is empty", lambda project: commit(project, "doubled", 1).write_bytes(b"")),
    Damage("the last commit is cut within a line", lambda project: cut(commit(project, "doubled", 1), 0.9)),
    Damage("the last commit lacks an add line", lambda project: without_last_add(commit(project, "doubled", 1))),
    Damage("a commit that other tables were made from is cut", read_by_others),
    Damage("a commit is missing before the last one", gap),
    Damage("a record is not to be understood", unknown_record),
    Damage("a record is of a newer format", newer_record),
    Damage("a checkpoint is cut", lambda project: cut(checkpointed(project), 0.7)),
    Damage("a checkpoint names other files than the commits", other_checkpoint),
    Damage("`_last_checkpoint` is cut", cut_hint),
    Damage("`_last_checkpoint` names a checkpoint that is not there", wrong_hint),
    Damage("an index is cut", lambda project: cut(project.lake / FOLDER / "numbers.index", 0.7)),
    Damage("an index says something else than the log", wrong_index),
    Damage("a data file is missing", lambda project: data_file(project).unlink()),
    Damage("a data file is cut", lambda project: cut(data_file(project), 0.5)),
    Damage("data files that no commit names", lambda project: old(data_file(project).with_name(f"{RUN}-0.parquet"))),
    Damage("temporaries of writers that died, in a table", temporaries),
    Damage(
        "temporaries of writers that died, beside the tables",
        lambda project: old(project.lake / "_deltaworks" / "index" / f".numbers.index.{'0' * 32}.tmp"),
    ),
    Damage("a table's retention was changed", properties),
    Damage("others appended rows that were there", append_again),
    Damage("a table was half made", half_made),
    Damage("others wrote partitions beyond the definition", beyond),
    Damage("an asset makes other columns than its table has", other_columns),
    Damage("others vacuumed what a table was made from", vacuumed),
    Damage(
        "an entry of the ledger is damaged",
        lambda project: cut(next((project.lake / "_deltaworks" / "ledger" / "runs").rglob("2*.json")), 0.5),
    ),
    Damage("a claim of a process that died", dead_claim),
)
