"""`deltaworks job`: jobs of ops and of assets, listed, shown and run from the shell."""

from __future__ import annotations

from typing import Any

import pytest

JOBS = """
from pathlib import Path
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
    if "bad" in text and not Path(__file__).with_name("mended").exists():
        raise ValueError("refused")

@dw.job
def mail() -> None:
    \"\"\"Mail the sum.\"\"\"
    send(letter(addition()))

@dw.job
def posting() -> None:
    addition()

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

    assert [(job["job"], job["kind"]) for job in jobs] == [
        ("mail", "ops"),
        ("posting", "ops"),
        ("daily", "assets"),
    ]
    assert [(op["op"], op["reads"]) for op in shown["ops"]] == [
        ("addition", ["table total"]),
        ("letter", ["addition"]),
        ("send", ["letter"]),
    ]
    assert shop.run("list", "jobs", "--json").json["jobs"] == jobs
    assert shop.run("job", "print", "daily", "--json").json["assets"] == ["numbers", "doubled", "total"]
    assert shop.run("job", "run", "mial").sentence == "There is no job 'mial'. Did you mean 'mail'?"


def test_check_lists_every_misfit_of_jobs_and_what_fits_can_be_run(shop: Any) -> None:
    file = shop.folder / "tables.py"
    unfit = """
@dw.op
def astray(rows: Annotated[pl.DataFrame, dw.In(asset="totals")]) -> None: ...

@dw.job
def lost() -> None:
    astray()

weekly = dw.define_asset_job("weekly", "numbrs+")
stale = dw.define_asset_job("stale", "status:stale")
"""
    file.write_text(file.read_text() + unfit)
    line = file.read_text().splitlines().index("def lost() -> None:") - 3  # of the decorator of its op

    checked = shop.run("check", "--json")

    assert checked.code == 2
    found = {problem["job"]: problem for problem in checked.json["problems"]}
    assert {problem["kind"] for problem in found.values()} == {"unfit_job"}
    assert list(found) == ["lost", "weekly", "stale"]
    assert found["lost"]["message"].startswith("op 'astray' reads asset 'totals' as 'rows', but there is none of that")
    assert (found["lost"]["file"], found["lost"]["line"]) == (str(file), line)
    assert "numbers" in found["weekly"]["message"]
    assert "`deltaworks backfill`" in found["stale"]["message"]
    assert "reads asset 'totals'" in shop.run("job", "run", "lost").sentence
    assert "selects by status" in shop.run("job", "run", "stale").sentence
    assert shop.run("job", "run", "daily", "--partition", "2024-01-01").code == 0


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
    entry, before = shop.run("runs", "list", "--json").json
    assert (entry["run_id"], entry["status"], entry["job"]) == (run_id, "failure", "mail")
    assert (before["job"], before["job_partition"]) == ("daily", "2024-01-01")
    again = shop.run("job", "run", "mail", "--retry-of", run_id, "--json")
    assert [(step["step"], step["kept"]) for step in again.json["steps"]] == [
        ("addition", True),
        ("letter", True),
        ("send", False),
    ]


def test_a_run_that_is_named_goes_on_from_its_own_attempts(shop: Any) -> None:
    assert shop.run("job", "run", "daily", "--partition", "2024-01-01").code == 0
    bad = ("--config", "letter.subject=bad")
    named = ("job", "run", "mail", "--run-id", "tick-7", "--tag", "team=ops", "--priority", "3", "--json")

    failed = shop.run(*named, *bad)
    (shop.folder / "mended").touch()
    again = shop.run(*named, *bad)
    over = shop.run("runs", "retry", "tick-7", "--json")

    assert (failed.code, failed.json["run_id"]) == (1, "tick-7")
    assert (again.code, again.json["totals"]["steps"], again.json["totals"]["kept"]) == (0, 3, 2)
    assert (over.code, over.json["totals"]["kept"]) == (0, 3)
    entry = shop.run("runs", "show", "tick-7", "--json").json
    assert (entry["job"], entry["status"], entry["attempt"], entry["tags"]) == ("mail", "success", 3, ["team=ops"])
    assert [each["status"] for each in entry["earlier"]] == ["failure", "success"]
    assert entry["config"] == {"letter": {"subject": "bad"}}
    assert "is of job 'mail', not of" in shop.run("job", "run", "posting", "--run-id", "tick-7").sentence


def test_a_job_of_assets_that_is_named_makes_only_what_its_commits_lack(shop: Any) -> None:
    named = ("job", "run", "daily", "--partition", "2024-01-02", "--run-id", "tick-8", "--tag", "team=ops", "--json")

    first, again = shop.run(*named), shop.run(*named)

    assert (first.code, first.json["run_id"], first.json["totals"]["materialized"]) == (0, "tick-8", 3)
    assert (again.code, again.json["totals"]["materialized"]) == (0, 0)
    entry = shop.run("runs", "show", "tick-8", "--json").json
    assert (entry["job"], entry["job_partition"], entry["tags"]) == ("daily", "2024-01-02", ["team=ops"])
    assert (entry["attempt"], entry["status"]) == (2, "success")


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ([], "config field 'subject' is missing; give it by --config letter.subject=..."),
        (["letter.subject=x", "letter.copies=two"], "--config letter.copies=two: config field letter.copies: Input"),
        (['letter={"subject": 3}'], "config field letter.subject: Input should be a valid string"),
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
