"""What is shown for Kubernetes, Airflow and Daft reads as what it is, and says what the commands understand."""

from __future__ import annotations

import ast
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

import deltaworks as dw
from deltaworks.cli.app import app
from tests.acceptance.conftest import Here

EXAMPLES = Path(__file__).parents[2] / "examples"
INSTRUCTIONS = {"FROM", "RUN", "USER", "WORKDIR", "COPY", "ENV", "ENTRYPOINT", "CMD"}


def commands() -> dict[str, set[str]]:
    """The options of each command of deltaworks, as Typer knows them."""
    import typer.main

    group: Any = typer.main.get_command(app)
    return {
        name: {option for each in command.params for option in each.opts} for name, command in group.commands.items()
    }


def containers(document: Any) -> list[Any]:
    """All containers of a manifest, however deep they lie."""
    if isinstance(document, dict):
        inner = [each for value in document.values() for each in containers(value)]
        return [*document.get("containers", ()), *inner]
    return [each for value in document for each in containers(value)] if isinstance(document, list) else []


@pytest.mark.parametrize(("name", "kind"), [("job", "Job"), ("cronjob", "CronJob"), ("dask", "DaskCluster")])
def test_manifests_are_yaml_and_call_commands_that_there_are(name: str, kind: str) -> None:
    document = yaml.safe_load((EXAMPLES / "kubernetes" / f"{name}.yaml").read_text())

    assert document["kind"] == kind
    found = containers(document["spec"])
    assert found
    for container in found:
        command, *arguments = container["args"]
        if "command" not in container:  # the entry point is deltaworks
            assert {each for each in arguments if each.startswith("--")} <= commands()[command]
        if kind != "DaskCluster":
            assert "--run-id" in arguments
            assert container["env"][0]["valueFrom"]["fieldRef"]["fieldPath"].endswith(
                "['batch.kubernetes.io/job-name']"
            )


def test_the_container_file_has_only_lines_that_mean_something() -> None:
    text = (EXAMPLES / "kubernetes" / "Containerfile").read_text()
    lines = re.sub(r"\\\n", " ", text).splitlines()
    found = [line.split(" ")[0] for line in lines if line and not line.startswith("#")]

    assert found[0] == "FROM"
    assert set(found) == INSTRUCTIONS
    assert 'ENTRYPOINT ["deltaworks"]' in lines


def test_the_dag_is_python_and_calls_a_command_that_there_is() -> None:
    tree = ast.parse((EXAMPLES / "airflow" / "deltaworks_flights.py").read_text())
    (command,) = (
        each.value for each in tree.body if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "COMMAND"
    )
    assert isinstance(command, ast.List)
    name, *arguments = (each.value if isinstance(each, ast.Constant) else ast.unparse(each) for each in command.elts)

    assert {str(each) for each in arguments if str(each).startswith("--")} <= commands()[str(name)]
    assert arguments[-2:] == ["--run-id", "RUN_ID"]


def test_a_run_id_makes_a_command_idempotent(here: Here) -> None:
    function = "@dw.asset\ndef one() -> pl.LazyFrame:\n    return pl.LazyFrame({'n': [1]})\n"
    here.write("tables.py", f"import polars as pl\nimport deltaworks as dw\n\n{function}")

    runs = [here.run("materialize", "one", "--run-id", "flights-20130101", "--json") for _ in range(2)]

    assert [run.code for run in runs] == [0, 0]
    assert [run.json["totals"]["materialized"] for run in runs] == [1, 0]
    assert here.run("materialize", "two", "--run-id", "flights-20130101").code == 2


@pytest.mark.skipif(find_spec("daft") is None, reason="Daft is not installed")
def test_daft_makes_a_table(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "other_engine", tmp_path / "other_engine")
    project = Here(tmp_path / "other_engine")

    assert project.run("backfill", "--json").code == 0
    assert dw.read("gate_days", lake=project.lake).collect()["passages"].sum() == 700
