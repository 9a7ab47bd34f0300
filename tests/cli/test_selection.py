"""Selections as commands take them: with the lake's status where there is one, and with nothing selected."""

from __future__ import annotations

from typing import Any

import pytest

from deltaworks.engine.execution import decide
from deltaworks.engine.execution.observe import Observation, observe
from tests.cli.conftest import Shell


@pytest.fixture
def made(shell: Shell) -> Shell:
    """Return a project in which everything is fresh."""
    assert shell.run("backfill").code == 0
    return shell


def assets(answer: Any) -> list[str]:
    return [each["asset"] for each in answer.json["assets"]]


def steps(answer: Any) -> list[str]:
    return [each["asset"] for each in answer.json["steps"]]


def test_a_status_selects_what_the_lake_says(made: Shell) -> None:
    made.write_outside("2024-01-02")

    assert assets(made.run("status", "status:stale", "--json")) == ["doubled", "total"]
    assert assets(made.run("status", "not status:fresh", "--json")) == ["total"]
    assert assets(made.run("list", "assets", "status:external", "--json")) == ["numbers"]
    assert steps(made.run("plan", "status:stale and doubled+1", "--json")) == ["doubled", "total"]
    assert made.run("backfill", "status:stale", "--json").json["totals"]["materialized"] == 2
    assert assets(made.run("status", "status:stale", "--json")) == []


@pytest.mark.parametrize(
    "arguments", [["status"], ["plan"], ["backfill", "--dry-run"], ["materialize", "--partition", "2024-01-02"]]
)
def test_the_lake_is_read_once_to_select_and_to_plan(
    made: Shell, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[Observation] = []

    def observed(*given: Any) -> Observation:
        readings.append(observe(*given))
        return readings[-1]

    monkeypatch.setattr(decide, "observe", observed)
    answer = made.run(*arguments, "status:fresh and doubled", "not status:stale and doubled")

    assert (answer.code, len(readings)) == (0, 1)


@pytest.mark.parametrize("arguments", [["plan"], ["backfill"], ["backfill", "--dry-run"], ["plan", "--only", "all"]])
@pytest.mark.parametrize("keys", [[], ["--partition", "2024-01-02"], ["--from", "2024-01-01", "--to", "2024-01-02"]])
def test_nothing_selected_is_nothing_to_do(made: Shell, arguments: list[str], keys: list[str]) -> None:
    answer = made.run(*arguments, "status:stale", *keys)

    assert (answer.code, answer.lines) == (0, ["Nothing to do: nothing is selected."])


def test_nothing_selected_is_an_empty_answer_where_somebody_only_looks(made: Shell) -> None:
    for arguments in (["status"], ["list", "assets"]):
        assert assets(made.run(*arguments, "status:stale", "--json")) == []
        assert made.run(*arguments, "numbers and total").code == 0
    assert made.run("check", "numbers and total").lines == ["0 assets: no problems found"]


def test_nothing_is_not_materialized(made: Shell) -> None:
    refused = made.run("materialize", "status:stale", "numbers and total")

    assert refused.code == 2
    assert refused.sentence == "status:stale 'numbers and total' selects no asset, so there is nothing to materialize."


def test_upkeep_is_for_what_is_selected(made: Shell) -> None:
    kept = assets(made.run("maintain", "status:fresh and d*", "--dry-run", "--json"))

    assert set(kept) - {None} == {"doubled"}


def test_an_absent_lake_is_all_missing(shell: Shell) -> None:
    assert assets(shell.run("status", "status:missing", "--json")) == ["numbers", "doubled", "total"]
    assert not shell.store.exists("")


def test_a_check_reads_no_lake(shell: Shell) -> None:
    refused = shell.run("check", "status:stale")

    assert refused.code == 2
    assert refused.sentence == "Nothing can be selected by status: here, where no lake is read."


def test_a_check_tells_the_problems_of_what_is_selected(shell: Shell) -> None:
    tables = shell.folder / "tables.py"
    tables.write_text(tables.read_text().replace("return doubled.select", "return doubled.drop('absent').select"))

    assert [each["asset"] for each in shell.run("check", "--json").json["problems"]] == ["total"]
    assert shell.run("check", "+doubled").lines[-1] == "2 assets: no problems found"
    assert shell.run("check", "doubled+").code == 2


def test_what_is_listed_can_be_selected(shell: Shell) -> None:
    assert assets(shell.run("list", "assets", "*ed", "1+total", "--json")) == ["doubled", "total"]
    assert shell.run("list", "resources", "a b").sentence == ("SELECT chooses assets: `deltaworks list assets 'a b'`.")


@pytest.mark.parametrize("arguments", [["status"], ["plan"], ["backfill"], ["materialize"], ["check"], ["maintain"]])
def test_a_selection_that_cannot_be_read_is_refused_in_a_sentence(shell: Shell, arguments: list[str]) -> None:
    refused = shell.run(*arguments, "numbers or (doubled")

    assert refused.code == 2
    assert refused.sentence == "Selection 'numbers or (doubled', at character 12: this parenthesis is never closed."


def test_the_ledger_keeps_a_command_as_it_can_be_given_again(made: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["deltaworks", "materialize", "numbers and not total", "--partition", "2024-01-02"])
    made.run("materialize", "numbers and not total", "--partition", "2024-01-02")

    latest = made.run("runs", "list", "--json").json[0]

    assert latest["command"] == "materialize 'numbers and not total' --partition 2024-01-02"
