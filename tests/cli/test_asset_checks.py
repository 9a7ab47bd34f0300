"""What commands show of asset checks: that they fit, which there are, and what they said."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Shell

CHECKS = """

@dw.asset_check(numbers, blocking=True)
def few(result: LazyFrame[Row], before: dw.Committed[Row]) -> dw.CheckResult:
    \"\"\"There are not too many rows.\"\"\"
    rows = result.select(pl.len()).collect()
    return dw.CheckResult(rows.item() < 3, {"rows": rows.item()}, message=f"{rows.item()} rows, expected fewer than 3")

@dw.asset_check(numbers, when="after")
def small(result: LazyFrame[Row]) -> bool:
    return result.select((pl.col("n") < 2).all()).collect().item()

by_count = dw.checks.row_count_change(doubled)
"""


@pytest.fixture
def checked(shell: Shell) -> Shell:
    module = shell.folder / "tables.py"
    module.write_text(module.read_text() + CHECKS)
    return shell


def edit(shell: Shell, old: str, new: str) -> None:
    module = shell.folder / "tables.py"
    text = module.read_text()
    assert text.count(old) == 1
    module.write_text(text.replace(old, new))


def test_list_counts_them_and_tells_each(checked: Shell) -> None:
    document = checked.run("list", "--json").json["assets"]
    listed = checked.run("list").lines

    by_asset = {each["asset"]: each["checks"] for each in document}
    assert {asset: [each["check"] for each in checks] for asset, checks in by_asset.items()} == {
        "numbers": ["few", "small"],
        "doubled": ["row_count_change"],
        "total": [],
    }
    few, small = by_asset["numbers"]
    assert (few["blocking"], few["when"], few["description"]) == (True, "before", "There are not too many rows.")
    assert (small["blocking"], small["when"]) == (False, "after")
    assert few["file"] == str(checked.folder / "tables.py")
    assert "checks" in listed[0].split()
    assert next(line for line in listed if line.startswith("numbers")).split()[-1] == "2"


def test_check_proves_those_that_work_on_columns_alone(checked: Shell) -> None:
    answer = checked.run("check", "--json")

    assert answer.code == 0, answer.out
    assert {"numbers:few", "numbers:small", "doubled:row_count_change"} <= set(answer.json["proved"])
    assert answer.json["problems"] == []
    assert checked.run("check").lines[-1] == "3 assets: no problems found"


def test_check_leaves_what_asks_for_more_than_columns(checked: Shell) -> None:
    edit(checked, 'result.select((pl.col("n") < 2).all()).collect().item()', "bool(result.collect().row(0))")

    answer = checked.run("check", "--json")

    (left,) = [each for each in answer.json["opaque"] if each["asset"] == "numbers:small"]
    assert "fails without rows" in left["reason"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('(pl.col("n") < 2)', '(pl.col("m") < 2)', "asset check numbers:small fails on the columns of its upstreams"),
        (
            "small(result: LazyFrame[Row]) -> bool:\n    return",
            "small(result: LazyFrame[Row]) -> bool:\n    return None and",
            "asset check numbers:small returned NoneType, expected a CheckResult or a Boolean",
        ),
    ],
)
def test_check_finds_what_is_wrong_on_any_data(checked: Shell, old: str, new: str, told: str) -> None:
    edit(checked, old, new)

    answer = checked.run("check", "--json")

    (problem,) = answer.json["problems"]
    assert answer.code == 2
    assert (problem["kind"], problem["asset"], problem["file"]) == (
        "function",
        "numbers:small",
        str(checked.folder / "tables.py"),
    )
    assert told in problem["message"]
    line = (checked.folder / "tables.py").read_text().splitlines()[problem["line"] - 1]
    assert line.startswith(("@dw.asset_check", "    return"))


def test_check_finds_columns_that_a_built_in_one_cannot_judge(checked: Shell) -> None:
    module = checked.folder / "tables.py"
    module.write_text(
        module.read_text()
        + "import datetime as dt\n"
        + "late = dw.checks.freshness(numbers, 'n', dt.timedelta(days=1))\n"
        + "drift = dw.checks.null_rate_drift(doubled, ['n', 'size'])\n"
    )

    answer = checked.run("check", "--json")

    told = {problem["asset"]: problem["message"] for problem in answer.json["problems"]}
    assert "SchemaError: column 'n' is Int64, expected a Date or a Datetime" in told["numbers:freshness.n"]
    assert "ColumnNotFoundError: there is no count of nulls in 'size'" in told["doubled:null_rate_drift"]


def test_check_compares_the_models_of_what_a_check_reads(checked: Shell) -> None:
    edit(checked, "def small(result: LazyFrame[Row])", "def small(result: LazyFrame[Wide])")
    edit(checked, "\n@dw.asset_check(numbers, when", "\nclass Wide(Row):\n    m: int\n\n@dw.asset_check(numbers, when")

    answer = checked.run("check", "--json")

    messages = [problem["message"] for problem in answer.json["problems"]]
    assert any("reads column 'm' of numbers as Int64, but model Row" in message for message in messages), messages


def test_a_blocking_one_that_fails_reads_well_in_the_report_and_later(checked: Shell) -> None:
    edit(checked, "rows.item() < 3,", "rows.item() < 2,")

    report = checked.run("materialize", "numbers", "--partition", "2024-01-02")
    document = checked.run("runs", "show", "--json").json
    shown = checked.run("runs", "show").lines

    assert report.code == 1
    assert report.lines[0] == "failed: numbers 2024-01-02: nothing was committed for it"
    assert report.lines[2:4] == ["check: few fail - -", "2 rows, expected fewer than 3"]
    (failure,) = document["failures"]
    assert failure["error"].startswith("numbers 2024-01-02: check few failed: 2 rows, expected fewer than 3. Nothing")
    (rule,) = failure["rules"]
    assert (rule["rule"], rule["is_check"], rule["rows"]) == ("few", True, 2)
    assert "check: few fail - -" in shown
    (step,) = checked.run("plan", "numbers", "--partition", "2024-01-02", "--json").json["steps"]
    assert step["reasons"][0].endswith(": check few failed: 2 rows, expected fewer than 3"), "and no sentence after it"


def test_what_a_check_after_the_commit_says_is_shown_and_fails_nothing(checked: Shell) -> None:
    report = checked.run("backfill", "numbers")
    document = checked.run("runs", "show", "--json").json
    shown = checked.run("runs", "show").lines

    told = "warning: numbers 2024-01-01, 2024-01-02, 2024-01-03 (committed, version 1): check small failed"
    assert report.code == 0
    assert told in report.lines
    assert told in shown
    assert document["checks"]["passed"] == 0
    assert [each["partition"] for each in document["checks"]["failures"]] == ["2024-01-01", "2024-01-02", "2024-01-03"]


def test_what_fails_after_the_commit_leaves_nothing_to_backfill(checked: Shell) -> None:
    edit(
        checked,
        "-> bool:\n    return result",
        "-> dw.CheckResult:\n    return dw.CheckResult(False, severity='fail') or result",
    )

    report = checked.run("materialize", "numbers", "--partition", "2024-01-02")

    assert report.code == 1
    assert "failed: numbers 2024-01-02 (committed, version 1): check small failed" in report.out
    assert report.lines[-1] == (
        "Everything is committed. Mend the cause and `deltaworks materialize` it, or roll it back."
    )
