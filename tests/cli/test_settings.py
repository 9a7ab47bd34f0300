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


RESOURCES = """

class Shop(dw.Resource):
    uri: str
    token: SecretStr = SecretStr("canary")
    pages: int = 1
    named: str = "x"

shop = Shop(uri="https://me:canary@example.org", pages=2)
"""


def test_resources_show_where_each_value_comes_from_and_no_secret(shell: Any) -> None:
    tables = (shell.folder / "tables.py").read_text()
    (shell.folder / "shops.py").write_text("from pydantic import SecretStr\n" + tables + RESOURCES)
    (shell.folder / "deltaworks.toml").write_text(
        'modules = ["shops"]\n[environments.prod.resources.shop]\nuri = { env = "SHOP" }\nnamed = "given"\n'
    )
    project = ("--project", str(shell.folder))

    by_code = shell.run("list", "resources", *project)
    by_file = shell.run("list", "resources", "--environment", "prod", *project, SHOP="canary")
    settings = shell.run("settings", "--environment", "prod", *project, SHOP="canary")

    assert by_code.lines[1:] == [
        "shop Shop uri https://me:**********@example.org code",
        "shop Shop token ********** default",
        "shop Shop pages 2 code",
        "shop Shop named x default",
    ]
    assert by_file.lines[1] == "shop Shop uri $SHOP variable SHOP"
    assert by_file.lines[4] == "shop Shop named given environment prod"
    assert "resources.shop.uri $SHOP SHOP" in settings.lines
    assert "canary" not in by_code.out + by_file.out + settings.out
