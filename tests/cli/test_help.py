"""The help: every command's line is whole at 80 columns, and names are those that people know."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from deltaworks.cli.app import app

GROUPS = ["", "job", "schedule", "sensor", "runs", "partitions", "automation", "alert", "workspace"]


def told(*arguments: str) -> str:
    return CliRunner().invoke(app, [*arguments, "--help"], env={"COLUMNS": "80"}).output


@pytest.mark.parametrize("group", GROUPS)
def test_the_line_of_each_command_is_whole(group: str) -> None:
    _, commands = told(*group.split()).split("Commands:\n")

    assert commands.strip()
    assert not [line for line in commands.splitlines() if not line.endswith(".") or line.endswith("...")]


@pytest.mark.parametrize("command", ["init", "backfill", "job run", "runs list", "diff"])
def test_arguments_and_options_have_no_types_of_python(command: str) -> None:
    shown = told(*command.split())

    assert not re.findall(r"<(?:str|path|int|list|float)[^>]*>", shown), shown
