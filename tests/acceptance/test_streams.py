"""What goes to stdout is the answer alone, and a reader that leaves costs nothing but its own output."""

from __future__ import annotations

import subprocess
import sys
import time

from tests.acceptance.conftest import Project
from tests.acceptance.test_interrupt import MODULE

NOISY = MODULE.replace("    time.sleep(0.05)\n", '    print("from the asset", partition.key)\n').replace(
    'end="2024-06-09"', 'end="2024-02-01"'
)


def noisy(project: Project) -> Project:
    project.write("deltaworks.toml", 'modules = ["slow_"]\n')
    project.write("slow_.py", NOISY + '\nprint("from the module")\n')
    return project


def test_what_authors_print_goes_to_stderr(project: Project) -> None:
    result = noisy(project).run("backfill", "--json")

    assert result.json["totals"]["materialized"] == 31
    assert "from the module" in result.err
    assert "from the asset 2024-01-31" in result.err


def test_a_reader_that_leaves_does_not_stop_a_run(project: Project) -> None:
    noisy(project)

    with subprocess.Popen(
        [sys.executable, "-m", "deltaworks", "backfill"],
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        code = process.wait(timeout=60)

    assert code == 0
    assert project.status()["slow"]["partitions"]["fresh"] == 31


def test_debug_shows_where_a_function_raised(project: Project) -> None:
    noisy(project)
    project.edit("slow_.py", '    print("from the asset", partition.key)\n', '    raise ValueError("here")\n')

    quiet, debug = project.run("backfill"), project.run("backfill", "--debug")

    assert "Traceback" not in quiet.err
    assert 'raise ValueError("here")' in debug.err


def test_a_second_ctrl_c_ends_a_call_that_hangs(project: Project) -> None:
    project.write("deltaworks.toml", 'modules = ["slow_"]\n')
    project.write("slow_.py", MODULE.replace("time.sleep(0.05)", "time.sleep(600)"))

    with subprocess.Popen(
        [sys.executable, "-m", "deltaworks", "backfill"],
        cwd=project.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        time.sleep(0.3)
        process.send_signal(2)
        assert "stopping" in process.stderr.readline()
        process.send_signal(2)
        code = process.wait(timeout=20)

    assert code == 130
