"""`deltaworks job`: jobs of ops and of assets, listed, shown and run from the shell."""

from __future__ import annotations

from typing import Any

import pytest

JOBS = """
from typing import Annotated

class Letter(dw.Config):
    subject: str
    copies: int = 1

@dw.op
def addition(rows: Annotated[pl.DataFrame, dw.In(asset="total")]) -> int:
    return rows["n"].sum()

@dw.op
def letter(n: int, config: Letter, log: dw.Logger) -> str:
    log.info("writing %s", config.subject)
    return f"{config.subject}: {n}" * config.copies

@dw.op
def send(text: str) -> None:
    if "bad" in text:
        raise ValueError("refused")

@dw.job
def mail() -> None:
    \"\"\"Mail the sum.\"\"\"
    send(letter(addition()))

@dw.success_hook
def asset_done(asset: dw.StepEnded) -> None:
    print("hook:", asset.step, asset.partition)

@dw.success_hook
def run_done(run: dw.RunEnded) -> None:
    print("hook:", run.job)

daily = dw.define_asset_job("daily", "numbers+", partitions=days, hooks=[asset_done, run_done])
"""


@pytest.fixture
def shop(shell: Any) -> Any:
    file = shell.folder / "tables.py"
    file.write_text(file.read_text() + JOBS)
    return shell


def test_jobs_are_listed_and_shown(shop: Any) -> None:
    jobs = shop.run("job", "list", "--json").json["jobs"]
    shown = shop.run("job", "print", "mail", "--json").json

    assert [(job["job"], job["kind"]) for job in jobs] == [("mail", "ops"), ("daily", "assets")]
    assert [(op["op"], op["reads"]) for op in shown["ops"]] == [
        ("addition", ["table total"]),
        ("letter", ["addition"]),
        ("send", ["letter"]),
    ]
    assert shop.run("list", "jobs", "--json").json["jobs"] == jobs
    assert shop.run("job", "print", "daily", "--json").json["assets"] == ["numbers", "doubled", "total"]
    assert shop.run("job", "run", "mial").sentence == "There is no job 'mial'. Did you mean 'mail'?"


def test_a_job_of_assets_makes_its_selection_for_a_partition(shop: Any) -> None:
    ran = shop.run("job", "run", "daily", "--partition", "2024-01-02", "--json")

    assert (ran.code, ran.json["totals"]["materialized"]) == (0, 3)
    assert [line for line in ran.err.splitlines() if line.startswith("hook")] == [
        "hook: numbers 2024-01-02",
        "hook: doubled 2024-01-02",
        "hook: total 2024-01-02",
        "hook: daily",
    ]
    assert "give --partition KEY" in shop.run("job", "run", "daily").sentence


def test_a_job_of_ops_runs_with_config_and_goes_on_from_its_failure(shop: Any) -> None:
    assert shop.run("job", "run", "daily", "--partition", "2024-01-01").code == 0
    file = shop.folder / "run.toml"
    file.write_text('[letter]\nsubject = "bad sums"\ncopies = 2\n')

    failed = shop.run("job", "run", "mail", "--config", str(file), "--config", "letter.copies=1", "--json")

    assert failed.code == 1
    assert failed.json["status"] == "failure"
    assert failed.json["totals"] == {"materialized": 0, "failed": 1, "skipped": 0, "commits": 0, "steps": 2, "kept": 0}
    assert "ValueError: refused" in failed.json["failures"][0]["error"]
    assert "letter: writing bad sums" in failed.err

    run_id = failed.json["run_id"]
    (entry,) = [run for run in shop.run("runs", "list", "--json").json if run["run_id"] == run_id]
    assert entry["status"] == "failure"
    again = shop.run("job", "run", "mail", "--retry-of", run_id, "--json")
    assert [(step["step"], step["kept"]) for step in again.json["steps"]] == [
        ("addition", True),
        ("letter", True),
        ("send", False),
    ]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ([], "config field 'subject' is missing; give it by --config letter.subject=..."),
        (["letter.subject=x", "letter.copies=two"], "--config letter.copies=two: config field letter.copies: Input"),
        (["letter=x"], "--config letter=x: a key is an op or an asset and a field, such as notify.subject=hello."),
        (["run.ini"], "--config run.ini is neither key=value nor a file that ends in .toml, .json, .yaml, .yml."),
        (["there/is/none.json"], "--config there/is/none.json cannot be read"),
    ],
)
def test_wrong_config_is_refused_before_anything_runs(shop: Any, config: list[str], problem: str) -> None:
    assert shop.run("job", "run", "daily", "--partition", "2024-01-01").code == 0

    refused = shop.run("job", "run", "mail", *[word for each in config for word in ("--config", each)])

    assert refused.code == 2
    assert problem in refused.sentence
    assert len(shop.run("runs", "list", "--json").json) == 1
