"""Lakes of any size for the bench: projects whose commit logs are written as if they had been run.

The logs are what a backfill leaves, byte for byte of the same kind; only the data files are not there, since no status
and no plan opens one. The same arguments write the same lake.
"""

from __future__ import annotations

import json
import math
import sys
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from deltaworks.engine.planning.graph import AssetGraph, Node
from deltaworks.engine.workspace.project import Origin, load_project
from deltaworks.io.create import PROPERTIES, SCHEME
from deltaworks.io.dtypes import to_delta_schema
from deltaworks.io.log import commit_path
from deltaworks.io.partition_values import folder, stored
from deltaworks.io.record import RECORD_KEY, Group, Pin, Record

START = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
MADE_AT_MS = 1_700_000_000_000
GROUPS = 20

_HEAD = '''"""Made by bench/lakes.py."""

from typing import Annotated

import pandera.polars as pa
import polars as pl

import deltaworks as dw
from deltaworks import LazyFrame
'''

_HOURLY_HEAD = """
hours = dw.HourlyPartitions(start="{start}", end="{end}")
days = dw.DailyPartitions(start="{start}", end="{end}")


class Hour(pa.DataFrameModel):
    hour: Annotated[pl.Datetime, "us", "UTC"]
    v: int


class Day(pa.DataFrameModel):
    day: pl.Date
    v: int
"""

_ROOT = """

@dw.asset(partitions=hours, partition_by="hour")
def h0(partition: dw.Partition) -> LazyFrame[Hour]:
    return pl.LazyFrame({{"hour": partition.starts_at, "v": {salt}}})
"""

_SAME = """

@dw.asset(partitions=hours, partition_by="hour")
def h{number}(h{before}: LazyFrame[Hour]) -> LazyFrame[Hour]:
    return h{before}.with_columns(v=pl.col("v") + {number})
"""

_WINDOW = """

@dw.asset(partitions=hours, partition_by="hour")
def h{number}(h{before}: Annotated[LazyFrame[Hour], dw.Input(mapping=dw.TimeWindowMapping(-23))]) -> LazyFrame[Hour]:
    return h{before}.group_by("hour").agg(pl.col("v").sum())
"""

_BY_DAY = """

@dw.asset(partitions=days, partition_by="day")
def daily(h{before}: LazyFrame[Hour]) -> LazyFrame[Day]:
    return h{before}.group_by(day=pl.col("hour").dt.date()).agg(pl.col("v").sum())


@dw.asset(partitions=hours, partition_by="hour")
def h{number}(h{before}: LazyFrame[Hour], daily: LazyFrame[Day]) -> LazyFrame[Hour]:
    return h{before}.join(daily, left_on=pl.col("hour").dt.date(), right_on="day").select("hour", "v")
"""

_DAILY_HEAD = """
days = dw.DailyPartitions(start="{start}", end="{end}")
"""

_DAILY = '''

class Table{number}(pa.DataFrameModel):
    """What table_{number} holds."""

    day: pl.Date
    name: str = pa.Field(str_matches="^[a-z]+$")
    v: int = pa.Field(ge=0, nullable=True)


@dw.asset(partitions=days, partition_by="day", group="group_{group}"{more})
def table_{number}({arguments}) -> LazyFrame[Table{number}]:
    """Table {number} of its group."""
    scaled = {first}.filter(pl.col("v") > {number}).with_columns(v=pl.col("v") * 2 - 1)
    named = scaled.with_columns(pl.col("name").str.to_lowercase())
    return named.group_by("day", "name").agg(pl.col("v").sum()).sort("name")
'''


def write_hourly_project(place: Path, hours: int, assets: int = 10, salt: int = 0) -> None:
    """Write a project of hourly tables, each made from the one before, and a daily one among them.

    They are joined by identity, by windows of a day, by hours to days and days to hours. `salt` is what the first one's
    code says.
    """
    end = START + timedelta(days=math.ceil(hours / 24))
    texts = [_HEAD, _HOURLY_HEAD.format(start=START.date(), end=end.date()), _ROOT.format(salt=salt)]
    for number in range(1, assets):
        text = _BY_DAY if number == assets - 1 else _WINDOW if number % 3 == 2 else _SAME
        texts.append(text.format(number=number, before=number - 1))
    _write_project(place, texts)


def write_daily_project(place: Path, assets: int, days: int, more: str = "") -> None:
    """Write a project of many daily tables, each with a model of its own and made from one to three others.

    `more` are further arguments of each asset.
    """
    end = START + timedelta(days=days)
    texts = [_HEAD, _DAILY_HEAD.format(start=START.date(), end=end.date())]
    for number in range(assets):
        # Mixed, so that tables read others of their own group and of the one before it.
        nearest = range(max(0, number - 60), number)
        read = sorted({nearest[(number * 7 + each * 13) % len(nearest)] for each in range(1 + number % 3) if nearest})
        arguments = [f"table_{each}: LazyFrame[Table{each}]" for each in read] or ["partition: dw.Partition"]
        first = f"table_{read[0]}" if read else 'pl.LazyFrame({"day": partition.start, "name": "a", "v": 1})'
        group = number * GROUPS // assets
        text = _DAILY.format(number=number, group=group, arguments=", ".join(arguments), first=first, more=more)
        texts.append(text)
    _write_project(place, texts)


def _write_project(place: Path, texts: list[str]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    (place / "tables.py").write_text("".join(texts))
    (place / "deltaworks.toml").write_text('lake = "./lake"\nmodules = ["tables"]\n')


def write_logs(place: Path, commits: int, *, has_files: bool) -> None:
    """Write the log of every table of a project: all partitions, fresh, in so many commits.

    Without files the partitions have no rows, which keeps a large lake small; their records are the same.
    """
    now = START + timedelta(days=365 * 200)
    graph = load_project(Origin(folder=place), {}, now, reads_lake=False).graph
    changed_at: dict[str, pl.Series] = {}
    for node in graph.nodes.values():
        size = node.partitions.size
        # The first commit creates the table.
        changed_at[str(node.key)] = 1 + pl.int_range(size, eager=True) * min(commits, size) // size
        log = place / "lake" / str(node.key) / "_delta_log"
        log.mkdir(parents=True, exist_ok=True)
        for version, actions in enumerate(_commits(node, changed_at, has_files=has_files)):
            text = "".join(json.dumps(action, separators=(",", ":")) + "\n" for action in actions)
            (place / "lake" / commit_path(str(node.key), version)).write_text(text)


def add_commit(place: Path, table: str, every: int | None = None) -> None:
    """Make the first partition of a table again, in one more commit; or every second one, every third."""
    log = place / "lake" / table / "_delta_log"
    files = sorted(log.glob("*.json"))
    lines = [line for file in files[1:] for line in file.read_text().splitlines()]
    info = next(json.loads(line) for line in lines if line.startswith('{"commitInfo"'))
    added = [line for line in lines if line.startswith('{"add"')][: None if every else 1 : every or 1]
    (group,) = info["commitInfo"][RECORD_KEY]["groups"]
    values = [next(iter(json.loads(line)["add"]["partitionValues"].values())) for line in added]
    group["keys"] = [f"{value[:10]}T{value[11:16]}Z" for value in values]
    group["rows"] = [1] * len(values)
    (log / f"{len(files):020d}.json").write_text("\n".join([json.dumps(info), *added]) + "\n")


def remake_latest(place: Path, graph: AssetGraph, table: str) -> None:
    """Make the last partition of a table again in one more commit, from its upstreams as they are."""
    node = graph.node(table)
    logs = {str(edge.upstream): place / "lake" / str(edge.upstream) / "_delta_log" for edge in node.upstream}
    inputs = {_table_id(name): Pin(name, len(list(log.glob("*.json"))) - 1) for name, log in logs.items()}
    version = len(list((place / "lake" / table / "_delta_log").glob("*.json")))
    group = Group((node.partitions.key(node.partitions.size - 1),), (0,), node.code, inputs=inputs)
    text = "".join(json.dumps(action) + "\n" for action in _actions(node, group, version))
    (place / "lake" / commit_path(table, version)).write_text(text)


def _commits(node: Node, changed_at: Mapping[str, pl.Series], *, has_files: bool) -> Iterator[list[dict[str, object]]]:
    yield _creation(node)
    own = changed_at[str(node.key)]
    keys = node.partitions.keys(pl.int_range(node.partitions.size, eager=True))
    read = {str(edge.upstream): edge.correspondence.latest(changed_at[str(edge.upstream)]) for edge in node.upstream}
    for version in range(1, 1 + max(own)):
        first, last = own.search_sorted(version, "left"), own.search_sorted(version, "right")
        part = keys.slice(first, last - first).to_list()
        inputs = {
            _table_id(name): Pin(name, int(latest.slice(first, last - first).max()))  # type: ignore[arg-type]
            for name, latest in read.items()
        }
        rows = tuple(1000 + number % 7 for number in range(len(part))) if has_files else (0,) * len(part)
        yield list(_actions(node, Group(tuple(part), rows, node.code, inputs=inputs), version))


def _actions(node: Node, group: Group, version: int) -> Iterator[dict[str, object]]:
    run_id = f"20000101T000000-{version:08x}"
    record = Record(run_id, str(node.key), "deltaworks", "2000-01-01T00:00:00+00:00", (group,), {})
    info = {"timestamp": MADE_AT_MS + version, "operation": "WRITE", "engineInfo": "deltaworks"}
    yield {"commitInfo": {**info, RECORD_KEY: record.to_json()}}
    (column,) = node.partition_columns
    dtype = dict(_columns(node))[column]
    for key, rows in zip(group.keys or (), group.rows, strict=True):
        if rows:
            values: dict[str, str | None] = {column: stored(key, dtype)}
            statistics = {"numRecords": rows, "minValues": {"v": 1}, "maxValues": {"v": rows}, "nullCount": {"v": 0}}
            yield {
                "add": {
                    "path": f"{folder(values).replace('%', '%25')}{run_id}-1.parquet",
                    "partitionValues": values,
                    "size": 10_000 + rows,
                    "modificationTime": MADE_AT_MS + version,
                    "dataChange": True,
                    "stats": json.dumps(statistics),
                }
            }


def _creation(node: Node) -> list[dict[str, object]]:
    schema = json.dumps(to_delta_schema(dict(_columns(node))))
    return [
        {"commitInfo": {"timestamp": MADE_AT_MS, "operation": "CREATE TABLE", "engineInfo": "delta-rs"}},
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {
            "metaData": {
                "id": _table_id(str(node.key)),
                "name": str(node.key),
                "format": {"provider": "parquet", "options": {}},
                "schemaString": schema,
                "partitionColumns": list(node.partition_columns),
                "configuration": {**PROPERTIES, SCHEME: node.partitions.scheme},
                "createdTime": MADE_AT_MS,
            }
        },
    ]


def _columns(node: Node) -> Iterator[tuple[str, pl.DataType]]:
    (column,) = node.partition_columns
    yield column, pl.Datetime("us", "UTC") if column == "hour" else pl.Date()
    yield "v", pl.Int64()


def _table_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def main() -> None:
    """Write in a process of its own: `logs PLACE COMMITS files|records`, or `commit PLACE TABLE [EVERY]`."""
    what, place, *rest = sys.argv[1:]
    if what == "logs":
        write_logs(Path(place), int(rest[0]), has_files=rest[1] == "files")
    else:
        add_commit(Path(place), rest[0], *map(int, rest[1:]))


if __name__ == "__main__":
    main()
