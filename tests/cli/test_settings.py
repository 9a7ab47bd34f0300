"""`settings`: the values in force and where they come from."""

from __future__ import annotations

from typing import Any


def test_each_value_says_where_it_comes_from(shell: Any) -> None:
    file = shell.folder / "deltaworks.toml"
    file.write_text('modules = ["tables"]\nlake = "here"\n')

    answer = shell.run("settings", "--project", str(shell.folder), "--json", DELTAWORKS_LAKE="/elsewhere", SECRET="s3")

    assert answer.json["folder"] == str(shell.folder)
    lake, modules, kind, *_ = answer.json["settings"]
    assert lake == {"setting": "lake", "value": "/elsewhere", "from": "environment", "name": "DELTAWORKS_LAKE"}
    assert modules == {"setting": "modules", "value": ["tables"], "from": "file", "name": str(file)}
    assert kind == {"setting": "executor.kind", "value": "threads", "from": "default", "name": None}
    assert "s3" not in answer.out


def test_people_see_a_line_for_each(shell: Any) -> None:
    answer = shell.run("settings", "--lake", "/given")

    assert answer.lines[:3] == ["setting value from", "lake /given --lake", "modules - default"]


def test_no_code_is_loaded(shell: Any) -> None:
    (shell.folder / "tables.py").write_text("import nothing_of_that_name")

    assert shell.run("settings").code == 0
