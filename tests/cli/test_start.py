"""Starting the command must stay cheap: what a command does not need is not imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("polars", "pandera", "deltalake", "obstore", "rich")
EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"


def modules_after(arguments: list[str], lake: Path) -> set[str]:
    code = (
        "import sys\n"
        "from deltaworks.cli import main\n"
        f"sys.argv = ['deltaworks', *{arguments!r}]\n"
        "try:\n    main()\n"
        "finally:\n    print('MODULES', *sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=EXAMPLE,
        env={"DELTAWORKS_LAKE": str(lake), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("MODULES")]
    return set(line.split()[1:])


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["backfill", "--help"], ["status", "--help"], ["runs", "--help"]]
)
def test_help_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    found = modules_after(arguments, tmp_path)

    assert found.isdisjoint(HEAVY)
    named = {f"deltaworks.cli.commands.{each}" for each in arguments if not each.startswith("-")}
    if named:
        assert named <= found
        assert found.isdisjoint({"deltaworks.cli.commands.materialize", "deltaworks.cli.commands.why"})


@pytest.mark.parametrize(
    "arguments", [["check"], ["list"], ["status"], ["plan"], ["backfill", "carriers"], ["materialize", "carriers"]]
)
def test_no_command_imports_pandas(arguments: list[str], tmp_path: Path) -> None:
    found = modules_after(arguments, tmp_path)

    assert "polars" in found
    assert found.isdisjoint({"pandas", "numpy", "pyarrow"})
