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
        "on_numbers on asset numbers all_of_it Make everything anew.",
        "on_failure on run status failure, lost -",
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


def test_a_sensor_is_previewed_started_and_stopped(watched: Any) -> None:
    before = watched.run("sensor", "preview", "on_numbers", "--json").json
    started = watched.run("sensor", "start", "on_numbers")
    watched.write_outside("2024-01-02")
    found = watched.run("sensor", "preview", "on_numbers", "--json").json
    told = watched.run("sensor", "preview", "on_numbers").lines
    stopped = watched.run("sensor", "stop", "on_numbers", "on_failure", "--json").json
    listed = watched.run("sensor", "list", "--json").json["sensors"]

    assert (before["skip_reason"], before["cursor"]) == ("it begins after version -1 of numbers", None)
    assert started.lines == ["sensor on_numbers: started"]
    assert [each["job"] for each in found["requests"]] == ["all_of_it"]
    assert '"version": -1' in found["cursor"]
    assert '"version": 0' in found["next_cursor"]
    assert told[-1] == "1 run; nothing was started"
    assert stopped == {"sensors": [{"sensor": "on_numbers", "is_on": False}, {"sensor": "on_failure", "is_on": False}]}
    assert [each["is_on"] for each in listed] == [False, False]


def test_a_cursor_is_shown_and_set_as_a_tick(watched: Any) -> None:
    watched.write_outside("2024-01-01")
    watched.write_outside("2024-01-02")

    none = watched.run("sensor", "cursor", "on_numbers").out
    watched.run("sensor", "start", "on_numbers")
    watched.run("sensor", "cursor", "on_numbers", "--set", "0")
    found = watched.run("sensor", "preview", "on_numbers", "--json").json
    watched.run("sensor", "cursor", "on_numbers", "--set", "now")
    nothing = watched.run("sensor", "preview", "on_numbers", "--json").json
    ticks = watched.run("sensor", "ticks", "on_numbers", "--json").json["ticks"]

    assert none == "It has none yet.\n"
    assert len(found["requests"]) == 1
    assert (nothing["requests"], nothing["skip_reason"]) == ([], "no commit that it is about")
    assert [(each["tick"], each["outcome"]) for each in ticks] == [
        ("000000000002", "skipped"),
        ("000000000001", "skipped"),
    ]
    assert ticks[0]["skip_reason"].startswith("its cursor was set by ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("preview", "on_number"), "There is no sensor 'on_number'. Did you mean 'on_numbers'?"),
        (("start", "x"), "There is no sensor 'x'. `deltaworks sensor list` shows which there are."),
        (
            ("cursor", "on_numbers", "--set", "first"),
            "sensor 'on_numbers': 'first' is no version of numbers; write 12, the last version that counts as seen, or "
            "-1 for none.",
        ),
        (
            ("cursor", "on_failure", "--set", "7"),
            "The cursor of sensor 'on_failure' cannot be set to '7': expected 'now', to pass over all runs that have "
            "ended.",
        ),
    ],
)
def test_what_there_is_not_is_refused(watched: Any, arguments: tuple[str, ...], sentence: str) -> None:
    done = watched.run("sensor", *arguments)

    assert (done.code, done.sentence) == (2, sentence)
