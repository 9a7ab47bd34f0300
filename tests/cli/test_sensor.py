"""`deltaworks sensor`: sensors listed and looked into from the shell."""

from __future__ import annotations

from typing import Any

import pytest

SENSORS = """
all_of_it = dw.define_asset_job("all_of_it")

@dw.asset_sensor(asset=numbers, job=all_of_it)
def on_numbers(commits: dw.Commits):
    \"\"\"Make everything anew.\"\"\"
    return dw.RunRequest()

@dw.run_failure_sensor()
def on_failure(run: dw.Run) -> None: ...
"""


@pytest.fixture
def watched(shell: Any) -> Any:
    file = shell.folder / "tables.py"
    file.write_text(file.read_text() + SENSORS)
    return shell


def test_sensors_are_listed(watched: Any) -> None:
    sensors = watched.run("list", "sensors", "--json").json["sensors"]
    lines = watched.run("list", "sensors").lines

    assert [(each["sensor"], each["kind"], each["watches"], each["job"]) for each in sensors] == [
        ("on_numbers", "asset", ["numbers"], "all_of_it"),
        ("on_failure", "run status", ["failure", "lost"], None),
    ]
    assert sensors[0]["line"] == 27
    assert lines[1:] == [
        "on_numbers asset numbers all_of_it Make everything anew.",
        "on_failure run status failure, lost -",
    ]


def test_without_sensors_it_says_how_there_are_some(shell: Any) -> None:
    assert shell.run("list", "sensors").out.startswith("There are no sensors; @sensor, @asset_sensor and the like")


def test_check_tells_a_sensor_on_a_table_that_is_not_there(watched: Any) -> None:
    file = watched.folder / "tables.py"
    file.write_text(file.read_text().replace("asset=numbers, job", "asset='number', job"))

    (problem,) = watched.run("check", "--json").json["problems"]

    assert (
        problem["message"] == "sensor 'on_numbers' watches 'number', but no asset has that key. Did you mean 'numbers'?"
    )
    assert (problem["file"], problem["line"]) == (str(file), 27)
