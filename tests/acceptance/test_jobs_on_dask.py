"""Ops on a cluster: what they give goes from one to the other through the run's folder, and what they say is heard."""

from __future__ import annotations

import os

from tests.acceptance.conftest import Here

JOB = """
import os
import polars as pl
import deltaworks as dw

@dw.op
def rows() -> pl.LazyFrame:
    print("said by rows")
    assert str(os.getpid()) != os.environ["MAIN"]
    return pl.LazyFrame({"n": [1, 2, 3]})

@dw.op(timeout_s=60)
def total(df: pl.DataFrame) -> int:
    assert str(os.getpid()) != os.environ["MAIN"]
    return df["n"].sum()

@dw.op
def fails(n: int) -> None:
    raise ValueError(f"the sum is {n}")

@dw.job
def counting():
    fails(total(rows()))
"""


def test_ops_are_called_on_a_cluster_and_read_what_others_gave(here: Here) -> None:
    here.write("deltaworks.toml", 'modules = ["tables"]\n[executor]\nkind = "dask"\nworkers = 1\n')
    here.write("tables.py", JOB)

    done = here.run("job", "run", "counting", "--json", MAIN=str(os.getpid()))

    assert done.code == 1
    told = here.run("runs", "show", "--json").json
    assert told["failures"][0]["error"].startswith("ValueError: the sum is 6")
    assert told["dashboard"].startswith("http://127.0.0.1:")
    assert "said by rows" in here.run("runs", "logs", "--json").out
